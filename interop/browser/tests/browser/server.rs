//! The examples as programs.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use rcgen::generate_simple_self_signed;

/// How the page comes to the browser.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Http,
    Https,
}

/// An example that serves a page; it ends with the test.
pub(crate) struct Server {
    program: Child,
    /// Of the page.
    pub(crate) url: String,
    directory: PathBuf,
}

impl Server {
    pub(crate) fn start(example: &str, over: Over) -> Self {
        Self::start_at(example, over, "127.0.0.1:0")
    }

    pub(crate) fn start_at(example: &str, over: Over, address: &str) -> Self {
        Self::start_with(example, over, &[address])
    }

    pub(crate) fn start_with(example: &str, over: Over, arguments: &[&str]) -> Self {
        let examples = env::var("EXAMPLES").expect("EXAMPLES is not set: use interop/browser/run");
        let directory = fresh_directory();
        let mut command = Command::new(PathBuf::from(examples).join(example));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        if let Over::Https = over {
            let made = generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
            for (option, file, text) in [
                ("--cert", "cert.pem", made.cert.pem()),
                ("--key", "key.pem", made.signing_key.serialize_pem()),
            ] {
                fs::write(directory.join(file), text).unwrap();
                command.arg(option).arg(directory.join(file));
            }
        }
        let mut program = command.spawn().unwrap();
        let stdout = BufReader::new(program.stdout.take().unwrap());
        let url = stdout.lines().find_map(|line| {
            let line = line.unwrap();
            let start = line.find("http")?;
            line[start..].split(' ').next().map(str::to_owned)
        });
        Self { program, url: url.expect("it names its page"), directory }
    }

    /// `HOST:PORT`
    pub(crate) fn address(&self) -> &str {
        self.url.split('/').nth(2).unwrap()
    }

    /// Sends a signal, such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.program.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(mut self) {
        self.signal("-INT");
        assert!(self.program.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn fresh_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory = env::temp_dir().join(format!("sansock-browser-{}-{number}", process::id()));
    fs::create_dir(&directory).unwrap();
    directory
}
