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
    let wrong: [(&[&str], &str); 17] = [
        (&["--nonsense"], "--nonsense"),
        (&["nonsense"], "\"nonsense\" is not HOST:PORT"),
        // An address to listen on, but no page can name its host so: browsers write 127.0.0.1.
        (&["127.1:0"], "127.1:0"),
        (&["--origin", "example.com"], "example.com"),
        (&["--host", "http://a"], "name:port"),
        (&["--origin", "https://example.com/path"], "path"),
        (&["--rate", "0"], "--rate: \"0\" is not a number from 1 to 4294967295"),
        (&["--buffer", "0"], "--buffer: \"0\" is not a number from 65536 to"),
        (&["--keepalive", "x"], "--keepalive: \"x\" is not a number from 1 to"),
        (&["--spread", "-1"], "--spread: \"-1\" is not a number from 0 to"),
        (&["--history", "10001"], "--history: \"10001\" is not a number from 0 to 10000"),
        (&["--resume", "10001"], "--resume: \"10001\" is not a number from 0 to 10000"),
        (&["--redis", "http://127.0.0.1/"], "--redis"),
        (&["--redis", "rediss://127.0.0.1/"], "--redis"),
        (&["--rooms", "0"], "--rooms: \"0\" is not a number from 1 to"),
        (&["--keep", "0"], "--keep: \"0\" is not a number from 1 to"),
        (&["--cert", "cert.pem"], "--key"),
    ];
    for (arguments, word) in wrong {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(word), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_wrong_url_of_redis_is_explained_without_its_password() {
    let wrong = [
        "",
        "redis://",
        "rediss://u:secret@h/",
        "http://u:secret@h/",
        "redis://u:secret@h:99999/",
        "redis://u:secret@h/name",
        "redis://u:secret@:1/",
        "u:secret@h",
    ];
    for url in wrong {
        let (code, _, stderr) = run(&["--redis", url]);
        assert_eq!(code, Some(2), "{url}: {stderr}");
        assert!(stderr.contains("--redis: ") && stderr.contains("redis://127.0.0.1:6379/"));
        assert!(!stderr.contains("secret"), "{stderr}");
    }
}
