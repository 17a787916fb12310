//! The buffers for encrypted bytes between the stream and the session.

use std::io::{self, IoSlice, Write as _};
use std::sync::Mutex;

use rustls::Connection;

use super::error::TlsError;
use crate::net::blocking::is_would_block;
use crate::net::lock::lock;
use crate::net::wire::Wire;

/// How much one read takes at first ...
const LEAST: usize = 4 << 10;
/// ... and at most, if reads fill the buffer.
const MOST: usize = 64 << 10;

/// Bytes that have arrived and that the session has not processed yet.
#[derive(Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Whether the stream has ended.
    ended: bool,
    /// Whether the session knows that.
    end_given: bool,
    failed: Option<TlsError>,
}

impl Received {
    /// Reads once. The session must have processed everything that arrived before.
    pub(super) fn read_from(&mut self, wire: &dyn Wire) -> io::Result<()> {
        if self.end == self.bytes.len() {
            let size = self.bytes.len().saturating_mul(4).clamp(LEAST, MOST);
            self.bytes.resize(size, 0);
        }
        (self.start, self.end) = (0, 0);
        let result = wire.read_once(&mut self.bytes);
        match &result {
            Ok(n) => self.end = *n,
            // A connection that waits for a long time needs no buffer for a burst.
            Err(error) if is_would_block(error) => self.bytes = Vec::new(),
            Err(_) => {}
        }
        self.ended |= matches!(result, Ok(0));
        result.map(drop)
    }

    /// Gives the session as much as it takes, and lets it process that. Returns `false` if there is
    /// nothing to give.
    ///
    /// The session must have no plaintext left.
    pub(super) fn give(&mut self, tls: &mut Connection) -> Result<bool, TlsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let give_end = self.ended && !std::mem::replace(&mut self.end_given, self.ended);
        let mut bytes = self.bytes.get(self.start..self.end).unwrap_or_default();
        if bytes.is_empty() && !give_end {
            return Ok(false);
        }
        let given = tls.read_tls(&mut bytes).map_err(TlsError::from_io);
        let processed = given.and_then(|n| {
            self.start = self.start.saturating_add(n);
            Ok(tls.process_new_packets().map(drop)?)
        });
        if let Err(error) = &processed {
            self.failed = Some(error.clone());
        }
        processed.map(|()| true)
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The first byte that has not been processed.
    pub(super) fn first(&self) -> Option<u8> {
        self.bytes.get(self.start..self.end)?.first().copied()
    }
}

/// Records that have been made and not yet written. The thread that holds its lock may write to the
/// stream.
#[derive(Default)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    start: usize,
    /// How many bytes of plaintext in these records no write has reported yet.
    unreported: usize,
    /// Whether `close_notify` was sent.
    ended: bool,
}

