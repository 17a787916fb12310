//! Proxies in this process: one of each protocol that works, and ones that do as they are told.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use sansock::Timeouts;
use sansock::dial::{Proxy, ProxyScheme};
use sansock::net::tls::Acceptor;
use sansock::net::{Stream, Transport as _};

use crate::certificates::params;
use crate::origin::{ORIGIN, PROXY, of_proxies};

pub(crate) const USER: &str = "Aladdin";
pub(crate) const PASSWORD: &str = "open:sesame";

/// A proxy, and what clients have said to it.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    scheme: ProxyScheme,
    said: Receiver<Vec<u8>>,
}

impl Fake {
    /// One that works. It resolves the server's name, and every other, to 127.0.0.1. If
    /// `wants_password`, it serves [`USER`] alone.
    pub(crate) fn start(scheme: ProxyScheme, wants_password: bool) -> Self {
        let acceptor = matches!(scheme, ProxyScheme::Https).then(acceptor);
        Self::that(scheme, move |tcp, said| {
            let mut stream = match &acceptor {
                None => Stream::from(tcp),
                Some(acceptor) => {
                    acceptor.accept(tcp, &Timeouts::new()).map_err(io::Error::other)?
                }
            };
            let mut heard = Heard { stream: stream.clone(), bytes: Vec::new() };
            let opened = match scheme {
                ProxyScheme::Http | ProxyScheme::Https => http(&mut heard, wants_password),
                ProxyScheme::Socks4a => socks4a(&mut heard),
                _ => socks5(&mut heard, wants_password),
            };
            let _ = said.send(heard.bytes);
            if let Some(server) = opened? {
                pump(&mut stream, server)?;
            }
            Ok(())
        })
    }

    /// One that does this with each client, on a thread of its own.
    pub(crate) fn that<F>(scheme: ProxyScheme, serve: F) -> Self
    where
        F: Fn(TcpStream, Sender<Vec<u8>>) -> io::Result<()> + Clone + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (say, said) = mpsc::channel();
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let (serve, say) = (serve.clone(), say.clone());
                thread::spawn(move || serve(tcp.unwrap(), say));
            }
        });
        Self { address, scheme, said }
    }

    /// One that reads a CONNECT request, and gives what follows to `answer`.
    pub(crate) fn that_answers<F>(answer: F) -> Self
    where
        F: Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
    {
        Self::that(ProxyScheme::Http, move |tcp, said| {
            let mut heard = Heard { stream: tcp.try_clone()?, bytes: Vec::new() };
            heard.head()?;
            let _ = said.send(heard.bytes);
            answer(tcp)
        })
    }

    /// Its URL, by name.
    pub(crate) fn proxy(&self) -> Proxy {
        format!("{}://{PROXY}:{}", self.scheme, self.address.port()).parse().unwrap()
    }

    /// The same with a password.
    pub(crate) fn proxy_with(&self, user: &str, password: &str) -> Proxy {
        self.proxy().credentials(user, password).unwrap()
    }

    /// What the client that came last has said before the way was open.
    pub(crate) fn said(&self) -> Vec<u8> {
        self.said.recv().unwrap()
    }
}

pub(crate) fn acceptor() -> Acceptor {
    of_proxies().issue(&params(&[PROXY])).acceptor()
}

/// Reads, and keeps what it has read.
struct Heard<S> {
    stream: S,
    bytes: Vec<u8>,
}

impl<S: Read + Write> Heard<S> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            // One at a time: TLS says `Interrupted` for a part of a record.
            while let Err(error) = self.stream.read_exact(std::slice::from_mut(byte)) {
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
        self.bytes.extend(bytes);
        Ok(bytes)
    }

    fn take_n(&mut self, n: u8) -> io::Result<Vec<u8>> {
        (0..n).map(|_| self.take::<1>().map(|[byte]| byte)).collect()
    }

    fn head(&mut self) -> io::Result<String> {
        while !self.bytes.ends_with(b"\r\n\r\n") {
            self.take::<1>()?;
        }
        Ok(String::from_utf8_lossy(&self.bytes).into_owned())
    }

    fn answer(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let host = if host == ORIGIN { "127.0.0.1" } else { host };
    TcpStream::connect((host, port))
}

