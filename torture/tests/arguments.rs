//! The command line: help texts, and refused arguments.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::process::Command;

/// Exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_torture")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_names_the_options() {
    for option in ["--help", "-h"] {
        let (code, stdout, stderr) = run(&[option]);
        assert_eq!((code, &*stderr), (Some(0), ""));
        for word in ["Usage: torture", "FAULT", "--markdown", "--soak", "--seed", "--list"] {
            assert!(stdout.contains(word), "{word}");
        }
    }
}

#[test]
fn wrong_arguments_are_named_and_end_with_2() {
    let wrong: [(&[&str], &str); 3] =
        [(&["nonsense"], "nonsense"), (&["--soak", "0"], "0"), (&["--seed", "1"], "--soak")];
    for (arguments, named) in wrong {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(named) && stderr.contains("--help"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn each_fault_is_listed() {
    let (code, stdout, _) = run(&["--list"]);
    assert_eq!((code, stdout.lines().count()), (Some(0), 22));
}
