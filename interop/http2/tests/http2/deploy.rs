//! The configurations of docs/DEPLOY.md, each run with the real program before two servers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sansock_tokio::handshake::Carrier;
use sansock_tokio::{Client, Outcome, WebSocket};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::client::{Client as HttpClient, converse, offer, soon};
use crate::program::{Program, configured, directory_of, service};

const DEPLOY: &str = include_str!("../../../../docs/DEPLOY.md");

/// How long the proxies wait for a silent connection here, instead of a minute.
const READ_TIMEOUT: Duration = Duration::from_secs(3);

/// The block of this language, with the addresses of the servers and of the proxy.
fn block(language: &str, servers: &[Program; 2], own: &str) -> String {
    let opening = format!("```{language}\n");
    let (_, text) = DEPLOY.split_once(&opening).expect("docs/DEPLOY.md has the block");
    let (text, _) = text.split_once("```").unwrap();
    let (host, port) = own.split_once(':').unwrap();
    let comma = |address: &str| address.replace(':', ",");
    let text = text
        .replace("127.0.0.1:9001", &servers[0].address)
        .replace("127.0.0.1:9002", &servers[1].address)
        .replace("127.0.0.1,9001", &comma(&servers[0].address))
        .replace("127.0.0.1,9002", &comma(&servers[1].address))
        .replace("listen 8080", &format!("listen {own}"))
        .replace("bind :8080", &format!("bind {own}"))
        .replace("*,8080", &format!("{host},{port}"))
        .replace(":8080 {", &format!("http://{own} {{"))
        .replace("60s", "3s");
    assert!(!text.contains("8080") && !text.contains("900"), "{text}");
    for server in servers {
        assert!(text.contains(&server.address) || text.contains(&comma(&server.address)));
    }
    text
}

/// What a proxy does besides passing on.
#[derive(Clone, Copy, PartialEq)]
struct Traits {
    /// Clients may speak HTTP/2.
    http2: bool,
    /// Clients of a server that drains get another one.
    avoids_draining: bool,
}

/// A client from this address of the loopback network.
async fn connect(own: &str, proxy: &str, path: &str) -> Option<WebSocket<TcpStream>> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{own}:0").parse().unwrap()).unwrap();
    let tcp = socket.connect(proxy.parse::<SocketAddr>().unwrap()).await.ok()?;
    let client = Client::new(&format!("ws://{proxy}{path}")).unwrap();
    // What the client claims is not believed.
    let client = client.header("X-Forwarded-For", "198.51.100.66");
    soon(client.handshake(tcp)).await.ok().map(|(socket, _)| socket)
}

/// The address for which the server takes a client.
async fn address_seen(own: &str, proxy: &str) -> String {
    let mut socket = connect(own, proxy, "/address").await.unwrap();
    let text = soon(socket.next_message()).await.unwrap().unwrap();
    text.as_text().unwrap().to_owned()
}

async fn echoes(socket: &mut WebSocket<TcpStream>) {
    soon(socket.send("hello")).await.unwrap();
    let echo = soon(socket.next_message()).await.unwrap().unwrap();
    assert_eq!(echo.as_text(), Some("hello"));
}

/// All that DEPLOY.md says of the proxy at this address.
async fn all(proxy: &Program, mut servers: [Program; 2], traits: Traits) {
    let address = &*proxy.address;
    let mut client = HttpClient::new(address, Carrier::Upgrade).await;
    converse_plain(&mut client, address).await;
    if traits.http2 {
        let mut client = HttpClient::new(address, Carrier::ExtendedConnect).await;
        converse_plain(&mut client, address).await;
    }
    for own in ["127.0.0.7", "127.1.2.3"] {
        assert_eq!(address_seen(own, address).await, own);
    }
    // One client's connections meet one server.
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(connect("127.0.0.9", address, "/").await.unwrap());
    }
    // Only Pings and Pongs pass, for longer than the read timeout.
    let silent: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(stays(socket))).collect();
    let mut ends = Vec::new();
    for silent in silent {
        ends.push(tokio::spawn(code_at_the_end(silent.await.unwrap())));
    }
    drains(&mut servers, ends, address, traits).await;
}

async fn converse_plain(client: &mut HttpClient, address: &str) {
    let mut socket = client.open(&offer(address)).await.unwrap();
    converse(&mut socket).await;
}

