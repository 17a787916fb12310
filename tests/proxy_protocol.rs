//! PROXY headers, byte by byte.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::net::SocketAddr;

use sansock::proxy_protocol::{
    HeaderReader, ProxyHeader, ProxyProtocol, ProxyProtocolError as E, tlv,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const LIMIT: usize = ProxyProtocol::MAX_HEADER;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// The addresses 192.0.2.1:56324 and 192.0.2.2:443.
const V4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0xDC, 0x04, 0x01, 0xBB];

fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

/// Reads as a driver does, in pieces of at most `piece` bytes. Returns the header and how many bytes
/// were taken; `None` if the bytes end before.
fn read(bytes: &[u8], piece: usize, limit: usize) -> Result<Option<(ProxyHeader, usize)>, E> {
    let (mut reader, mut taken) = (HeaderReader::new(limit), 0);
    while taken < bytes.len() {
        let wants = reader.wants();
        assert!(wants > 0, "after {taken} bytes");
        let n = wants.min(piece).min(bytes.len() - taken);
        let header = reader.read(&bytes[taken..taken + n])?;
        taken += n;
        if let Some(header) = header {
            return Ok(Some((header, taken)));
        }
    }
    Ok(None)
}

/// Whatever the pieces, the result is the same, and what follows the header is left.
fn whole(header: &[u8]) -> Result<ProxyHeader, E> {
    let followed = [header, b"GET / HTTP/1.1\r\n"].concat();
    let result = read(&followed, usize::MAX, LIMIT).map(|it| it.expect("the header is whole"));
    for piece in [1, 2, 3, 7, 100] {
        let again = read(&followed, piece, LIMIT).map(|it| it.expect("the header is whole"));
        assert_eq!(again, result, "pieces of {piece}");
    }
    result.map(|(read, taken)| {
        assert_eq!(taken, header.len(), "what follows is not the header's");
        read
    })
}

#[test]
fn lines_are_read() {
    let rows = [
        ("TCP4 192.0.2.1 192.0.2.2 56324 443", "192.0.2.1:56324", "192.0.2.2:443"),
        (
            "TCP4 255.255.255.255 255.255.255.255 65535 65535",
            "255.255.255.255:65535",
            "255.255.255.255:65535",
        ),
        ("TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0:0", "0.0.0.0:0"),
        ("TCP6 2001:db8::1 ::1 1 2", "[2001:db8::1]:1", "[::1]:2"),
        (
            "TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2",
            "[::ffff:192.0.2.1]:1",
            "[::ffff:192.0.2.2]:2",
        ),
    ];
    for (line, source, destination) in rows {
        let header = whole(format!("PROXY {line}\r\n").as_bytes()).unwrap();
        assert_eq!(header.source(), Some(address(source)), "{line}");
        assert_eq!(header.destination(), Some(address(destination)), "{line}");
        assert_eq!(header.tlvs().count(), 0);
    }
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 nothing of it counts\r\n"] {
        assert_eq!(whole(line.as_bytes()).unwrap(), ProxyHeader::default());
    }
}

#[test]
fn lines_that_are_not_exact_are_refused() {
    let rows = [
        "TCP4 192.0.2.1 192.0.2.2 +80 443",
        "TCP4 192.0.2.1 192.0.2.2 080 443",
        "TCP4 192.0.2.1 192.0.2.2 00 443",
        "TCP4 192.0.2.1 192.0.2.2 65536 443",
        "TCP4 192.0.2.1 192.0.2.2 80",
        "TCP4 192.0.2.1 192.0.2.2 80 ",
        "TCP4 192.0.2.1 192.0.2.2 80 443 ",
        "TCP4 192.0.2.1 192.0.2.2 80 443 1",
        "TCP4  192.0.2.1 192.0.2.2 80 443",
        "TCP4 192.0.2.01 192.0.2.2 80 443",
        "TCP4 192.0.2 192.0.2.2 80 443",
        "TCP4 ::1 ::1 80 443",
        "TCP6 192.0.2.1 192.0.2.2 80 443",
        "TCP6 [::1] ::1 80 443",
        "TCP6 fe80::1%1 ::1 80 443",
        "UDP4 192.0.2.1 192.0.2.2 80 443",
        "tcp4 192.0.2.1 192.0.2.2 80 443",
        "UNKNOWNS to none",
        "TCP4 192.0.2.1 192.0.2.2 80 443\r",
        "TCP4 192.0.2.1\t192.0.2.2 80 443",
        "TCP4 192.0.2.1 192.0.2.2 80 \u{ff14}43",
    ];
    for line in rows {
        assert_eq!(whole(format!("PROXY {line}\r\n").as_bytes()), Err(E::Line), "{line:?}");
    }
    // A bare LF ends no line.
    let bare = "PROXY TCP4 192.0.2.1 192.0.2.2 80 443\n";
    assert_eq!(read(bare.as_bytes(), 1, LIMIT), Err(E::Line));
}