impl Unsent {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len() && self.unreported == 0
    }

    /// How many bytes have not been written.
    fn waiting(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Takes the records that the session has made.
    pub(super) fn take(&mut self, tls: &mut Connection) -> io::Result<()> {
        while tls.wants_write() {
            tls.write_tls(&mut self.bytes)?;
        }
        Ok(())
    }

    /// Encrypts and writes, as [`Write::write_vectored`]. Encryption cannot be undone, but
    /// plaintext counts as written only when its records are: after [`io::ErrorKind::WouldBlock`]
    /// the caller must pass the same bytes again. The first byte counts at once, so that the send
    /// buffer knows that this frame has begun and does not replace a waiting Pong.
    pub(super) fn write(
        &mut self,
        wire: &dyn Wire,
        tls: &Mutex<Connection>,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let fresh = self.unreported == 0;
        if fresh {
            self.send(wire)?;
            self.unreported = self.encrypt(tls, slices)?;
        }
        let waiting = self.waiting();
        let written = match self.send(wire) {
            Ok(()) => self.unreported,
            Err(error) if is_would_block(&error) => {
                let sent = waiting.saturating_sub(self.waiting());
                // The last byte counts when all records are written.
                match sent.max(fresh.into()).min(self.unreported.saturating_sub(1)) {
                    0 => return Err(error),
                    n => n,
                }
            }
            Err(error) => return Err(error),
        };
        let offered = slices.iter().map(|slice| slice.len()).sum();
        let written = written.min(offered);
        self.unreported = self.unreported.saturating_sub(written);
        Ok(written)
    }

    /// Makes records. Returns how many bytes of plaintext they contain.
    pub(super) fn encrypt(
        &mut self,
        tls: &Mutex<Connection>,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if self.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut tls = lock(tls);
        let n = tls.writer().write_vectored(slices).map_err(TlsError::from_io)?;
        self.take(&mut tls)?;
        Ok(n)
    }

    /// Writes all records.
    pub(super) fn send(&mut self, wire: &dyn Wire) -> io::Result<()> {
        self.send_as_is(wire, &[])
    }

    /// Writes all records, and then `bytes` without encryption.
    pub(super) fn send_as_is(&mut self, wire: &dyn Wire, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        while let Some(bytes) = self.bytes.get(self.start..).filter(|bytes| !bytes.is_empty()) {
            match wire.write_once(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.start = self.start.saturating_add(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.start = 0;
        self.bytes.clear();
        if self.bytes.capacity() > MOST {
            self.bytes = Vec::new();
        }
        Ok(())
    }

    /// Makes every later write fail.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::*;
    use crate::net::tls::{any_certificate::AnyCertificate, provider::provider};

    /// A client and a server after their handshake.
    fn pair() -> (Connection, Connection) {
        // A self-signed certificate and its key, of no use elsewhere.
        let pem = include_bytes!("localhost.pem");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
            .with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let mut client = Connection::from(ClientConnection::new(Arc::new(client), name).unwrap());
        let mut server = Connection::from(ServerConnection::new(Arc::new(server)).unwrap());
        while client.is_handshaking() || server.is_handshaking() {
            transfer(&mut client, &mut server);
            transfer(&mut server, &mut client);
        }
        (client, server)
    }

    fn transfer(from: &mut Connection, to: &mut Connection) {
        let mut records = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut records).unwrap();
        }
        give(&records, to);
    }

    fn give(mut records: &[u8], to: &mut Connection) {
        while !records.is_empty() {
            to.read_tls(&mut records).unwrap();
            to.process_new_packets().unwrap();
        }
    }

    /// A stream whose buffers are full, its peer, and how many bytes the peer must read before it
    /// takes more.
    fn full() -> (TcpStream, TcpStream, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut filled = 0;
        while let Ok(n) = (&ours).write(&[0; 16 << 10]) {
            filled += n;
        }
        (ours, theirs, filled)
    }

    #[test]
    fn what_is_encrypted_is_written_once_however_often_it_comes() {
        let (client, mut server) = pair();
        let (tcp, mut peer, filled) = full();
        let (tls, mut unsent) = (Mutex::new(client), Unsent::default());
        let slices = [IoSlice::new(b"Hello, "), IoSlice::new(b"world")];
        // One byte shows that the message is encrypted; the others count when it is written.
        assert_eq!(unsent.write(&&tcp, &tls, &slices).unwrap(), 1);
        for _ in 0..3 {
            let error = unsent.write(&&tcp, &tls, &[IoSlice::new(b"ello, world")]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
        peer.read_exact(&mut vec![0; filled]).unwrap();
        tcp.set_nonblocking(false).unwrap();
        assert_eq!(unsent.write(&&tcp, &tls, &[IoSlice::new(b"ello, world")]).unwrap(), 11);
        assert!(unsent.is_empty());
        assert_eq!(unsent.write(&&tcp, &tls, &[IoSlice::new(b"!")]).unwrap(), 1);
        drop(tcp);
        let mut records = Vec::new();
        peer.read_to_end(&mut records).unwrap();
        give(&records, &mut server);
        let mut plaintext = [0; 13];
        server.reader().read_exact(&mut plaintext).unwrap();
        assert_eq!(&plaintext, b"Hello, world!");
    }
}