/// Receives nothing for a while, answers Pings, and then still echoes.
async fn stays(mut socket: WebSocket<TcpStream>) -> WebSocket<TcpStream> {
    let silence = tokio::time::timeout(READ_TIMEOUT * 2, socket.next_message()).await;
    assert!(silence.is_err(), "{silence:?}");
    echoes(&mut socket).await;
    socket
}

/// Receives to the end, and returns the code with which it came.
async fn code_at_the_end(mut socket: WebSocket<TcpStream>) -> u16 {
    while soon(socket.next_message()).await.unwrap().is_some() {}
    socket.outcome().map(Outcome::code).unwrap()
}

/// Ends one server, and then the other. The sockets have met one of them.
async fn drains(
    servers: &mut [Program; 2],
    ends: Vec<JoinHandle<u16>>,
    address: &str,
    traits: Traits,
) {
    servers[0].signal("-TERM");
    // The proxy sees it, if it looks, and the first server's grace and spread pass.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    if traits.avoids_draining {
        for n in 0..20 {
            let own = format!("127.0.1.{n}");
            let mut socket = connect(&own, address, "/").await.expect("the other server takes it");
            echoes(&mut socket).await;
        }
    }
    let first = tokio::task::block_in_place(|| servers[0].ended());
    let are_of_first = first.starts_with("8 closed, 0 failed to close, 0 cut off");
    assert!(are_of_first || first.starts_with("0 closed, 0 failed to close, 0 cut off"), "{first}");
    if !are_of_first {
        assert!(ends.iter().all(|end| !end.is_finished()), "the other server goes on");
    }
    servers[1].signal("-TERM");
    for end in ends {
        assert_eq!(end.await.unwrap(), 1012);
    }
    let second = tokio::task::block_in_place(|| servers[1].ended());
    assert_eq!(
        second.starts_with("8 closed, 0 failed to close, 0 cut off"),
        !are_of_first,
        "{second}"
    );
}

/// Two servers that believe X-Forwarded-For of the proxy, or its PROXY headers.
fn servers(option: &str) -> [Program; 2] {
    [(); 2].map(|()| {
        let drain = ["--keepalive", "0.5", "--grace", "2", "--spread", "0.2"];
        service(&[&["127.0.0.1:0", option, "127.0.0.1"][..], &drain].concat())
    })
}

/// nginx in the foreground, with what Debian's package has elsewhere.
fn nginx(directory: &Path, http: &str, other: &str) -> Command {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {what};"))
        .concat();
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log;\n{other}\n\
         events {{}}\nhttp {{ access_log off; {temporary}\n{http}\n}}\n"
    );
    // `load_module` must come first.
    let (modules, rest): (Vec<_>, Vec<_>) =
        configuration.lines().partition(|line| line.starts_with("load_module"));
    let configuration = format!("{}\n{}\n", modules.join("\n"), rest.join("\n"));
    fs::write(directory.join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-e", "error.log", "-c", "nginx.conf", "-p"]).arg(directory);
    command
}

fn nginx_stream(servers: &[Program; 2]) -> Program {
    configured(|directory, own| {
        let module = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n";
        nginx(directory, "", &format!("{module}{}", block("nginx-stream", servers, own)))
    })
}

fn nghttpx(servers: &[Program; 2]) -> Program {
    configured(|directory, own| {
        let file = directory.join("nghttpx.conf");
        fs::write(&file, block("nghttpx", servers, own)).unwrap();
        let mut command = Command::new("nghttpx");
        command.args(["--single-process", "--log-level=ERROR", "--accesslog-file=/dev/null"]);
        command.arg(format!("--conf={}", file.display()));
        command
    })
}

