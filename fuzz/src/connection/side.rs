//! One end: the connection, its buffers, and what is known of what it sent and must get.

use std::collections::VecDeque;
use std::time::Instant;

use sansock::{CloseCode, Compression, Connection, EncodedMessage, Event, Message, MessageKind, Outcome, ProtocolError, ReceiveBuffer, Role, SendBuffer, SendError, State, Timeout};
use sansock::deflate::DeflateConfig;
use sansock::frame::FrameHeader;
use sansock::handshake::Established;
use sansock::mask::MaskSource;

use super::script::{Act, Setup};
use crate::wire::{self, Monitor};

/// A message that was accepted for sending.
#[derive(Clone, Debug)]
struct Accepted {
    kind: MessageKind,
    bytes: Vec<u8>,
    /// The lengths of its frames, before compression.
    frames: Vec<usize>,
    /// Its frames are compressed.
    compressed: bool,
}

#[derive(Debug)]
pub(super) struct Side {
    pub(super) connection: Connection,
    pub(super) setup: Setup,
    deflate: Option<DeflateConfig>,
    input: ReceiveBuffer,
    pub(super) output: SendBuffer,
    /// Reads along what goes out.
    monitor: Monitor,
    /// Accepted and not delivered yet.
    sent: VecDeque<Accepted>,
    /// The fragments so far of the message that is being sent.
    fragments: Option<Accepted>,
    /// The pieces so far of the message that is arriving.
    pieces: Option<(MessageKind, Vec<u8>)>,
    /// Payloads of the Pings that went out.
    pings: VecDeque<Vec<u8>>,
    /// Payloads of the unasked Pongs that were accepted and not delivered yet.
    pongs: VecDeque<Vec<u8>>,
    /// The last Ping that it must answer.
    to_answer: Option<Vec<u8>>,
    /// The last Pong that answered a Ping of its own.
    answered: Option<Vec<u8>>,
    /// Counts what is sent, so that no two payloads are alike.
    count: usize,
    /// Since when a Close frame of its own is queued.
    close_queued: Option<Instant>,
    last_heard: Instant,
    /// What it sends does not arrive any more.
    pub(super) lost: bool,
    /// It learned that the other's way to it has ended.
    pub(super) saw_end: bool,
    /// It ended its own way to the other.
    pub(super) has_ended: bool,
    /// Both: the socket is gone.
    pub(super) has_left: bool,
    /// It failed or timed out: what it gets no longer matters.
    failed: bool,
    /// What it said took too long.
    expired: Option<Timeout>,
    now: Instant,
}

/// Keys that differ from frame to frame.
struct Keys(u32);

impl MaskSource for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_add(0x9E37_79B9);
        self.0.to_be_bytes()
    }
}

impl Side {
    pub(super) fn new(
        role: Role,
        setup: &Setup,
        deflate: Option<DeflateConfig>,
        now: Instant,
    ) -> Self {
        let mut established = Established::after_handshake(role, None);
        if let Some(config) = &deflate {
            established = established.with_deflate(config.as_negotiated());
        }
        Self {
            connection: established.connection_with(&setup.config(), Keys(0)),
            setup: *setup,
            input: ReceiveBuffer::new(),
            output: SendBuffer::new(),
            deflate,
            monitor: Monitor::new(role == Role::Client, deflate.is_some()),
            sent: VecDeque::new(),
            fragments: None,
            pieces: None,
            pings: VecDeque::new(),
            pongs: VecDeque::new(),
            to_answer: None,
            answered: None,
            count: 0,
            close_queued: None,
            last_heard: now,
            lost: false,
            saw_end: false,
            has_ended: false,
            has_left: false,
            failed: false,
            expired: None,
            now,
        }
    }

    /// Closed, and nothing more to be done with the transport.
    pub(super) fn is_over(&self) -> bool {
        self.connection.state() == State::Closed && self.has_ended && self.output.is_empty()
    }

    pub(super) fn perform(&mut self, act: Act) {
        let waiting = self.output.buffered_amount();
        let was = self.connection.state();
        let result = match act {
            Act::Send(kind, length) => self.send(kind, length, false),
            Act::Encoded(kind, length) => self.send(kind, length, true),
            Act::Fragment(kind, length, fin) => self.fragment(kind, length, fin, false),
            Act::Begin(kind, length, fin) => self.fragment(kind, length, fin, true),
            Act::Ping(length) => self.ping(length),
            Act::Pong(length) => self.pong(length),
            Act::Close { code, reason } => self.close(code, reason),
            Act::Release => {
                self.input.release();
                self.output.release();
                Ok(())
            }
            Act::Write(_) | Act::Read(_) | Act::Tick(_) | Act::Cut { .. } | Act::Silence => Ok(()),
        };
        let now = self.output.buffered_amount();
        let limited = !matches!(act, Act::Close { .. } | Act::Begin(..));
        if result.is_ok() && limited && now > waiting && waiting > 0 {
            // A header and some bytes more where compression makes a payload longer.
            let more = if self.deflate.is_some() { 64 } else { 0 };
            assert!(now <= self.setup.limits.buffered + more, "no more waits than may");
        }
        if result.is_err() {
            assert_eq!(now, waiting, "refused, so nothing was queued");
            assert_eq!(self.connection.state(), was, "refused, so nothing has changed");
        }
    }

