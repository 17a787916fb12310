//! The programs that run: the examples, and whatever else listens.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use rcgen::generate_simple_self_signed;

/// The most that anything here may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A program that ends with the test.
pub(crate) struct Program(Child);

impl Program {
    /// Starts one that is told where to listen, and waits until it does.
    pub(crate) fn listening(mut command: Command, address: &str) -> Self {
        let child = command.stdin(Stdio::null()).spawn().expect("see interop/proxies/run");
        let mut program = Self(child);
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < TIMEOUT, "it does not listen: {command:?}");
            assert!(program.0.try_wait().unwrap().is_none(), "it does not start: {command:?}");
            thread::sleep(Duration::from_millis(10));
        }
        program
    }
}

impl Drop for Program {
    /// As a service manager ends it, for it may have processes of its own.
    fn drop(&mut self) {
        let id = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory that goes away.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("sansock-proxies-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a fresh certificate for this machine and its key, and adds the certificate to
    /// `authorities.pem`.
    pub(crate) fn certificate(&self, name: &str) -> (PathBuf, PathBuf) {
        let made = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]).unwrap();
        let mut all = fs::read_to_string(self.path("authorities.pem")).unwrap_or_default();
        writeln!(all, "{}", made.cert.pem()).unwrap();
        self.write("authorities.pem", &all);
        let certificate = self.write(&format!("{name}.pem"), &made.cert.pem());
        let key = self.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
        (certificate, key)
    }
}

impl AsRef<Path> for Directory {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The port stays free: the system does not choose it again soon.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn example(name: &str) -> Command {
    let examples = env::var("EXAMPLES").expect("EXAMPLES is not set: use interop/proxies/run");
    Command::new(Path::new(&examples).join(name))
}

/// `echo_server`.
pub(crate) struct Echo {
    port: String,
    scheme: &'static str,
    _program: Program,
}

impl Echo {
    /// Starts it; with TLS and a certificate in this directory.
    pub(crate) fn start(directory: Option<&Directory>) -> Self {
        let mut command = example("echo_server");
        command.arg("127.0.0.1:0");
        let scheme = match directory {
            None => "ws",
            Some(directory) => {
                let (certificate, key) = directory.certificate("server");
                command.arg("--cert").arg(certificate).arg("--key").arg(key);
                "wss"
            }
        };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim_end_matches(['/', '\n']).rsplit(':').next().unwrap().to_owned();
        Self { port, scheme, _program: Program(child) }
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("{}://{host}:{}/", self.scheme, self.port)
    }
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the selfcheck of a client through a proxy.
pub(crate) fn run_client(name: &str, proxy: &str, url: &str, ca: Option<&Path>) -> Ended {
    let mut command = example(name);
    command.args(["--selfcheck", "--proxy", proxy, url]);
    if let Some(ca) = ca {
        command.arg("--ca").arg(ca);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