/// Without Pings the proxy's read timeout ends a silent connection. So the tests below do not only
/// seem to show that Pings are enough.
async fn ends_silent_connections(proxy: &Program) {
    let mut socket = connect("127.0.0.1", &proxy.address, "/").await.unwrap();
    let start = Instant::now();
    let ended = tokio::time::timeout(READ_TIMEOUT * 4, socket.next_message()).await;
    assert!(!matches!(ended, Ok(Ok(Some(_)))), "{ended:?}");
    let time = start.elapsed();
    assert!(time > READ_TIMEOUT / 2 && time < READ_TIMEOUT * 3, "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_pings_the_documented_timeouts_end_a_silent_connection() {
    let silent = || [(); 2].map(|()| service(&["127.0.0.1:0", "--keepalive", "600"]));
    let trusting = || {
        let options = ["127.0.0.1:0", "--keepalive", "600", "--proxy-from", "127.0.0.1"];
        [(); 2].map(|()| service(&options))
    };
    let (one, two, three, four, five) = (silent(), trusting(), silent(), trusting(), silent());
    let proxies = [
        configured(|directory, own| nginx(directory, &block("nginx", &one, own), "")),
        nginx_stream(&two),
        haproxy("haproxy", &three),
        haproxy("haproxy-tcp", &four),
        nghttpx(&five),
    ];
    for proxy in &proxies {
        ends_silent_connections(proxy).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_as_documented() {
    let servers = servers("--forwarded-from");
    let proxy = configured(|directory, own| nginx(directory, &block("nginx", &servers, own), ""));
    all(&proxy, servers, Traits { http2: false, avoids_draining: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_with_proxy_headers_as_documented() {
    let servers = servers("--proxy-from");
    let proxy = nginx_stream(&servers);
    all(&proxy, servers, Traits { http2: false, avoids_draining: false }).await;
}

fn haproxy(language: &str, servers: &[Program; 2]) -> Program {
    configured(|directory, own| {
        let file = directory.join("haproxy.cfg");
        fs::write(&file, block(language, servers, own)).unwrap();
        let mut command = Command::new("haproxy");
        command.args(["-db", "-q", "-f"]).arg(file);
        command
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_as_documented() {
    let servers = servers("--forwarded-from");
    let proxy = haproxy("haproxy", &servers);
    all(&proxy, servers, Traits { http2: true, avoids_draining: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_with_proxy_headers_as_documented() {
    let servers = servers("--proxy-from");
    let proxy = haproxy("haproxy-tcp", &servers);
    all(&proxy, servers, Traits { http2: false, avoids_draining: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nghttpx_as_documented() {
    let servers = servers("--forwarded-from");
    let proxy = nghttpx(&servers);
    all(&proxy, servers, Traits { http2: true, avoids_draining: false }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_as_documented() {
    let servers = servers("--forwarded-from");
    let proxy = configured(|directory, own| {
        let file = directory.join("Caddyfile");
        // Its interface for administration has a fixed port.
        let global = "{\nadmin off\nauto_https off\n}\n";
        fs::write(&file, format!("{global}{}", block("caddy", &servers, own))).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        command.env("HOME", directory).env("XDG_DATA_HOME", directory);
        command.env("XDG_CONFIG_HOME", directory).stderr(std::process::Stdio::null());
        command
    });
    all(&proxy, servers, Traits { http2: false, avoids_draining: true }).await;
}

/// What systemd says of the units, if it is there; and the example serves at a socket of its.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_as_documented() {
    let directory = directory_of();
    let part = |language: &str| {
        let (_, text) = DEPLOY.split_once(&format!("```{language}\n")).unwrap();
        text.split_once("```").unwrap().0.to_owned()
    };
    let (socket, unit) = (part("systemd-socket"), part("systemd-service"));
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let options: Vec<_> = line.split(' ').skip(1).collect();
    assert_eq!(options, ["--grace", "10", "--spread", "30"]);
    let total = Duration::from_secs(10 + 30 + 11);
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    assert!(Duration::from_secs(stop.parse().unwrap()) > total);
    let program = crate::program::service_path();
    let unit = unit.replace("/usr/local/bin/service", program.to_str().unwrap());
    fs::write(directory.join("chat.socket"), socket).unwrap();
    fs::write(directory.join("chat.service"), unit).unwrap();
    let checked = Command::new("systemd-analyze")
        .arg("verify")
        .args([directory.join("chat.socket"), directory.join("chat.service")])
        .output()
        .expect("see interop/http2/run");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && !said.contains("chat."), "{said}");
    fs::remove_dir_all(directory).unwrap();

    let activated = configured(|_, own| {
        let mut command = Command::new("systemd-socket-activate");
        command.args(["-l", own]).arg(&program);
        command
    });
    let mut socket = connect("127.0.0.1", &activated.address, "/").await.unwrap();
    echoes(&mut socket).await;
}
