//! `proxy_header`: a PROXY header is the same however it is cut, its reader takes not a byte of
//! what follows, and what it takes is a line of version 1 or a whole header of version 2.

use sansock::proxy_protocol::{HeaderReader, ProxyHeader, ProxyProtocolError};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// See the module. The first byte chooses the limit and the pieces.
pub fn check(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let limit = 16 + usize::from(choice >> 3) * 20;
    let piece = 1 + usize::from(choice & 7);
    let whole = read(bytes, usize::MAX, limit);
    assert_eq!(read(bytes, piece, limit), whole, "in pieces of {piece}");
    let Ok(Some((header, taken))) = whole else { return };
    let taken = &bytes[..taken];
    match taken.strip_prefix(SIGNATURE) {
        Some([command, _, high, low, rest @ ..]) => {
            assert!(taken.len() <= limit);
            assert_eq!(rest.len(), usize::from(u16::from_be_bytes([*high, *low])));
            assert!(*command != 0x20 || header == ProxyHeader::default());
            let size: usize = header.tlvs().map(|(_, value)| 3 + value.len()).sum();
            assert!(size <= rest.len());
        }
        Some(_) => panic!("a header ends within its fixed part"),
        None => line(taken, &header),
    }
}

/// Reads as a driver does, and returns how much was taken.
fn read(
    bytes: &[u8],
    piece: usize,
    limit: usize,
) -> Result<Option<(ProxyHeader, usize)>, ProxyProtocolError> {
    let (mut reader, mut taken) = (HeaderReader::new(limit), 0);
    while taken < bytes.len() {
        let wants = reader.wants();
        assert!(wants > 0, "it waits for nothing");
        let n = wants.min(piece).min(bytes.len() - taken);
        let header = reader.read(&bytes[taken..taken + n])?;
        taken += n;
        if let Some(header) = header {
            return Ok(Some((header, taken)));
        }
    }
    Ok(None)
}

/// The line is what the header says, written again.
fn line(taken: &[u8], header: &ProxyHeader) {
    assert!(taken.len() <= 107 && header.tlvs().next().is_none());
    let line = std::str::from_utf8(taken).expect("a line is text");
    let line = line.strip_suffix("\r\n").expect("a line has its end");
    assert!(!line.contains('\n'));
    let (Some(source), Some(destination)) = (header.source(), header.destination()) else {
        assert!(line.starts_with("PROXY UNKNOWN"));
        return;
    };
    let words: Vec<&str> = line.split(' ').collect();
    let [_, family, from, to, from_port, to_port] = words[..] else { panic!("{line:?}") };
    assert_eq!(family, if source.is_ipv4() { "TCP4" } else { "TCP6" });
    for (address, ip, port) in [(source, from, from_port), (destination, to, to_port)] {
        assert_eq!(ip.parse(), Ok(address.ip()));
        assert_eq!(port, address.port().to_string());
    }
}
