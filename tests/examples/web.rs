//! `web` and `buffered_amount`.

use super::program::{EchoServer, has_help, refuses, run};

#[test]
fn the_dozen_lines_greet_and_close() {
    let server = EchoServer::start(&[]);
    let ended = run("web", &[&server.url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(ended.stdout, "message: Text(\"Hello\")\nclose: 1005 \n");
}

#[test]
fn the_dozen_lines_tell_why_it_failed() {
    let server = EchoServer::start(&[]);
    let url = server.url.clone();
    drop(server);
    let ended = run("web", &[&url]);
    assert!(ended.stdout.starts_with("error: ") && ended.stdout.contains("refused"), "{ended:?}");
    assert!(ended.stdout.ends_with("close: 1006 \n"), "{ended:?}");
}

#[test]
fn help_and_wrong_arguments() {
    for name in ["web", "buffered_amount"] {
        has_help(name, &["[URL]"]);
        let wrong: [&[&str]; 3] =
            [&["nonsense"], &["--nonsense"], &["ws://127.0.0.1/", "nonsense"]];
        for arguments in wrong {
            refuses(name, arguments, "nonsense");
        }
    }
}

#[test]
fn little_waits_while_much_is_sent() {
    let server = EchoServer::start(&[]);
    let ended = run("buffered_amount", &[&server.url]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let most = ended.stdout.strip_prefix("10000 echoes for 10000 messages; at most ").unwrap();
    let most: usize = most.strip_suffix(" bytes waited\n").unwrap().parse().unwrap();
    assert!(most <= (256 << 10) + 10_000, "{most}");
}
