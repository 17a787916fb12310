//! PROXY headers as `HAProxy` writes them, before TLS and with extensions.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use sansock::net;
use sansock_tokio::proxy_protocol::{ProxyHeader, ProxyProtocol, tlv};
use sansock_tokio::tls::{Acceptor, Connector};
use sansock_tokio::{Client, Server};

use crate::client::soon;
use crate::program::{Program, configured};

fn trusted() -> ProxyProtocol {
    ProxyProtocol::from_networks(["127.0.0.0/8"]).unwrap()
}

/// What a server knows of a client.
fn seen(client: SocketAddr, header: Option<&ProxyHeader>) -> String {
    let header = header.expect("the proxy has sent a header");
    let value = |kind| header.tlv(kind).map(|it| it.escape_ascii().to_string());
    format!(
        "{client} to {:?}, id {:?}, authority {:?}, TLS {}, checksum {}",
        header.destination(),
        value(tlv::UNIQUE_ID),
        header.authority(),
        header.tlv(tlv::SSL).is_some(),
        header.tlv(tlv::CRC32C).is_some(),
    )
}

/// The two servers, each of which tells a client what it sees; where they listen.
async fn servers(certificate: Option<&CertifiedKey<KeyPair>>) -> [SocketAddr; 2] {
    let acceptor = || {
        let made = certificate?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        Some(Acceptor::from_pem(chain.as_bytes(), key.as_bytes()).unwrap())
    };
    let mut blocking = net::Server::bind("127.0.0.1:0").unwrap().proxy_protocol(trusted());
    let mut server = Server::bind("127.0.0.1:0").await.unwrap().proxy_protocol(trusted());
    if let (Some(one), Some(other)) = (acceptor(), acceptor()) {
        (blocking, server) = (blocking.tls(one), server.tls(other));
    }
    let addresses = [blocking.local_addr(), server.local_addr()];
    thread::spawn(move || {
        blocking.run(|incoming| {
            let mut socket = incoming.accept()?;
            socket.send(&*seen(incoming.client_addr(), incoming.proxy_header()))?;
            Ok(())
        })
    });
    tokio::spawn(server.run(|incoming| async move {
        let text = seen(incoming.client_addr().unwrap(), incoming.proxy_header());
        let mut socket = incoming.accept().await?;
        socket.send(&*text).await?;
        Ok(())
    }));
    addresses
}

/// `HAProxy` passes bytes on to this server, with these options of the lines `bind` and `server`.
fn haproxy(server: SocketAddr, made: &CertifiedKey<KeyPair>, bind: &str, options: &str) -> Program {
    configured(|directory, own| {
        let pem = directory.join("proxy.pem");
        fs::write(&pem, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
        let bind = bind.replace("PEM", pem.to_str().unwrap());
        let configuration = format!(
            "defaults
                 mode tcp
                 timeout connect 10s
                 timeout client 60s
                 timeout server 60s
             frontend outside
                 bind {own} {bind}
                 unique-id-format id-%cp
                 default_backend inside
             backend inside
                 server one {server} {options}\n"
        );
        let file = directory.join("haproxy.cfg");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new("haproxy");
        command.args(["-db", "-q", "-f"]).arg(file);
        command
    })
}

/// What a server tells of a client that comes through the proxy with TLS, and the client's address.
async fn through(proxy: &Program, made: &CertifiedKey<KeyPair>) -> (String, SocketAddr) {
    let port = proxy.address.rsplit(':').next().unwrap();
    let connector = Connector::builder().roots_from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = Client::new(&format!("wss://localhost:{port}/")).unwrap();
    let client = client.tls(connector.build().unwrap());
    let mut socket = soon(client.connect()).await.unwrap();
    let own = socket.get_ref().get_ref().local_addr().unwrap();
    let message = soon(socket.next_message()).await.unwrap().unwrap();
    (message.as_text().unwrap().to_owned(), own)
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_haproxy_come_before_tls() {
    let made = generate_simple_self_signed(["localhost".into()]).unwrap();
    for server in servers(Some(&made)).await {
        for (options, has_extensions) in [
            ("send-proxy", false),
            ("send-proxy-v2", false),
            ("send-proxy-v2 proxy-v2-options unique-id,crc32c", true),
        ] {
            let proxy = haproxy(server, &made, "", options);
            let (text, own) = through(&proxy, &made).await;
            let id = has_extensions.then(|| format!("id-{}", own.port()));
            let destination: Option<SocketAddr> = proxy.address.parse().ok();
            let expected = format!(
                "{own} to {destination:?}, id {id:?}, authority None, TLS false, \
                 checksum {has_extensions}"
            );
            assert_eq!(text, expected, "{options}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_says_what_the_clients_tls_was() {
    let made = generate_simple_self_signed(["localhost".into()]).unwrap();
    for server in servers(None).await {
        let options = "send-proxy-v2-ssl proxy-v2-options authority,crc32c";
        let proxy = haproxy(server, &made, "ssl crt PEM", options);
        let (text, own) = through(&proxy, &made).await;
        assert!(text.starts_with(&format!("{own} to ")), "{text}");
        let rest = "id None, authority Some(\"localhost\"), TLS true, checksum true";
        assert!(text.ends_with(rest), "{text}");
    }
}
