//! The server behind the proxy, and the names of both.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::thread;

use sansock::net::{Server, ServerHandle};

use crate::certificates::{Authority, ours, params};

/// The name that only the proxy, or the resolver of the client, knows.
pub(crate) const ORIGIN: &str = "origin.test";
pub(crate) const PROXY: &str = "proxy.test";

/// Issues the proxy's certificate: a client that trusts the server's must not trust it for that.
pub(crate) fn of_proxies() -> &'static Authority {
    static OF_PROXIES: OnceLock<Authority> = OnceLock::new();
    OF_PROXIES.get_or_init(Authority::new)
}

/// A server that echoes, and shows the headers of its requests.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    is_secure: bool,
    heads: Receiver<String>,
    handle: ServerHandle,
}

impl Origin {
    pub(crate) fn start(is_secure: bool) -> Self {
        let mut server = Server::bind("127.0.0.1:0").unwrap();
        if is_secure {
            server = server.tls(ours().issue(&params(&[ORIGIN])).acceptor());
        }
        let (address, handle) = (server.local_addr(), server.handle());
        let (show, heads) = mpsc::channel();
        thread::spawn(move || {
            server.run(move |incoming| {
                let _ = show.send(format!("{:?}", incoming.request().headers()));
                let mut socket = incoming.accept()?;
                while let Some((event, outgoing)) = socket.exchange()? {
                    if let sansock::Event::Message(message) = event {
                        outgoing.queue(message)?;
                    }
                }
                Ok(())
            })
        });
        Self { address, is_secure, heads, handle }
    }

    /// Its URL, by name.
    pub(crate) fn url(&self) -> String {
        let s = if self.is_secure { "s" } else { "" };
        format!("ws{s}://{ORIGIN}:{}/chat", self.address.port())
    }

    /// The headers of the request that came last.
    pub(crate) fn head(&self) -> String {
        self.heads.recv().unwrap()
    }

    /// Whether no request has come since the last call of `head`.
    pub(crate) fn is_untouched(&self) -> bool {
        self.heads.try_recv().is_err()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// A listener whose backlog is full: the system answers nothing.
pub(crate) fn silent() -> (SocketAddr, impl Sized) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut backlog = Vec::new();
    let time = std::time::Duration::from_millis(200);
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, time) {
        backlog.push(stream);
        assert!(backlog.len() < 20_000);
    }
    (address, Arc::new((listener, backlog)))
}

pub(crate) fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
