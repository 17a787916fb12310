//! Every way to break the protocol: the bytes, the error, and the close code that the peer gets.

use sansock::handshake::Established;
use sansock::{
    CloseCode, Config, Connection, Limits, Outcome, ProtocolError, ReceiveBuffer, Role, SendBuffer,
    SendError, State, Teardown,
};

use crate::wire::{
    BINARY, BOTH, CLOSE, CONTINUATION, FIN, FixedKey, PING, PONG, TEXT, close_frame, cut_frame,
    frame, header, raw_header, receive,
};

/// Bytes of which the last shows the violation.
pub(crate) struct Violation {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) error: ProtocolError,
    /// The code of the Close frame that answers.
    code: u16,
}

/// Small limits, so that small vectors exceed them.
pub(crate) fn config() -> Config {
    Config::new().limits(Limits::new().frame(2_000).message(3_000).fragments(4))
}

struct Table {
    to: Role,
    rows: Vec<Violation>,
}

impl Table {
    fn row(&mut self, name: impl Into<String>, bytes: Vec<u8>, error: ProtocolError, code: u16) {
        self.rows.push(Violation { name: name.into(), bytes, error, code });
    }

    /// "_Fail the WebSocket Connection_" for what a header shows in its first `shown` bytes.
    fn header(&mut self, name: &str, bytes: &[u8], shown: usize, error: ProtocolError) {
        let name = format!("{name}: {bytes:02x?}");
        self.row(name, bytes[..shown].to_vec(), error, 1002);
    }
}

/// All of them, from a peer of `to`.
pub(crate) fn violations(to: Role) -> Vec<Violation> {
    let mut table = Table { to, rows: Vec::new() };
    first_byte(&mut table);
    lengths(&mut table);
    masks(&mut table);
    fragmentation(&mut table);
    utf8(&mut table);
    close(&mut table);
    limits(&mut table);
    table.rows
}

/// Section 5.2: RSV1 to RSV3 and the opcode; 5.5: control frames are not fragmented.
fn first_byte(table: &mut Table) {
    for rsv in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for opcode in [TEXT, BINARY, FIN | TEXT, FIN | BINARY, CLOSE, PING, PONG] {
            let first = opcode | rsv;
            let error = ProtocolError::ReservedBits(first);
            table.header("reserved bits", &[first], 1, error);
        }
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        for fin in [0, FIN] {
            let error = ProtocolError::ReservedOpcode(opcode);
            table.header("reserved opcode", &[fin | opcode], 1, error);
        }
    }
    for opcode in [0x8, 0x9, 0xA] {
        let error = ProtocolError::FragmentedControl;
        table.header("control frame without FIN", &[opcode], 1, error);
    }
}

/// Section 5.2: the minimal form and the top bit; 5.5: at most 125 bytes of control payload.
fn lengths(table: &mut Table) {
    for first in [CLOSE, PING, PONG] {
        for length in [126, 127] {
            let bytes = raw_header(table.to, first, length, &[]);
            table.header("long control frame", &bytes, 2, ProtocolError::ControlTooLong);
        }
    }
    for length in [0_u16, 1, 125] {
        let bytes = raw_header(table.to, FIN | BINARY, 126, &length.to_be_bytes());
        table.header("16 bits for a short length", &bytes, 4, ProtocolError::NonMinimalLength);
    }
    for length in [0_u64, 125, 126, 0xFFFF] {
        let bytes = raw_header(table.to, FIN | BINARY, 127, &length.to_be_bytes());
        table.header("64 bits for a short length", &bytes, 10, ProtocolError::NonMinimalLength);
    }
    for length in [1 << 63, 1 << 63 | 5, u64::MAX] {
        let bytes = raw_header(table.to, FIN | BINARY, 127, &length.to_be_bytes());
        table.header("64-bit length with its top bit", &bytes, 3, ProtocolError::LengthTopBit);
    }
}

/// Section 5.1: what a client sends is masked, what a server sends is not.
fn masks(table: &mut Table) {
    let (wrong, error) = match table.to {
        Role::Server => (Role::Client, ProtocolError::Unmasked),
        Role::Client => (Role::Server, ProtocolError::Masked),
    };
    for first in [TEXT, FIN | TEXT, FIN | BINARY, CLOSE, PING, PONG] {
        for payload in [0, 2, 125] {
            table.header("mask", &frame(wrong, first, &vec![b'a'; payload]), 2, error);
        }
    }
    for payload in [126, 65_536] {
        table.header("mask", &header(wrong, FIN | BINARY, payload), 2, error);
    }
}