#[test]
fn a_line_has_107_bytes_at_most() {
    let line = |n: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(n - 16));
    assert_eq!(line(107).len(), 107);
    assert_eq!(whole(line(107).as_bytes()).unwrap(), ProxyHeader::default());
    for piece in [1, 50, usize::MAX] {
        assert_eq!(read(line(108).as_bytes(), piece, LIMIT), Err(E::LineTooLong));
    }
}

/// The first byte that differs ends it.
#[test]
fn anything_else_is_no_header() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY\tTCP4 ",
        b"\r\nGET / HTTP/1.1\r\n",
        b"\r\n\r\n\0\r\nQUIT\r\n\r\n\r\n",
    ] {
        for piece in [1, 5, usize::MAX] {
            assert_eq!(read(bytes, piece, LIMIT), Err(E::Missing), "{bytes:?}");
        }
    }
    let mut reader = HeaderReader::new(LIMIT);
    assert_eq!(reader.read(b"PR"), Ok(None));
    assert_eq!(reader.read(b"I"), Err(E::Missing));
}

#[test]
fn binary_headers_are_read_with_their_extensions() {
    let header = whole(&binary(0x21, 0x11, V4)).unwrap();
    assert_eq!(header.source(), Some(address("192.0.2.1:56324")));
    assert_eq!(header.destination(), Some(address("192.0.2.2:443")));
    assert_eq!((header.tlvs().count(), header.authority()), (0, None));

    let mut v6 = vec![0; 36];
    (v6[0], v6[1], v6[15], v6[31]) = (0x20, 0x01, 7, 1);
    v6[32..].copy_from_slice(&[0, 1, 0, 2]);
    let extensions = [
        extension(tlv::AUTHORITY, b"example.com"),
        extension(tlv::NOOP, &[0; 5]),
        extension(tlv::UNIQUE_ID, &[0xFF, 0]),
        extension(0xEA, b""),
        extension(tlv::UNIQUE_ID, b"not the first"),
    ];
    let header = whole(&binary(0x21, 0x21, &[&v6, &extensions.concat()[..]].concat())).unwrap();
    assert_eq!(header.source(), Some(address("[2001::7]:1")));
    assert_eq!(header.destination(), Some(address("[::1]:2")));
    assert_eq!(header.authority(), Some("example.com"));
    assert_eq!(header.tlv(tlv::UNIQUE_ID), Some(&[0xFF, 0][..]));
    assert_eq!(header.tlv(0xEA), Some(&b""[..]));
    assert_eq!(header.tlv(tlv::SSL), None);
    assert_eq!(header.tlvs().map(|(kind, _)| kind).collect::<Vec<_>>(), [2, 4, 5, 0xEA, 5]);
}

#[test]
fn the_real_endpoints_count_where_a_header_has_no_addresses_of_tcp() {
    // LOCAL: whatever the rest is.
    for (family, rest) in [(0x00, &b""[..]), (0x11, V4), (0xFF, b"\x01\xff"), (0x11, b"")] {
        assert_eq!(whole(&binary(0x20, family, rest)).unwrap(), ProxyHeader::default());
    }
    for (family, size) in [(0x00, 0), (0x12, 12), (0x22, 36), (0x31, 216), (0x32, 216)] {
        let id = extension(tlv::UNIQUE_ID, b"id");
        let header = whole(&binary(0x21, family, &[vec![1; size], id].concat())).unwrap();
        assert_eq!((header.source(), header.destination()), (None, None), "{family:#x}");
        assert_eq!(header.tlv(tlv::UNIQUE_ID), Some(&b"id"[..]), "{family:#x}");
    }
}

