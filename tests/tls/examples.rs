//! The examples over TLS. `cargo test --workspace --all-features` builds them.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

#[expect(dead_code, reason = "it is shared with the tests of TLS")]
mod certificates;
#[path = "../examples/program.rs"]
#[expect(dead_code, reason = "it is shared with the other tests of examples")]
mod program;

use std::path::Path;

use certificates::{File, Identity, expired, ours, self_signed};

use program::{EchoServer, Ended, Running, example, run};

/// The echo server with this certificate.
struct Server {
    echo: EchoServer,
    _files: (File, File),
}

impl Server {
    fn start(identity: &Identity) -> Self {
        let files = identity.files();
        let (cert, key) = (text(files.0.path()), text(files.1.path()));
        Self { echo: EchoServer::start(&["--cert", cert, "--key", key]), _files: files }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn selfcheck(url: &str, ca: &File) -> Ended {
    run("client", &["--selfcheck", "--ca", text(ca.path()), url])
}

#[test]
fn the_selfcheck_passes_the_echo_server_over_tls() {
    let server = Server::start(&ours().server());
    assert!(server.echo.url.starts_with("wss://"), "{}", server.echo.url);
    let ca = File::new(&ours().pem());
    let ended = selfcheck(&server.echo.url, &ca);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}

/// `SSL_CERT_FILE` stands in for the system's certificates: no option is needed for those.
#[test]
fn a_wss_url_needs_no_option_if_the_system_trusts_the_server() {
    let server = Server::start(&ours().server());
    let (ca, url) = (File::new(&ours().pem()), &server.echo.url);
    let mut command = example("client");
    let ended = Running::start(
        command
            .args(["--selfcheck", url])
            .env("SSL_CERT_FILE", ca.path())
            .env_remove("SSL_CERT_DIR"),
    );
    let ended = ended.end();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));

    let ended = run("client", &["--selfcheck", url]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("trusted") || ended.stderr.contains("root"), "{ended:?}");
}

#[test]
fn the_client_says_why_a_certificate_is_refused() {
    let ca = File::new(&ours().pem());
    for (identity, word) in [(expired(), "expired"), (self_signed(), "self-signed")] {
        let ended = selfcheck(&Server::start(&identity).echo.url, &ca);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(word), "{ended:?}");
    }
    let server = Server::start(&ours().server());
    let port = server.echo.address.rsplit_once(':').unwrap().1;
    let ended = selfcheck(&format!("wss://127.0.0.2:{port}/"), &ca);
    assert_eq!(ended.code, Some(1));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ended =
        run("echo_server", &["127.0.0.1:0", "--cert", "nowhere.pem", "--key", "nowhere.key"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("nowhere.pem"), "{ended:?}");
    let ended = run("client", &["--ca", "nowhere.pem", "wss://127.0.0.1:1/"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("nowhere.pem"), "{ended:?}");
}