/// Section 5.4: what may follow what.
fn fragmentation(table: &mut Table) {
    let to = table.to;
    let unexpected = ProtocolError::UnexpectedContinuation;
    let expected = ProtocolError::ExpectedContinuation;
    table.row("final continuation of nothing", vec![FIN | CONTINUATION], unexpected, 1002);
    table.row("continuation of nothing", vec![CONTINUATION], unexpected, 1002);

    let mut bytes = frame(to, FIN | TEXT, b"whole");
    bytes.push(FIN | CONTINUATION);
    table.row("continuation of a whole message", bytes, unexpected, 1002);

    let mut bytes = frame(to, TEXT, b"one");
    bytes.extend(frame(to, FIN | CONTINUATION, b"two"));
    bytes.push(CONTINUATION);
    table.row("continuation of a finished message", bytes, unexpected, 1002);

    let mut bytes = frame(to, PING, b"ping");
    bytes.push(CONTINUATION);
    table.row("continuation of a Ping", bytes, unexpected, 1002);

    for first in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
        for start in [TEXT, BINARY] {
            let mut bytes = frame(to, start, b"one");
            bytes.extend(frame(to, CONTINUATION, b"two"));
            bytes.push(first);
            let name = format!("{first:#x} in a fragmented message that began with {start:#x}");
            table.row(name, bytes, expected, 1002);
        }
    }
}

/// Section 8.1: text is UTF-8, and the first byte that cannot be ends it.
fn utf8(table: &mut Table) {
    let to = table.to;
    let error = ProtocolError::InvalidUtf8;
    // Each ends with the first byte that no text can hold there.
    let impossible: [&[u8]; 14] = [
        b"\x80",
        b"\xBF",
        b"\xC0",
        b"\xC1",
        b"\xF5",
        b"\xFF",
        b"ok\xC3\x28",
        b"\xE0\x80",         // overlong
        b"\xED\xA0",         // surrogate
        b"\xF0\x80",         // overlong
        b"\xF4\x90",         // above U+10FFFF
        b"\xE2\x82\xE2",     // a character cut by another
        b"\xF0\x9F\x92a",    // the same, later
        b"\xCE\xBA\xE1\xFF", // after a good one
    ];
    for text in impossible {
        let name = |kind| format!("{text:02x?} in {kind}");
        table.row(name("the first bytes"), cut_frame(to, FIN | TEXT, 2_000, text), error, 1007);

        let long = [&[b'a'; 1_500], text].concat();
        table.row(name("a long frame"), cut_frame(to, FIN | TEXT, 2_000, &long), error, 1007);

        let mut bytes = frame(to, TEXT, b"good ");
        bytes.extend(cut_frame(to, CONTINUATION, 100, text));
        table.row(name("a continuation"), bytes, error, 1007);

        let (before, last) = text.split_at(text.len() - 1);
        let mut bytes = frame(to, TEXT, before);
        bytes.extend(frame(to, PING, b""));
        bytes.extend(frame(to, CONTINUATION, b""));
        bytes.extend(cut_frame(to, FIN | CONTINUATION, 50, last));
        table.row(name("two frames with a Ping between"), bytes, error, 1007);
    }
    for cut in [&b"\xC3"[..], b"a\xE2\x82", b"\xF0\x9F\x92"] {
        let name = |kind| format!("text that ends inside a character, {cut:02x?}: {kind}");
        table.row(name("one frame"), frame(to, FIN | TEXT, cut), error, 1007);

        let mut bytes = frame(to, TEXT, b"one");
        bytes.extend(frame(to, FIN | CONTINUATION, cut));
        table.row(name("last fragment"), bytes, error, 1007);

        let mut bytes = frame(to, TEXT, cut);
        bytes.extend(frame(to, FIN | CONTINUATION, b""));
        table.row(name("last fragment empty"), bytes, error, 1007);
    }
}

/// Sections 5.5.1 and 7.4: the body of a Close frame.
fn close(table: &mut Table) {
    let to = table.to;
    table.row("Close with half a code", header(to, CLOSE, 1), ProtocolError::CloseLength, 1002);
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65535]
    {
        let error = ProtocolError::CloseCode(code);
        table.row(format!("code {code}"), close_frame(to, code, b""), error, 1002);
        table.row(format!("code {code}, reason"), close_frame(to, code, b"why"), error, 1002);
    }
    for reason in [&b"\xFF"[..], b"good\xC0\xAF", b"cut \xE2\x82", &[0x80; 123]] {
        let bytes = close_frame(to, 1000, reason);
        let name = format!("reason {reason:02x?}");
        table.row(name, bytes, ProtocolError::InvalidUtf8, 1007);
    }
}

/// The limits of [`config`], known from headers alone.
fn limits(table: &mut Table) {
    let to = table.to;
    let too_large = |length| ProtocolError::FrameTooLarge { length, limit: 2_000 };
    for length in [2_001, 65_536, 1 << 32, (1 << 32) + 5, 1 << 62, (1 << 63) - 1] {
        let bytes = header(to, FIN | BINARY, length);
        table.row(format!("frame of {length}"), bytes, too_large(length), 1009);

        let mut bytes = frame(to, TEXT, b"one");
        bytes.extend(header(to, CONTINUATION, length));
        table.row(format!("continuation of {length}"), bytes, too_large(length), 1009);
    }
    let mut bytes = frame(to, BINARY, &[0; 2_000]);
    bytes.extend(header(to, CONTINUATION, 1_001));
    let error = ProtocolError::MessageTooLarge { limit: 3_000 };
    table.row("message of 3,001", bytes, error, 1009);

    for empty in [0, 1] {
        let mut bytes = frame(to, TEXT, &b"x"[..empty]);
        for _ in 0..3 {
            bytes.extend(frame(to, CONTINUATION, &b"x"[..empty]));
        }
        bytes.extend(header(to, FIN | CONTINUATION, 0));
        let error = ProtocolError::TooManyFragments { limit: 4 };
        table.row(format!("five fragments of {empty}"), bytes, error, 1008);
    }
}

