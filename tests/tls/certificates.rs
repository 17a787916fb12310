//! Authorities and certificates that live as long as a test.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use sansock::net::tls::{Acceptor, Connector};

/// To tell things apart.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A certificate and its key, as PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// The one that the tests trust.
pub(crate) fn ours() -> &'static Authority {
    static OURS: OnceLock<Authority> = OnceLock::new();
    OURS.get_or_init(Authority::new)
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        // Two authorities of one name would be taken for each other.
        let name = format!("authority {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    pub(crate) fn issue(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn server(&self) -> Identity {
        self.issue(&params(&["localhost", "127.0.0.1"]))
    }

    pub(crate) fn client(&self) -> Identity {
        let mut params = params(&["a client"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    /// Trusts only this authority.
    pub(crate) fn connector(&self) -> Connector {
        let builder = Connector::builder().roots_from_pem(self.pem().as_bytes()).unwrap();
        builder.build().unwrap()
    }
}

/// For these names and addresses.
pub(crate) fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

pub(crate) fn expired() -> Identity {
    let mut params = params(&["127.0.0.1"]);
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    ours().issue(&params)
}

pub(crate) fn self_signed() -> Identity {
    Identity::self_signed(&params(&["127.0.0.1"]))
}

impl Identity {
    pub(crate) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        let (certificate, key) = (self.certificate.as_bytes(), self.key.as_bytes());
        Acceptor::builder_from_pem(certificate, key).unwrap().build().unwrap()
    }

    /// Both in files.
    pub(crate) fn files(&self) -> (File, File) {
        (File::new(&self.certificate), File::new(&self.key))
    }
}

/// A file that goes away.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(text: &str) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("sansock-{}-{number}.pem", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