    fn send(&mut self, kind: MessageKind, length: usize, encoded: bool) -> Result<(), SendError> {
        let payload = self.payload(kind, length);
        let due = self.refusal(self.fragments.is_some(), false, payload.len());
        // A server queues an encoded message with its header.
        let header = if encoded && self.connection.role() == Role::Server { 10 } else { 0 };
        let result = if encoded {
            let message = message(kind, &payload);
            let message = match &self.deflate {
                Some(config) => EncodedMessage::compressed(message, config),
                None => EncodedMessage::new(message),
            };
            self.connection.send_encoded(&message, &mut self.output)
        } else {
            let compression = [Compression::Auto, Compression::Always, Compression::Never];
            let message = message(kind, &payload).with(compression[self.count % 3]);
            self.connection.send(message, &mut self.output)
        };
        if header == 0 || self.output.is_empty() || due.is_some() {
            assert_eq!(result.err(), due);
        } else if let Err(error) = result {
            assert!(matches!(error, SendError::BufferFull { .. }), "{error:?}");
        }
        if result.is_ok() {
            let frames = vec![payload.len()];
            let compressed = self.deflate.is_some();
            self.sent.push_back(Accepted { kind, bytes: payload, frames, compressed });
        }
        result
    }

    /// A fragment, by `send_fragment` or by `begin`.
    fn fragment(
        &mut self,
        kind: MessageKind,
        length: usize,
        fin: bool,
        begin: bool,
    ) -> Result<(), SendError> {
        let payload = self.payload(kind, length);
        let other = self.fragments.as_ref().is_some_and(|begun| begun.kind != kind);
        // `begin` leaves it to the program how much waits, and cannot go on with a message that is
        // being compressed.
        let amid = begin && self.fragments.as_ref().is_some_and(|begun| begun.compressed);
        let due = self
            .refusal(amid, other, payload.len())
            .filter(|due| !begin || !matches!(due, SendError::BufferFull { .. }));
        let compressed = self.deflate.is_some() && !begin;
        let result = if begin {
            self.connection.begin(kind, fin, payload.len() as u64).map(|header| {
                self.output.extend_from_slice(&header.encode());
                self.output.extend_from_slice(&wire::masked(header.masking_key, &payload));
            })
        } else {
            self.connection.send_fragment(message(kind, &payload), fin, &mut self.output)
        };
        assert_eq!(result.is_err(), due.is_some(), "{result:?} {due:?}");
        if result.is_ok() {
            let begun = self.fragments.get_or_insert_with(|| Accepted {
                kind,
                bytes: Vec::new(),
                frames: Vec::new(),
                compressed,
            });
            begun.bytes.extend_from_slice(&payload);
            begun.frames.push(payload.len());
            if fin {
                self.sent.extend(self.fragments.take());
            }
        }
        result
    }

    fn ping(&mut self, length: usize) -> Result<(), SendError> {
        let payload = self.tagged(b'i', length);
        let due = self.refuses_control(&payload);
        let result = self.connection.ping(&payload, &mut self.output);
        assert_eq!(result.is_err(), due.is_some(), "{result:?} {due:?}");
        result
    }

    fn pong(&mut self, length: usize) -> Result<(), SendError> {
        let payload = self.tagged(b'o', length);
        let due = self.refuses_control(&payload);
        let result = self.connection.pong(&payload, &mut self.output);
        assert_eq!(result.is_err(), due.is_some(), "{result:?} {due:?}");
        if result.is_ok() {
            self.pongs.push_back(payload);
        }
        result
    }

    fn close(&mut self, code: Option<CloseCode>, reason: usize) -> Result<(), SendError> {
        let reason = "r".repeat(reason);
        let result = self.connection.close(code, &reason, &mut self.output);
        let refused = self.close_queued.is_some() || self.is_shut();
        let wrong = reason.len() > 123 || (code.is_none() && !reason.is_empty());
        assert_eq!(result.is_err(), refused || wrong, "{result:?}");
        if result.is_ok() {
            self.close_queued = Some(self.now);
        }
        result
    }