fn connection(role: Role) -> Connection {
    Established::after_handshake(role, None).connection_with(&config(), FixedKey)
}

/// All events up to the error.
fn drive(
    connection: &mut Connection,
    input: &mut ReceiveBuffer,
    output: &mut SendBuffer,
) -> Result<(), ProtocolError> {
    while connection.advance(input, output)? {}
    Ok(())
}

#[test]
fn each_violation_is_known_from_the_byte_that_shows_it() {
    for role in BOTH {
        for Violation { name, bytes, error, .. } in violations(role) {
            let (_, last) = bytes.split_at(bytes.len() - 1);
            let before = &bytes[..bytes.len() - 1];
            assert_eq!(receive(role, &config(), [before]).1, None, "{role:?}: {name}, too early");
            let (_, known) = receive(role, &config(), [before, last]);
            assert_eq!(known, Some(error), "{role:?}: {name}");
            let more = [&bytes[..], &[0x81; 200]].concat();
            let (_, known) = receive(role, &config(), [&more[..]]);
            assert_eq!(known, Some(error), "{role:?}: {name}, with more behind it");
        }
    }
}

#[test]
fn each_violation_is_told_with_its_close_code() {
    for role in BOTH {
        let peer = if role == Role::Server { Role::Client } else { Role::Server };
        for Violation { name, bytes, error, code } in violations(role) {
            let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
            let mut connection = connection(role);
            input.extend_from_slice(&bytes);
            let failed = drive(&mut connection, &mut input, &mut output);
            assert_eq!(failed, Err(error), "{role:?}: {name}");
            assert_eq!(error.close_code(), CloseCode::new(code).unwrap(), "{role:?}: {name}");
            let mut sent = Vec::new();
            output.write_to(&mut sent).unwrap();
            assert!(sent.ends_with(&close_frame(peer, code, b"")), "{role:?}: {name}: {sent:02x?}");
        }
    }
}

#[test]
fn an_error_is_the_end() {
    for role in BOTH {
        for Violation { name, bytes, error, .. } in violations(role) {
            let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
            let mut connection = connection(role);
            input.extend_from_slice(&bytes);
            assert_eq!(drive(&mut connection, &mut input, &mut output), Err(error), "{name}");
            output.write_to(&mut Vec::new()).unwrap();

            assert_eq!(connection.outcome(), Some(&Outcome::Failed(error)), "{name}");
            assert_eq!(connection.outcome().map(Outcome::code), Some(1006), "{name}");
            assert_eq!(connection.state(), State::Closed, "{name}");
            assert_eq!(connection.teardown(), Teardown::HalfClose, "{name}");
            for more in [&[][..], &frame(role, FIN | TEXT, b"good"), &close_frame(role, 1000, b"")]
            {
                input.extend_from_slice(more);
                for _ in 0..2 {
                    let again = connection.advance(&mut input, &mut output);
                    assert_eq!(again, Err(error), "{role:?}: {name}");
                    let again = connection.next_event(&mut input, &mut output);
                    assert_eq!(again, Err(error), "{role:?}: {name}");
                }
            }
            let refused = connection.send("more", &mut output);
            assert_eq!(refused, Err(SendError::Closed), "{name}");
            let refused = connection.ping(b"", &mut output);
            assert_eq!(refused, Err(SendError::Closed), "{name}");
            let refused = connection.start_close(CloseCode::NORMAL, "", &mut output);
            assert_eq!(refused, Err(SendError::Closed), "{name}");
            connection.receive_eof();
            assert_eq!(connection.outcome(), Some(&Outcome::Failed(error)), "{name}");
            assert!(output.is_empty(), "{role:?}: {name}: nothing follows the Close frame");
        }
    }
}

#[test]
fn what_is_no_violation() {
    for role in BOTH {
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            let bytes = close_frame(role, code, &[b'r'; 123]);
            assert_eq!(receive(role, &config(), [&bytes[..]]).1, None, "code {code}");
        }
        for first in [PING, PONG] {
            let bytes = frame(role, first, &[0xFF; 125]);
            assert_eq!(receive(role, &config(), [&bytes[..]]).1, None, "125 bytes of control");
        }
        let close = [frame(role, CLOSE, b""), frame(role, FIN | CONTINUATION, b"junk")].concat();
        assert_eq!(receive(role, &config(), [&close[..]]).1, None, "junk after Close");
        let bytes = frame(role, FIN | BINARY, b"\xC0\xFF");
        assert_eq!(receive(role, &config(), [&bytes[..]]).1, None, "binary is not UTF-8");
    }
}
