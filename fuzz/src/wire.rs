//! Frames read by a plain reading of RFC 6455, 5.2, written for this crate: the judge of what sansock
//! takes ([`header`]) and of what it sends ([`Monitor`]). It shares no code with sansock.

/// What the bytes of a header say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The FIN bit.
    pub fin: bool,
    /// RSV1 to RSV3: 4, 2 and 1.
    pub rsv: u8,
    /// 0 to 15.
    pub opcode: u8,
    /// The masking key, if the MASK bit is set.
    pub key: Option<[u8; 4]>,
    /// Length of the payload.
    pub payload: u64,
    /// Length of the header.
    pub length: usize,
}

/// What was read of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// More bytes are needed.
    Incomplete,
    /// These bytes cannot begin a header, whatever follows: why.
    Wrong(&'static str),
    /// All of it.
    Complete(Header),
}

/// Reads a header at the start of the bytes and fails at the first byte that cannot be right. RSV1 is
/// left to the code that knows the extensions.
pub fn header(bytes: &[u8]) -> Read {
    let Some(&first) = bytes.first() else { return Read::Incomplete };
    let (fin, rsv, opcode) = (first >= 0x80, first >> 4 & 7, first & 15);
    if rsv & 3 != 0 {
        return Read::Wrong("RSV2 or RSV3");
    }
    if !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10) {
        return Read::Wrong("reserved opcode");
    }
    let control = opcode >= 8;
    if control && !fin {
        return Read::Wrong("fragmented control frame");
    }
    let Some(&second) = bytes.get(1) else { return Read::Incomplete };
    if control && second & 127 > 125 {
        return Read::Wrong("long control frame");
    }
    let width = match second & 127 {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if width == 8 && bytes.get(2).is_some_and(|byte| *byte >= 0x80) {
        return Read::Wrong("top bit of the length");
    }
    if bytes.len() < 2 + width {
        return Read::Incomplete;
    }
    let mut payload = u64::from(second & 127);
    if width > 0 {
        payload = bytes[2..2 + width].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if payload < [126, 0x1_0000][usize::from(width == 8)] {
            return Read::Wrong("not the shortest length");
        }
    }
    let mut length = 2 + width;
    let mut key = None;
    if second >= 0x80 {
        let Some(octets) = bytes.get(length..length + 4) else { return Read::Incomplete };
        key = Some([octets[0], octets[1], octets[2], octets[3]]);
        length += 4;
    }
    Read::Complete(Header { fin, rsv, opcode, key, payload, length })
}

/// "j = i MOD 4; transformed-octet-i = original-octet-i XOR masking-key-octet-j" (5.3)
pub fn masked(key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut octets = payload.to_vec();
    if let Some(key) = key {
        for (octet, of_key) in octets.iter_mut().zip(key.repeat(payload.len() / 4 + 1)) {
            *octet ^= of_key;
        }
    }
    octets
}

/// A frame in one piece, its length in the shortest form.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if key.is_some() { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..126 => bytes.push(mask | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(mask | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(mask | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(key.into_iter().flatten());
    bytes.extend(masked(key, payload));
    bytes
}

/// A whole frame, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What its header says.
    pub header: Header,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Reads all that one end sends and panics where it breaks the RFC.
#[derive(Debug)]
pub struct Monitor {
    client: bool,
    pending: Vec<u8>,
    /// Messages may be compressed.
    deflate: bool,
    /// The message in progress: whether it is plain text, and its bytes so far.
    message: Option<(bool, Vec<u8>)>,
    closed: bool,
    last_key: Option<[u8; 4]>,
}

impl Monitor {
    /// Watches a client or a server, with or without permessage-deflate.
    pub fn new(client: bool, deflate: bool) -> Self {
        Self { client, deflate, pending: Vec::new(), message: None, closed: false, last_key: None }
    }

    /// Whether a Close frame went out.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Whether the bytes so far end between two frames.
    pub fn at_boundary(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes what was sent: the frames that it completes.
    pub fn watch(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.pending.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut at = 0;
        loop {
            let header = match header(&self.pending[at..]) {
                Read::Complete(header) => header,
                Read::Incomplete => break,
                Read::Wrong(why) => panic!("sent {why}: {:x?}", &self.pending[at..]),
            };
            let start = at + header.length;
            let Some(payload) = self.pending.get(start..start + header.payload as usize) else {
                break;
            };
            at = start + payload.len();
            let payload = masked(header.key, payload);
            self.judge(&header, &payload);
            frames.push(Frame { header, payload });
        }
        self.pending.drain(..at);
        frames
    }

    fn judge(&mut self, header: &Header, payload: &[u8]) {
        assert!(!self.closed, "sent {header:?} after a Close frame (5.5.1)");
        let compressed = self.deflate && header.rsv == 4 && matches!(header.opcode, 1 | 2);
        assert!(header.rsv == 0 || compressed, "sent a reserved bit (5.2; RFC 7692, 6)");
        assert_eq!(header.key.is_some(), self.client, "only a client masks (5.1)");
        if self.client {
            assert_ne!(header.key, self.last_key, "sent two frames with one masking key (5.3)");
            self.last_key = header.key;
        }
        match header.opcode {
            8 => {
                self.closed = true;
                if let Some((code, reason)) = payload.split_first_chunk() {
                    let code = u16::from_be_bytes(*code);
                    assert!(
                        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
                        "sent close code {code} (7.4)"
                    );
                    std::str::from_utf8(reason).expect("sent a close reason in UTF-8 (5.5.1)");
                } else {
                    assert!(payload.is_empty(), "sent a Close frame of one byte (5.5.1)");
                }
            }
            9 | 10 => {}
            opcode => {
                match (opcode, &mut self.message) {
                    (0, Some((_, message))) => message.extend_from_slice(payload),
                    (1 | 2, none @ None) => {
                        *none = Some((opcode == 1 && !compressed, payload.to_vec()));
                    }
                    _ => panic!("sent fragments out of order (5.4): {header:?}"),
                }
                if header.fin
                    && let Some((true, text)) = self.message.take()
                {
                    std::str::from_utf8(&text).expect("sent text in UTF-8 (5.6)");
                }
            }
        }
    }
}
