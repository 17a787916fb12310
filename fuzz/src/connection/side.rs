//! One end: the connection, its buffers, and what is known of what it sent and must get.

use std::collections::VecDeque;
use std::time::Instant;

use sansock::deflate::DeflateConfig;
use sansock::frame::FrameHeader;
use sansock::handshake::Established;
use sansock::{
    CloseCode, Compression, Connection, EncodedMessage, Message, MessageKind, Outcome,
    ProtocolError, Role, SendError, State, Timeout,
};

use super::incoming::Incoming;
use super::rules::{Due, Rules};
use super::script::{Act, Setup};
use super::twin::{Arrived, Twin};
use crate::wire::Monitor;

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
    twin: Twin,
    rules: Rules,
    pub(super) setup: Setup,
    deflate: Option<DeflateConfig>,
    /// Reads along what goes out.
    monitor: Monitor,
    /// Reads along what comes in.
    incoming: Incoming,
    /// What was written from where it lies, and is not in the pipe yet.
    left: Vec<u8>,
    /// How many bytes the transport has taken.
    gone: u64,
    /// Accepted and not delivered yet.
    sent: VecDeque<Accepted>,
    /// The fragments so far of the message that is being sent.
    fragments: Option<Accepted>,
    /// The pieces so far of the message that is arriving.
    pieces: Option<(MessageKind, Vec<u8>)>,
    /// Payloads of the Pings that went out.
    pings: VecDeque<Vec<u8>>,
    /// Payloads of the keepalive Pings that are due and have not gone out yet.
    keepalive: VecDeque<[u8; 8]>,
    /// Payloads of the unasked Pongs that were accepted and not delivered yet.
    pongs: VecDeque<Vec<u8>>,
    /// The last Ping that it must answer.
    to_answer: Option<Vec<u8>>,
    /// The last Pong that answered a Ping of its own.
    answered: Option<Vec<u8>>,
    /// Counts what is sent, so that no two payloads are alike.
    count: usize,
    /// The Close frame that it must send: code and reason.
    close: Option<Vec<u8>>,
    /// What it sends does not arrive any more.
    pub(super) lost: bool,
    /// It learned that the other's way to it has ended.
    pub(super) saw_end: bool,
    /// It ended its own way to the other.
    pub(super) has_ended: bool,
    /// Both: the socket is gone.
    pub(super) has_left: bool,
    now: Instant,
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
            twin: Twin::new(&established, &setup.config()),
            rules: Rules::new(role, setup),
            setup: *setup,
            deflate,
            monitor: Monitor::new(role == Role::Client, deflate.is_some()),
            incoming: Incoming::default(),
            left: Vec::new(),
            gone: 0,
            sent: VecDeque::new(),
            fragments: None,
            pieces: None,
            pings: VecDeque::new(),
            keepalive: VecDeque::new(),
            pongs: VecDeque::new(),
            to_answer: None,
            answered: None,
            count: 0,
            close: None,
            lost: false,
            saw_end: false,
            has_ended: false,
            has_left: false,
            now,
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        self.twin.connection()
    }

    /// Whether nothing waits to go out.
    pub(super) fn has_written(&self) -> bool {
        self.twin.output().is_empty()
    }

    /// What the connection says of itself is what the rules say, and both halves agree.
    fn compare(&self) {
        self.twin.compare();
        let connection = self.connection();
        assert_eq!(connection.state(), self.rules.state());
        assert_eq!(connection.outcome(), self.rules.outcome());
        assert_eq!(connection.teardown(), self.rules.teardown());
        assert_eq!(connection.poll_timeout(), self.rules.poll());
    }

    pub(super) fn perform(&mut self, act: Act) {
        let waiting = self.waiting();
        let was = self.connection().state();
        let result = match act {
            Act::Send(kind, length) => self.send(kind, length, false, None),
            Act::Encoded(kind, length) => self.send(kind, length, true, None),
            Act::InPlace { kind, length, encoded, writes } => {
                self.send(kind, length, encoded, Some(writes))
            }
            Act::Fragment(kind, length, fin) => self.fragment(kind, length, fin),
            Act::Ping(length) => self.ping(length),
            Act::Pong(length) => self.pong(length),
            Act::Close { code, reason } => self.close(code, reason),
            Act::Release => {
                self.twin.release();
                Ok(())
            }
            Act::NoteUnread => {
                self.twin.note_unread();
                self.rules.does_not_read();
                Ok(())
            }
            Act::Write { .. } | Act::Read { .. } | Act::Tick { .. } => Ok(()),
            Act::Cut { .. } | Act::Silence => Ok(()),
        };
        let now = self.waiting();
        let limited = !matches!(act, Act::Close { .. });
        if result.is_ok() && limited && now > waiting && waiting > 0 {
            // A header and some bytes more where compression makes a payload longer.
            let more = if self.deflate.is_some() { 64 } else { 0 };
            assert!(now <= self.setup.limits.buffered + more, "no more waits than may");
        }
        if result.is_err() {
            assert_eq!(now, waiting, "refused, so nothing was queued");
            assert_eq!(self.connection().state(), was, "refused, so nothing has changed");
        }
        self.compare();
    }

    fn waiting(&self) -> usize {
        self.twin.output().buffered_amount()
    }

    fn send(
        &mut self,
        kind: MessageKind,
        length: usize,
        encoded: bool,
        in_place: Option<&[usize]>,
    ) -> Result<(), SendError> {
        let payload = self.payload(kind, length);
        let due = self.refusal(self.fragments.is_some(), false, payload.len());
        // A server queues an encoded message with its header.
        let header = if encoded && self.connection().role() == Role::Server { 10 } else { 0 };
        let was_empty = self.has_written();
        let result = if encoded {
            let message = message(kind, &payload);
            let message = match &self.deflate {
                Some(config) => EncodedMessage::compressed(message, config),
                None => EncodedMessage::new(message),
            };
            self.twin.send_encoded(&message, in_place)
        } else {
            let compression = [Compression::Auto, Compression::Always, Compression::Never];
            let message = message(kind, &payload).with_compression(compression[self.count % 3]);
            self.twin.send(message, in_place)
        };
        if header == 0 || was_empty || due.is_some() {
            assert_eq!(result.as_ref().err(), due.as_ref());
        } else if let Err(error) = &result {
            assert!(matches!(error, SendError::BufferFull { .. }), "{error:?}");
        }
        let left = result?;
        self.gone += left.len() as u64;
        self.left.extend(left);
        self.rules.sent();
        let frames = vec![payload.len()];
        let compressed = self.deflate.is_some();
        self.sent.push_back(Accepted { kind, bytes: payload, frames, compressed });
        Ok(())
    }

    fn fragment(&mut self, kind: MessageKind, length: usize, fin: bool) -> Result<(), SendError> {
        let payload = self.payload(kind, length);
        let other = self.fragments.as_ref().is_some_and(|begun| begun.kind != kind);
        let due = self.refusal(false, other, payload.len());
        let result = self.twin.send_fragment(message(kind, &payload).into(), fin);
        assert_eq!(result.is_err(), due.is_some(), "{result:?} {due:?}");
        if result.is_ok() {
            self.rules.sent();
            let begun = self.fragments.get_or_insert_with(|| Accepted {
                kind,
                bytes: Vec::new(),
                frames: Vec::new(),
                compressed: self.deflate.is_some(),
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
        let result = self.twin.ping(&payload);
        assert_eq!(result.is_err(), due.is_some(), "{result:?} {due:?}");
        result
    }

    fn pong(&mut self, length: usize) -> Result<(), SendError> {
        let payload = self.tagged(b'o', length);
        let due = self.refuses_control(&payload);
        let result = self.twin.pong(&payload);
        assert_eq!(result.is_err(), due.is_some(), "{result:?} {due:?}");
        if result.is_ok() {
            self.pongs.push_back(payload);
        }
        result
    }

    fn close(&mut self, code: Option<CloseCode>, reason: usize) -> Result<(), SendError> {
        let reason = "r".repeat(reason);
        let result = self.twin.close(code, &reason);
        let refused = self.rules.is_closing();
        let wrong = reason.len() > 123 || (code.is_none() && !reason.is_empty());
        assert_eq!(result.is_err(), refused || wrong, "{result:?}");
        if result.is_ok() {
            self.must_close(code, &reason);
            self.rules.close();
        }
        result
    }

    /// A Close frame with this must go out, unless one was queued or the transport has ended.
    fn must_close(&mut self, code: Option<CloseCode>, reason: &str) {
        if !self.rules.is_closing() {
            let code = code.map(|code| code.get().to_be_bytes());
            self.close =
                Some([code.as_ref().map_or(&[][..], |code| code), reason.as_bytes()].concat());
        }
    }

    /// Why a data frame must be refused.
    fn refusal(&self, in_message: bool, other: bool, length: usize) -> Option<SendError> {
        let limit = self.setup.limits.buffered;
        let waiting = self.waiting();
        let full = waiting > 0 && waiting + FrameHeader::MAX_LEN + length > limit;
        let full = full.then_some(SendError::BufferFull { limit });
        assert_eq!(self.connection().check_room(length, waiting).err(), full);
        if self.rules.is_closing() {
            Some(SendError::Closed)
        } else if in_message {
            Some(SendError::MessageInProgress)
        } else if other {
            Some(SendError::KindChanged)
        } else {
            full
        }
    }

    fn refuses_control(&self, payload: &[u8]) -> Option<SendError> {
        let too_long = payload.len() > 125;
        self.refusal(false, false, payload.len())
            .or(too_long.then_some(SendError::ControlTooLong(payload.len())))
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

    /// Takes at most so many bytes of the output, behind those that have left already.
    pub(super) fn take_output(&mut self, most: usize) -> Vec<u8> {
        let mut taken = std::mem::take(&mut self.left);
        let more = self.twin.take_output(most);
        self.gone += more.len() as u64;
        taken.extend(more);
        for frame in self.monitor.watch(&taken) {
            match frame.header.opcode {
                9 => {
                    if frame.payload.len() == 8 {
                        let due = self.keepalive.pop_front().map(Vec::from);
                        assert_eq!(due.as_ref(), Some(&frame.payload), "a Ping that was not due");
                    }
                    self.pings.push_back(frame.payload);
                }
                8 => assert_eq!(self.close.as_ref(), Some(&frame.payload), "the Close frame due"),
                _ => {}
            }
        }
        self.compare();
        taken
    }

    pub(super) fn receive_end(&mut self) {
        self.saw_end = true;
        self.twin.receive_eof();
        self.rules.receive_end();
        self.compare();
    }

    /// Takes bytes that the other has sent.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.twin.feed(bytes);
        self.incoming.feed(bytes);
    }

    /// Takes all events of what has arrived, or one: whether there was any.
    pub(super) fn take_events(&mut self, peer: &mut Self, one: bool) -> bool {
        let mut any = false;
        loop {
            let step = self.twin.advance();
            for event in step.discarded {
                assert!(self.rules.is_closing() && !self.setup.messages_after_close);
                self.rules.does_not_read();
                self.take_event(event, peer);
                any = true;
            }
            let mut done = one;
            match step.event {
                Ok(Some(event)) => {
                    self.rules.does_not_read();
                    self.take_event(event, peer);
                    any = true;
                }
                Ok(None) => {
                    self.rules.waits(self.incoming.take());
                    done = true;
                }
                Err(error) => {
                    self.fail(error, peer);
                    self.rules.waits(self.incoming.take());
                    done = true;
                }
            }
            self.compare();
            if done {
                return any;
            }
        }
    }

    fn take_event(&mut self, event: Arrived, peer: &mut Self) {
        match event {
            Arrived::Message(kind, bytes) => {
                assert!(self.pieces.is_none());
                peer.delivered(kind, &bytes);
            }
            Arrived::Chunk(kind, data, fin) => {
                let (begun, bytes) = self.pieces.get_or_insert_with(|| (kind, Vec::new()));
                assert_eq!(*begun, kind);
                bytes.extend_from_slice(&data);
                if fin && let Some((kind, bytes)) = self.pieces.take() {
                    peer.delivered(kind, &bytes);
                }
            }
            Arrived::Ping(payload) => {
                if !self.rules.is_closing() {
                    self.to_answer = Some(payload);
                }
            }
            Arrived::Pong(payload) => self.pong_arrived(payload, peer),
            Arrived::Close(code, reason) => {
                self.must_close(code, "");
                self.rules.closed_by_peer(code, &reason);
                self.judge_close(peer);
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
        assert!(peer.close.is_some());
        assert!(peer.sent.is_empty(), "lost before the Close frame: {:?}", peer.sent);
        assert!(peer.pongs.is_empty(), "Pongs lost before the Close frame");
        if !matches!(peer.rules.outcome(), Some(Outcome::Failed(_) | Outcome::TimedOut(_))) {
            assert_eq!(self.answered, peer.to_answer, "the newest Ping is answered");
        }
    }

    /// The connection refused what the other sent: only a limit can be the reason.
    fn fail(&mut self, error: ProtocolError, peer: &Self) {
        if self.rules.outcome().is_some() {
            // The error of before, once more; or one behind another end.
            return self.rules.fail(error);
        }
        self.must_close(Some(error.close_code()), "");
        self.rules.fail(error);
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
    }

    /// Tells the time if it is asked for, or in any case.
    pub(super) fn tell_time(&mut self, now: Instant, anyway: bool) {
        self.now = now;
        let mut told = 0;
        while self.connection().poll_timeout().is_some_and(|at| at <= now) || (anyway && told == 0)
        {
            told += 1;
            // A Ping or a Close, then the start of what that begins, then its end.
            assert!(told < 5, "asks for the same moment again and again");
            self.look();
        }
    }

    /// One look at the time: what comes of it is what the rules say.
    fn look(&mut self) {
        let open = !self.rules.is_closing();
        let full = self.refusal(false, false, 8).is_some();
        let waits = self.waiting() as u64;
        let result = self.twin.look(self.now);
        let (ended, code) = match self.rules.look(self.now, self.gone, waits, full) {
            Due::Nothing => (None, None),
            Due::Ping(payload) => {
                // Its header and, of a client, its key: nothing else is queued.
                let length = if self.connection().role() == Role::Client { 14 } else { 10 };
                assert_eq!(self.waiting() as u64, waits + length, "the Ping is queued");
                self.keepalive.push_back(payload);
                (None, None)
            }
            Due::Idle => (None, Some(CloseCode::GOING_AWAY)),
            Due::Expired(timeout, code) => (Some(timeout), Some(code)),
        };
        if let Some(code) = code.filter(|_| open) {
            self.close = Some(code.get().to_be_bytes().to_vec());
        }
        let over: Option<Timeout> = match self.rules.outcome() {
            Some(&Outcome::TimedOut(timeout)) => Some(timeout),
            _ => None,
        };
        assert!(ended.is_none() || ended == over);
        assert_eq!(result.err(), over, "every later call returns it again");
        self.compare();
    }

    /// What must hold when all is over.
    pub(super) fn judge_end(&self) {
        assert_eq!(self.connection().state(), State::Closed);
        let outcome = self.connection().outcome().expect("Closed, so there is an outcome");
        if self.lost {
            return;
        }
        if self.close.is_some() {
            assert!(self.monitor.closed(), "the Close frame went out");
        } else {
            assert_eq!(outcome, &Outcome::Abnormal, "another end has two Close frames");
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