    /// Why a data frame must be refused.
    fn refusal(&self, in_message: bool, other: bool, length: usize) -> Option<SendError> {
        let limit = self.setup.limits.buffered;
        let waiting = self.output.buffered_amount();
        if self.close_queued.is_some() || self.is_shut() {
            Some(SendError::Closed)
        } else if in_message {
            Some(SendError::MessageInProgress)
        } else if other {
            Some(SendError::KindChanged)
        } else if waiting > 0 && waiting + FrameHeader::MAX_LEN + length > limit {
            Some(SendError::BufferFull { limit })
        } else {
            None
        }
    }

    fn refuses_control(&self, payload: &[u8]) -> Option<SendError> {
        let too_long = payload.len() > 125;
        self.refusal(false, false, payload.len())
            .or(too_long.then_some(SendError::ControlTooLong(payload.len())))
    }

    /// The transport ended before a Close frame was sent.
    fn is_shut(&self) -> bool {
        self.saw_end
    }

    /// A payload like no other, of about `length` bytes.
    fn payload(&mut self, kind: MessageKind, length: usize) -> Vec<u8> {
        self.count += 1;
        match kind {
            MessageKind::Binary => {
                let mut bytes: Vec<u8> = (0..=250).collect();
                bytes.rotate_left(self.count % 251);
                let mut bytes = bytes.repeat(length / 251 + 1);
                bytes.truncate(length);
                bytes
            }
            MessageKind::Text => {
                let mut characters = ['a', '\u{e9}', '\u{20ac}', '\u{1f600}', 'z', '\u{7ff}'];
                characters.rotate_left(self.count % 6);
                let mut text = String::from_iter(characters).repeat(length / 13 + 1);
                while text.len() > length {
                    text.pop();
                }
                text.into_bytes()
            }
        }
    }

    /// A payload of a Ping or Pong: a tag, so that the two are told apart, and a number.
    fn tagged(&mut self, tag: u8, length: usize) -> Vec<u8> {
        self.count += 1;
        let mut payload = vec![tag; length.max(6)];
        payload[1..5].copy_from_slice(&(self.count as u32).to_be_bytes());
        // Not of eight bytes, as those of keepalive are.
        if payload.len() == 8 {
            payload.push(tag);
        }
        payload
    }

    /// Takes at most so many bytes of the output.
    pub(super) fn take_output(&mut self, most: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        if most == usize::MAX {
            self.output.write_to(&mut taken).expect("a vector takes all");
        }
        while taken.len() < most && !self.output.is_empty() {
            let slice = self.output.as_slice();
            assert!(!slice.is_empty(), "as_slice is empty only if nothing waits");
            let n = slice.len().min(most - taken.len());
            taken.extend_from_slice(&slice[..n]);
            let waiting = self.output.buffered_amount();
            self.output.advance(n);
            assert_eq!(self.output.buffered_amount(), waiting - n);
        }
        for frame in self.monitor.watch(&taken) {
            match frame.header.opcode {
                9 => self.pings.push_back(frame.payload),
                8 => assert!(self.close_queued.is_some(), "a Close frame that nobody queued"),
                _ => {}
            }
        }
        taken
    }

    pub(super) fn receive_end(&mut self) {
        self.saw_end = true;
        self.connection.receive_eof();
        assert_eq!(self.connection.state(), State::Closed);
    }