#[test]
fn binary_headers_that_are_wrong_are_refused() {
    let rows = [
        (binary(0x11, 0x11, V4), E::Version(1)),
        (binary(0x31, 0x11, V4), E::Version(3)),
        (binary(0x22, 0x11, V4), E::Command(2)),
        (binary(0x21, 0x13, V4), E::Family(0x13)),
        (binary(0x21, 0x41, V4), E::Family(0x41)),
        (binary(0x21, 0x10, V4), E::Family(0x10)),
        (binary(0x21, 0x11, &V4[..11]), E::Addresses),
        (binary(0x21, 0x11, b""), E::Addresses),
        (binary(0x21, 0x21, &[0; 35]), E::Addresses),
        (binary(0x21, 0x31, &[0; 215]), E::Addresses),
        (binary(0x21, 0x11, &[V4, &[4]].concat()), E::Tlvs),
        (binary(0x21, 0x11, &[V4, &[4, 0]].concat()), E::Tlvs),
        (binary(0x21, 0x11, &[V4, &[4, 0, 2, 0]].concat()), E::Tlvs),
        (binary(0x21, 0x11, &[V4, &extension(tlv::CRC32C, &[0; 3])].concat()), E::Tlvs),
        (binary(0x21, 0x11, &[V4, &extension(tlv::CRC32C, &[0; 4])].concat()), E::Checksum),
    ];
    for (bytes, error) in rows {
        assert_eq!(whole(&bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn a_checksum_is_verified() {
    let start = [V4, &extension(tlv::CRC32C, &[0; 4])].concat();
    let noop = extension(tlv::NOOP, b"more");
    for (rest, extensions) in [(start.clone(), 1), ([start, noop].concat(), 2)] {
        let mut bytes = binary(0x21, 0x11, &rest);
        let right = crc32c(&bytes).to_be_bytes();
        bytes[31..35].copy_from_slice(&right);
        let header = whole(&bytes).unwrap();
        assert_eq!(header.tlv(tlv::CRC32C), Some(&right[..]));
        assert_eq!(header.tlvs().count(), extensions);
        for at in [16, 20, 25, 31, bytes.len() - 1] {
            bytes[at] ^= 1;
            assert!(read(&bytes, usize::MAX, LIMIT).is_err(), "byte {at} has changed");
            bytes[at] ^= 1;
        }
    }
}

/// By a table, which the reader has not. `123456789` gives E3069283 (RFC 3720, B.4 has others).
fn crc32c(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256)
        .map(|n| (0..8).fold(n, |n, _| if n & 1 == 1 { n >> 1 ^ 0x82F6_3B78 } else { n >> 1 }))
        .collect();
    let step = |sum: u32, byte: &u8| table[usize::from(sum.to_le_bytes()[0] ^ byte)] ^ sum >> 8;
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn the_checksum_is_that_of_castagnoli() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
}

/// Before a byte of what it announces has arrived.
#[test]
fn the_limit_of_a_binary_header_is_exact() {
    let header = binary(0x21, 0x11, &[V4, &extension(tlv::NOOP, &[0; 85])].concat());
    assert_eq!(header.len(), 116);
    assert!(read(&header, usize::MAX, 116).unwrap().is_some());
    assert_eq!(read(&header[..16], 16, 115), Err(E::TooLong(115)));
    let longest = [SIGNATURE, &[0x21, 0x11, 0xFF, 0xFF]].concat();
    assert_eq!(read(&longest, 1, LIMIT), Err(E::TooLong(LIMIT)));
    assert_eq!(read(&longest, 1, 65_551), Ok(None));
}

#[test]
fn a_header_that_ends_too_early_is_none() {
    for header in [binary(0x21, 0x11, V4), b"PROXY TCP4 192.0.2.1 192.0.2.2 80 443\r\n".to_vec()] {
        for end in 0..header.len() {
            assert_eq!(read(&header[..end], 3, LIMIT), Ok(None), "{end} bytes");
        }
    }
}

#[test]
fn networks_decide_who_is_trusted() {
    let networks = ["10.1.0.0/16", "192.0.2.7", "2001:db8::/33", "::1", "172.16.0.0/12"];
    let settings = ProxyProtocol::from_networks(networks).unwrap();
    let trusts = |ip: &str| settings.trusts(ip.parse().unwrap());
    for ip in [
        "10.1.0.0",
        "10.1.255.255",
        "192.0.2.7",
        "2001:db8:7fff::1",
        "::1",
        "172.31.255.255",
        "::ffff:10.1.2.3",
    ] {
        assert!(trusts(ip), "{ip}");
    }
    for ip in [
        "10.2.0.0",
        "10.0.255.255",
        "192.0.2.6",
        "2001:db8:8000::",
        "::2",
        "172.32.0.0",
        "::10.1.2.3",
        "a01::",
    ] {
        assert!(!trusts(ip), "{ip}");
    }
    let all = ProxyProtocol::from_networks(["0.0.0.0/0", "::/0"]).unwrap();
    assert!(all.trusts("9.9.9.9".parse().unwrap()) && all.trusts("2a00::".parse().unwrap()));
    assert!(!ProxyProtocol::from_networks([]).unwrap().trusts("::1".parse().unwrap()));
    for text in [
        "",
        "10.1.0.0/8",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10/8",
        "example.com",
        "10.0.0.0/8/8",
        "::1/127",
    ] {
        let error = ProxyProtocol::from_networks([text]).unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        assert!(error.to_string().contains("bits behind the prefix"), "{error}");
    }
}

#[test]
fn errors_say_what_is_wrong_and_name_the_knob() {
    let rows = [
        (E::Missing, "Server::proxy_protocol"),
        (E::TooLong(4096), "4096 bytes (ProxyProtocol::max_header)"),
        (E::LineTooLong, "107 bytes of version 1"),
        (E::Line, "line"),
        (E::Version(3), "version 3"),
        (E::Command(2), "command 2"),
        (E::Family(0x41), "0x41"),
        (E::Addresses, "too short"),
        (E::Tlvs, "TLVs"),
        (E::Checksum, "checksum"),
    ];
    for (error, part) in rows {
        assert!(error.to_string().contains(part), "{error}");
    }
}