fn http(client: &mut Heard<Stream>, wants_password: bool) -> io::Result<Option<TcpStream>> {
    let head = client.head()?;
    // Aladdin:open:sesame
    let authorization = "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==\r\n";
    if wants_password && !head.contains(authorization) {
        client.answer(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\
              Proxy-Authenticate: Basic realm=\"fake\"\r\nContent-Length: 9\r\n\r\nwho are u",
        )?;
        return Ok(None);
    }
    let target = head.split(' ').nth(1).unwrap_or_default();
    let (host, port) = target.rsplit_once(':').unwrap();
    let server = connect(host, port.parse().unwrap());
    client.answer(if server.is_ok() {
        b"HTTP/1.1 200 Connection established\r\n\r\n"
    } else {
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
    })?;
    Ok(server.ok())
}

fn socks5(client: &mut Heard<Stream>, wants_password: bool) -> io::Result<Option<TcpStream>> {
    let [_, count] = client.take()?;
    let methods = client.take_n(count)?;
    let method = if wants_password { 2 } else { 0 };
    if !methods.contains(&method) {
        client.answer(&[5, 0xff])?;
        return Ok(None);
    }
    client.answer(&[5, method])?;
    if wants_password {
        let [_version] = client.take()?;
        let mut text = || {
            let [length] = client.take()?;
            client.take_n(length)
        };
        let is_right = [text()?, text()?] == [USER.as_bytes(), PASSWORD.as_bytes()];
        client.answer(&[1, u8::from(!is_right)])?;
        if !is_right {
            return Ok(None);
        }
    }
    let [_, _, _, kind] = client.take()?;
    let host = match kind {
        1 => std::net::Ipv4Addr::from(client.take::<4>()?).to_string(),
        3 => {
            let [length] = client.take()?;
            String::from_utf8(client.take_n(length)?).unwrap()
        }
        _ => std::net::Ipv6Addr::from(client.take::<16>()?).to_string(),
    };
    let server = connect(&host, u16::from_be_bytes(client.take()?));
    let code = if server.is_ok() { 0 } else { 5 };
    client.answer(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0])?;
    Ok(server.ok())
}

fn socks4a(client: &mut Heard<Stream>) -> io::Result<Option<TcpStream>> {
    let [_, _, high, low] = client.take()?;
    let address: [u8; 4] = client.take()?;
    let mut text = || {
        let mut text = String::new();
        loop {
            match client.take()? {
                [0] => return io::Result::Ok(text),
                [byte] => text.push(byte.into()),
            }
        }
    };
    let _user = text()?;
    let host = match address {
        [0, 0, 0, 1] => text()?,
        address => std::net::Ipv4Addr::from(address).to_string(),
    };
    let server = connect(&host, u16::from_be_bytes([high, low]));
    let code = if server.is_ok() { 90 } else { 91 };
    client.answer(&[0, code, 0, 0, 0, 0, 0, 0])?;
    Ok(server.ok())
}

/// Passes bytes on in both directions until both have ended.
fn pump(client: &mut Stream, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.clone(), server.try_clone()?);
    let up = thread::spawn(move || {
        copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown_write();
    });
    let mut server = server;
    copy(&mut server, client);
    let _ = client.shutdown_write();
    let _ = up.join();
    Ok(())
}

fn copy(from: &mut impl Read, to: &mut impl Write) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return,
            Ok(n) => {
                if to.write_all(&bytes[..n]).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Passes bytes on to this server.
pub(crate) fn pass_on(client: TcpStream, server: SocketAddr) -> io::Result<()> {
    pump(&mut Stream::from(client), TcpStream::connect(server)?)
}

/// Sends the bytes one at a time, again and again.
pub(crate) fn drip(mut to: impl Write, bytes: &[u8], pause: Duration) -> io::Result<()> {
    for byte in bytes.iter().cycle() {
        to.write_all(&[*byte])?;
        thread::sleep(pause);
    }
    Ok(())
}
