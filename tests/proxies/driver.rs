//! The three that connect: all of them pass the same tests.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sansock::dial::Proxies;
use sansock::net::tls::Connector;
use sansock::net::{self, Error};
use sansock::web::{self, Data, PortPolicy, WebSocket};
use sansock::{CloseCode, Config, Timeouts};

use crate::certificates::ours;
use crate::fake::Fake;
use crate::origin::{ORIGIN, Origin, PROXY, of_proxies};

/// The most that anything here may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

/// What a client is told.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) url: String,
    pub(crate) proxies: Proxies,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) timeouts: Timeouts,
    pub(crate) connect_timeout: Duration,
    /// The addresses of the proxy. For other names the lookup fails.
    pub(crate) proxy_addresses: Vec<SocketAddr>,
    /// Whether the server's name may be looked up here.
    pub(crate) resolves_origin: bool,
    pub(crate) proxy_tls: Connector,
}

impl Dial {
    pub(crate) fn new(origin: &Origin, fake: &Fake, proxies: impl Into<Proxies>) -> Self {
        Self {
            url: origin.url(),
            proxies: proxies.into(),
            headers: Vec::new(),
            timeouts: Timeouts::new(),
            connect_timeout: TIMEOUT,
            proxy_addresses: vec![fake.address],
            resolves_origin: false,
            proxy_tls: of_proxies().connector(),
        }
    }

    fn lookup(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        match host {
            PROXY => Ok(self.proxy_addresses.clone()),
            ORIGIN if self.resolves_origin => Ok(vec![([127, 0, 0, 1], port).into()]),
            host => Err(std::io::Error::other(format!("{host} is not to be looked up"))),
        }
    }

    pub(crate) fn blocking(&self) -> net::Client {
        let mut client = net::Client::new(&self.url).unwrap();
        for (name, value) in &self.headers {
            client = client.header(*name, *value);
        }
        self.set(client)
    }

    fn set(&self, client: net::Client) -> net::Client {
        let lookup = self.clone();
        client
            .proxy(self.proxies.clone())
            .proxy_tls(self.proxy_tls.clone())
            .tls(ours().connector())
            .config(Config::new().timeouts(self.timeouts))
            .connect_timeout(self.connect_timeout)
            .resolver(move |host, port| lookup.lookup(host, port))
    }

    pub(crate) fn asynchronous(&self) -> sansock_tokio::Client {
        let mut client = sansock_tokio::Client::new(&self.url).unwrap();
        for (name, value) in &self.headers {
            client = client.header(*name, *value);
        }
        let lookup = self.clone();
        client
            .proxy(self.proxies.clone())
            .proxy_tls(self.proxy_tls.clone())
            .tls(ours().connector())
            .config(Config::new().timeouts(self.timeouts))
            .connect_timeout(self.connect_timeout)
            .resolver(move |host, port| {
                let found = lookup.lookup(&host, port);
                async move { found }
            })
    }
}

pub(crate) trait Driver {
    /// Connects, has a short and a long message echoed, and closes.
    fn talk(dial: &Dial) -> Result<(), Arc<Error>>;
}

pub(crate) struct Blocking;
pub(crate) struct Asynchronous;
pub(crate) struct Web;

/// Longer than what one record, or one read, takes.
fn long() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(300_000).collect()
}

impl Driver for Blocking {
    fn talk(dial: &Dial) -> Result<(), Arc<Error>> {
        let client = dial.blocking();
        within(TIMEOUT, move || {
            let mut socket = client.connect()?;
            for message in [b"Hello".to_vec(), long()] {
                socket.send(&*message)?;
                assert_eq!(socket.next_message()?.unwrap().as_bytes(), message);
            }
            let outcome = socket.close(CloseCode::NORMAL, "")?;
            assert_eq!((outcome.was_clean(), outcome.code()), (true, 1000));
            Ok(())
        })
        .map_err(Arc::new)
    }
}

impl Driver for Asynchronous {
    fn talk(dial: &Dial) -> Result<(), Arc<Error>> {
        let client = dial.asynchronous();
        let talk = async move {
            let mut socket = client.connect().await?;
            for message in [b"Hello".to_vec(), long()] {
                socket.send(&*message).await?;
                assert_eq!(socket.next_message().await?.unwrap().as_bytes(), message);
            }
            let outcome = socket.close(CloseCode::NORMAL, "").await?;
            assert_eq!((outcome.was_clean(), outcome.code()), (true, 1000));
            Ok(())
        };
        run(talk).map_err(Arc::new)
    }
}

impl Driver for Web {
    fn talk(dial: &Dial) -> Result<(), Arc<Error>> {
        let mut builder = WebSocket::builder(&dial.url).unwrap().ports(PortPolicy::Any);
        for (name, value) in &dial.headers {
            builder = builder.header(*name, *value);
        }
        let socket = builder.client(|client| dial.set(client)).open().unwrap();
        let events = socket.events();
        let mut messages = [b"Hello".to_vec(), long()].into_iter();
        let mut waiting = None;
        loop {
            match events.recv_timeout(TIMEOUT) {
                Some(web::Event::Open(_)) => waiting = messages.next(),
                Some(web::Event::Message(message)) => {
                    assert_eq!(message.data, Data::Binary(waiting.unwrap().into()));
                    waiting = messages.next();
                }
                Some(web::Event::Error(error)) => return Err(error.cause.unwrap()),
                Some(web::Event::Close(close)) => {
                    assert_eq!((close.was_clean, close.code), (true, 1000));
                    return Ok(());
                }
                event => panic!("{event:?}"),
            }
            match &waiting {
                Some(message) => socket.send(&**message).unwrap(),
                None => socket.close_with(1000, "").unwrap(),
            }
        }
    }
}

/// On a runtime of its own.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(TIMEOUT, future).await.unwrap() })
}

/// Fails the test if `work` has not ended in time.
pub(crate) fn within<T: Send + 'static>(
    time: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, waiting) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = work();
        let _ = done.send(());
        result
    });
    let waited = waiting.recv_timeout(time);
    assert_ne!(waited, Err(mpsc::RecvTimeoutError::Timeout), "not done after {time:?}");
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
