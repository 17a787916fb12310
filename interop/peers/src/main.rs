//! The Rust end of the interoperability tests, which `interop/peers/run` starts.
//!
//! ```sh
//! cargo run -p interop-peers -- blocking serve TAKEOVER BITS
//! cargo run -p interop-peers -- blocking connect TAKEOVER BITS URL
//! cargo run -p interop-peers -- certificate CERT KEY
//! ```
//!
//! `tokio` instead of `blocking` is the async end. TAKEOVER is `allowed` or `forbidden`, BITS is 9 to
//! 15: what holds for both directions. If `CERT` and `KEY` name files, all ends use TLS.

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;

use sansock::deflate::{ContextTakeover, DeflateConfig, NegotiatedDeflate, WindowBits};
use sansock::net::tls::{Acceptor, Connector, TlsError};

mod asynchronous;
mod blocking;
mod messages;

const USAGE: &str = "(blocking|tokio) serve TAKEOVER BITS, (blocking|tokio) connect TAKEOVER BITS \
                     URL, or certificate CERT KEY";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let tls = Tls::from_env();
    let tls = tls.as_ref();
    match arguments {
        ["blocking", "serve", takeover, bits] => blocking::serve(config(takeover, bits)?, tls),
        ["blocking", "connect", takeover, bits, url] => {
            blocking::connect(config(takeover, bits)?, tls, url)
        }
        ["tokio", "serve", takeover, bits] => asynchronous::serve(config(takeover, bits)?, tls),
        ["tokio", "connect", takeover, bits, url] => {
            asynchronous::connect(config(takeover, bits)?, tls, url)
        }
        ["certificate", certificate, key] => {
            let made = rcgen::generate_simple_self_signed(["localhost".into()])?;
            fs::write(certificate, made.cert.pem())?;
            Ok(fs::write(key, made.signing_key.serialize_pem())?)
        }
        _ => Err(USAGE.into()),
    }
}

/// The files of a certificate and its key, which all ends trust.
struct Tls {
    certificate: String,
    key: String,
}

impl Tls {
    fn from_env() -> Option<Self> {
        Some(Self { certificate: env::var("CERT").ok()?, key: env::var("KEY").ok()? })
    }

    fn acceptor(&self) -> Result<Acceptor, TlsError> {
        Acceptor::from_pem_files(&self.certificate, &self.key)
    }

    fn connector(&self) -> Result<Connector, TlsError> {
        Connector::builder().roots_from_pem_file(&self.certificate)?.build()
    }
}

fn config(takeover: &str, bits: &str) -> Result<DeflateConfig, Box<dyn Error>> {
    let takeover = match takeover {
        "allowed" => ContextTakeover::Allowed,
        "forbidden" => ContextTakeover::Forbidden,
        _ => return Err("TAKEOVER is allowed or forbidden".into()),
    };
    let bits = WindowBits::new(bits.parse()?).ok_or("BITS is 9 to 15")?;
    Ok(DeflateConfig::client()
        .server_context(takeover)
        .client_context(takeover)
        .server_max_window_bits(bits)
        .client_max_window_bits(bits))
}

/// Whether no more was agreed on than `config` allows.
fn is_agreed(agreed: Option<&NegotiatedDeflate>, config: &DeflateConfig) -> bool {
    let allowed = config.as_negotiated();
    agreed.is_some_and(|agreed| {
        agreed.server_context() == allowed.server_context()
            && agreed.client_context() == allowed.client_context()
            && agreed.server_max_window_bits() <= allowed.server_max_window_bits()
            && agreed.client_max_window_bits() <= allowed.client_max_window_bits()
    })
}
