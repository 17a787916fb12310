//! The command line.

use crate::program::run;

#[test]
fn it_has_help() {
    for option in ["--help", "-h"] {
        let (code, stdout, stderr) = run(&[option]);
        assert_eq!((code, &*stderr), (Some(0), ""));
        for word in [
            "Usage: chat",
            "[ADDR]",
            "--origin",
            "--host",
            "--rate",
            "--buffer",
            "--history",
            "--resume",
            "--rooms",
            "--keep ",
            "--keepalive",
            "--redis",
            "--grace",
            "--spread",
            "/metrics",
            "/healthz",
            "--cert",
            "--key",
        ] {
            assert!(stdout.contains(word), "{word}");
        }
    }
}

#[test]
fn wrong_arguments_are_named_and_end_with_2() {
    let wrong: [(&[&str], &str); 16] = [
        (&["--nonsense"], "--nonsense"),
        (&["nonsense"], "nonsense"),
        // An address to listen on, but no page can name its host so: browsers write 127.0.0.1.
        (&["127.1:0"], "127.1:0"),
        (&["--origin", "example.com"], "example.com"),
        (&["--host", "http://a"], "name:port"),
        (&["--origin", "https://example.com/path"], "path"),
        (&["--rate", "0"], "--rate"),
        (&["--buffer", "0"], "65536"),
        (&["--keepalive", "x"], "--keepalive"),
        (&["--history", "10001"], "10000"),
        (&["--resume", "10001"], "10000"),
        (&["--redis", "http://127.0.0.1/"], "--redis"),
        (&["--redis", "rediss://127.0.0.1/"], "--redis"),
        (&["--rooms", "0"], "--rooms"),
        (&["--keep", "0"], "--keep"),
        (&["--cert", "cert.pem"], "--key"),
    ];
    for (arguments, word) in wrong {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
}
