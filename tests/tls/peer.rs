//! The other end, with rustls in hand: every byte of every record can be sent or held back.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use sansock::handshake::Established;
use sansock::net::tls::rustls::crypto::ring;
use sansock::net::tls::rustls::pki_types::pem::PemObject;
use sansock::net::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sansock::net::tls::rustls::{
    ServerConfig, ServerConnection, SupportedProtocolVersion, version,
};
use sansock::net::{Stream, WebSocket};
use sansock::{Config, ReceiveBuffer, Role, SendBuffer, Timeouts};

use crate::certificates::ours;
use crate::common::{TIMEOUT, tcp_pair, within};

/// A server's end.
pub(crate) struct Peer {
    pub(crate) tcp: TcpStream,
    pub(crate) tls: ServerConnection,
}

impl Peer {
    /// A client of ours, its opening handshake done, and this at the other end.
    pub(crate) fn with_client(config: &Config) -> (WebSocket, Self) {
        Self::with_client_in(&version::TLS13, config)
    }

    pub(crate) fn with_client_in(
        version: &'static SupportedProtocolVersion,
        config: &Config,
    ) -> (WebSocket, Self) {
        let (ours, tcp) = tcp_pair();
        let server = std::thread::spawn(move || Self::accept(tcp, version));
        let stream =
            crate::ours().connector().connect(ours, "localhost", &Timeouts::new()).unwrap();
        let peer = within(TIMEOUT, move || server.join().unwrap());
        (websocket(stream, Role::Client, config), peer)
    }

    pub(crate) fn accept(mut tcp: TcpStream, version: &'static SupportedProtocolVersion) -> Self {
        let identity = ours().server();
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).unwrap();
        }
        while tls.wants_write() {
            tls.write_tls(&mut tcp).unwrap();
        }
        Self { tcp, tls }
    }

    /// The records of this plaintext.
    pub(crate) fn records(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut records = Vec::new();
        self.tls.set_buffer_limit(None);
        self.tls.writer().write_all(plaintext).unwrap();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        records
    }

    pub(crate) fn send(&mut self, plaintext: &[u8]) {
        let records = self.records(plaintext);
        self.tcp.write_all(&records).unwrap();
    }

    pub(crate) fn send_close_notify(&mut self) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp).unwrap();
        }
    }

    /// Reads the request of an opening handshake to its end.
    pub(crate) fn read_request(&mut self) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.extend(self.read(1));
        }
    }

    /// Reads `n` bytes of plaintext, or fewer if `close_notify` comes before.
    pub(crate) fn read(&mut self, n: usize) -> Vec<u8> {
        let mut plaintext = vec![0; n];
        let mut filled = 0;
        while filled < n {
            match self.tls.reader().read(&mut plaintext[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.tls.read_tls(&mut self.tcp).unwrap();
                    self.tls.process_new_packets().unwrap();
                }
                Err(error) => panic!("{error} after {filled} bytes"),
            }
        }
        plaintext.truncate(filled);
        plaintext
    }
}

pub(crate) fn websocket(stream: Stream, role: Role, config: &Config) -> WebSocket {
    let connection = Established::after_handshake(role, None).connection(config);
    WebSocket::new(stream, connection, ReceiveBuffer::new(), SendBuffer::new()).unwrap()
}