    /// Takes bytes that the other has sent, and all events in them.
    pub(super) fn receive(&mut self, bytes: &[u8], peer: &mut Self, now: Instant) {
        self.now = now;
        self.last_heard = now;
        let mut rest = bytes;
        while !rest.is_empty() {
            self.input.read_from(&mut rest).expect("a slice gives all");
        }
        loop {
            let open = self.close_queued.is_none() && !self.is_shut();
            match self.connection.advance(&mut self.input, &mut self.output) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.fail(error, peer);
                    break;
                }
            }
            let event = self.input.event().expect("an event is due");
            match event {
                Event::Message(message) => {
                    assert!(self.pieces.is_none());
                    peer.delivered(message.kind(), message.as_bytes());
                }
                Event::Chunk { data, fin } => {
                    let (kind, bytes) =
                        self.pieces.get_or_insert_with(|| (data.kind(), Vec::new()));
                    assert_eq!(*kind, data.kind());
                    bytes.extend_from_slice(data.as_bytes());
                    if fin && let Some((kind, bytes)) = self.pieces.take() {
                        peer.delivered(kind, &bytes);
                    }
                }
                Event::Ping(payload) if open => self.to_answer = Some(payload.to_vec()),
                Event::Ping(_) => {}
                Event::Pong(payload) => {
                    let payload = payload.to_vec();
                    self.pong_arrived(payload, peer);
                }
                Event::Close(_) => {
                    self.close_queued.get_or_insert(now);
                    self.judge_close(peer);
                }
                other => panic!("an event that this harness does not know: {other:?}"),
            }
        }
    }

    /// A message of ours has arrived at the other end.
    fn delivered(&mut self, kind: MessageKind, bytes: &[u8]) {
        let sent = self.sent.pop_front().expect("delivered, so it was sent");
        assert_eq!(sent.kind, kind);
        assert!(sent.bytes == bytes, "delivered as it was sent, in order");
    }

    /// A Pong is one that the other end sent unasked, or answers a Ping of ours; answers may be left
    /// out, but stay in order.
    fn pong_arrived(&mut self, payload: Vec<u8>, peer: &mut Self) {
        if payload.first() == Some(&b'o') && payload.len() != 8 {
            assert_eq!(peer.pongs.pop_front(), Some(payload), "unasked Pongs arrive in order");
            return;
        }
        loop {
            let ping = self.pings.pop_front().expect("a Pong answers a Ping, and only once");
            if ping == payload {
                break;
            }
        }
        self.answered = Some(payload);
    }

    /// The other's Close frame: all that it had accepted came before it, and our last Ping that it
    /// read in time is answered.
    fn judge_close(&self, peer: &Self) {
        assert!(peer.close_queued.is_some());
        assert!(peer.sent.is_empty(), "lost before the Close frame: {:?}", peer.sent);
        assert!(peer.pongs.is_empty(), "Pongs lost before the Close frame");
        if !peer.failed {
            assert_eq!(self.answered, peer.to_answer, "the newest Ping is answered");
        }
    }

    /// The connection refused what the other sent: only a limit can be the reason.
    fn fail(&mut self, error: ProtocolError, peer: &Self) {
        self.close_queued.get_or_insert(self.now);
        self.failed = true;
        let next = peer.sent.front().or(peer.fragments.as_ref());
        let Accepted { frames, compressed, .. } =
            next.expect("failed, so a message was on the way");
        // Compressed frames may be a little longer.
        let more = if *compressed { 64 } else { 0 };
        let (limits, total) = (self.setup.limits, frames.iter().sum::<usize>() as u64);
        let longest = frames.iter().copied().max().unwrap_or_default() as u64;
        let due = match error {
            ProtocolError::FrameTooLarge { .. } => longest + more > limits.frame,
            ProtocolError::MessageTooLarge { .. } => total > limits.message,
            ProtocolError::TooManyFragments { .. } => frames.len() > limits.fragments as usize,
            _ => false,
        };
        assert!(due, "{error:?} for frames of {frames:?}");
        assert_eq!(self.connection.state(), State::Closed);
    }

    /// Tells the time if it is asked for, or in any case.
    pub(super) fn tell_time(&mut self, now: Instant, anyway: bool) {
        self.now = now;
        let due = |connection: &Connection| connection.poll_timeout().is_some_and(|at| at <= now);
        let mut told = 0;
        while due(&self.connection) || (anyway && told == 0) {
            told += 1;
            // A Ping or a Close, then the start of what that begins, then its end.
            assert!(told < 5, "asks for the same moment again and again");
            let was = self.connection.state();
            match self.connection.handle_timeout(now, &mut self.output) {
                Ok(()) => assert_eq!(self.expired, None, "every later call returns it again"),
                Err(timeout) => self.timed_out(timeout),
            }
            if was == State::Open && self.connection.state() != State::Open {
                self.close_queued.get_or_insert(now);
            }
        }
    }

    fn timed_out(&mut self, timeout: Timeout) {
        assert_eq!(self.connection.state(), State::Closed);
        assert_eq!(self.connection.poll_timeout(), None, "nothing is waited for any more");
        if self.expired.is_some() {
            assert_eq!(self.expired, Some(timeout), "every later call returns it again");
            return;
        }
        (self.failed, self.expired) = (true, Some(timeout));
        match timeout {
            Timeout::Closing => {
                let since = self.close_queued.expect("closing, so a Close frame was queued");
                assert!(Some(self.now - since) >= self.setup.closing);
            }
            Timeout::Keepalive => {
                let silent = self.now - self.last_heard;
                assert!(self.setup.keepalive.is_some_and(|it| silent >= it.timeout));
            }
            Timeout::Message => assert!(self.setup.message.is_some()),
            other => panic!("{other:?} after the handshake"),
        }
        self.close_queued.get_or_insert(self.now);
    }

    /// What must hold when all is over.
    pub(super) fn judge_end(&self) {
        let outcome = self.connection.outcome().expect("Closed, so there is an outcome");
        if let Outcome::Clean(_) = outcome {
            assert!(self.monitor.closed() || self.lost, "a clean end has two Close frames");
        }
        assert!(self.monitor.at_boundary(), "the last frame went out whole");
    }
}

fn message(kind: MessageKind, payload: &[u8]) -> Message<'_> {
    match kind {
        MessageKind::Binary => Message::Binary(payload),
        MessageKind::Text => Message::Text(std::str::from_utf8(payload).expect("made as text")),
    }
}
