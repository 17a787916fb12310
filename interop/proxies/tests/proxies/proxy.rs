//! The proxies, each with a configuration of its own in a directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::program::{Directory, Program, free_address};

/// A proxy that runs in the foreground.
pub(crate) struct Proxy {
    /// `127.0.0.1:PORT`, where it listens.
    pub(crate) address: String,
    /// Whether it wants the password.
    wants_password: bool,
    // Before the directory: it is in use.
    _program: Program,
    pub(crate) directory: Directory,
}

impl Proxy {
    fn start(
        command: Command,
        address: String,
        wants_password: bool,
        directory: Directory,
    ) -> Self {
        let program = Program::listening(command, &address);
        Self { address, wants_password, _program: program, directory }
    }

    /// Its URL, with the right password if it wants one.
    pub(crate) fn url(&self, scheme: &str) -> String {
        self.url_with(scheme, if self.wants_password { "Aladdin:open-sesame@" } else { "" })
    }

    pub(crate) fn url_with(&self, scheme: &str, userinfo: &str) -> String {
        format!("{scheme}://{userinfo}{}", self.address)
    }
}

/// Debian's squid takes another user when root starts it, who must be able to use the directory.
fn open_to_all(directory: &Directory) {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
}

fn squid_that(
    port: &str,
    more: &str,
    address: String,
    wants_password: bool,
    directory: Directory,
) -> Proxy {
    open_to_all(&directory);
    let home = directory.as_ref().display();
    let configuration = format!(
        "{port}
         {more}
         http_access allow all
         cache deny all
         access_log none
         cache_log {home}/cache.log
         cache_store_log none
         coredump_dir {home}
         pid_filename {home}/squid.pid
         netdb_filename none
         pinger_enable off
         shutdown_lifetime 0 seconds\n"
    );
    let file = directory.write("squid.conf", &configuration);
    let mut command = Command::new("squid");
    // In the foreground, one process, and a name of its own for its shared memory.
    let name = format!("sansock{}", address.rsplit(':').next().unwrap());
    command.args(["-N", "-n", &name, "-f"]).arg(file);
    Proxy::start(command, address, wants_password, directory)
}

pub(crate) fn squid(wants_password: bool) -> Proxy {
    let (directory, address) = (Directory::new(), free_address());
    let mut more = String::new();
    if wants_password {
        // squid gives it a line with user and password.
        let helper = directory.write(
            "passwords",
            "#!/bin/sh\n\
             while read -r line; do\n\
             [ \"$line\" = 'Aladdin open-sesame' ] && echo OK || echo ERR\n\
             done\n",
        );
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
        more = format!(
            "auth_param basic program {}
             auth_param basic children 1
             auth_param basic casesensitive on
             auth_param basic realm proxy
             acl known proxy_auth REQUIRED
             http_access deny !known",
            helper.display()
        );
    }
    squid_that(&format!("http_port {address}"), &more, address, wants_password, directory)
}

/// TLS to the proxy.
pub(crate) fn squid_with_tls() -> Proxy {
    let (directory, address) = (Directory::new(), free_address());
    let (certificate, key) = directory.certificate("proxy");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (certificate, key) = (certificate.display(), key.display());
    let port = format!("https_port {address} tls-cert={certificate} tls-key={key}");
    squid_that(&port, "", address, false, directory)
}

pub(crate) fn tinyproxy(wants_password: bool) -> Proxy {
    let (directory, address) = (Directory::new(), free_address());
    let port = address.rsplit(':').next().unwrap();
    let password = if wants_password { "BasicAuth Aladdin open-sesame" } else { "" };
    let log = directory.path("tinyproxy.log");
    let configuration = format!(
        "Listen 127.0.0.1\nPort {port}\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\n\
         LogFile \"{}\"\n{password}\n",
        log.display()
    );
    let file = directory.write("tinyproxy.conf", &configuration);
    let mut command = Command::new("tinyproxy");
    command.arg("-d").arg("-c").arg(file);
    Proxy::start(command, address, wants_password, directory)
}

pub(crate) fn microsocks(wants_password: bool) -> Proxy {
    let (directory, address) = (Directory::new(), free_address());
    let mut command = Command::new("microsocks");
    // It tells of each connection.
    command.stderr(Stdio::null());
    command.args(["-i", "127.0.0.1", "-p", address.rsplit(':').next().unwrap()]);
    if wants_password {
        command.args(["-u", "Aladdin", "-P", "open-sesame"]);
    }
    Proxy::start(command, address, wants_password, directory)
}

/// `openssl passwd -6 -salt sansock open-sesame`
const HASH: &str = "$6$sansock$nKJuYexHBYo2QqVifEeD7ics7QOPTOwfOVykBwLwtNOJLFsD7Bd6VVBv/4CPr4or/\
                    I1srcTvQf4R7Tn/CbAEr0";

pub(crate) fn dante(wants_password: bool) -> Proxy {
    let (directory, address) = (Directory::new(), free_address());
    let port = address.rsplit(':').next().unwrap();
    let method = if wants_password { "username" } else { "none" };
    let configuration = format!(
        "logoutput: {}
         internal: 127.0.0.1 port = {port}
         external: lo
         clientmethod: none
         socksmethod: {method}
         client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
         socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect }}\n",
        directory.path("dante.log").display()
    );
    let file = directory.write("dante.conf", &configuration);
    let mut command = Command::new("danted");
    command.arg("-f").arg(file);
    if wants_password {
        // It asks the system for passwords. libnss_wrapper shows it another system.
        let mut users = fs::read_to_string("/etc/passwd").unwrap();
        users.push_str("Aladdin:x:4242:4242::/nonexistent:/usr/sbin/nologin\n");
        let shadow = format!("Aladdin:{HASH}:19000:0:99999:7:::\n");
        command.env("LD_PRELOAD", "libnss_wrapper.so");
        command.env("NSS_WRAPPER_PASSWD", directory.write("passwd", &users));
        command.env("NSS_WRAPPER_GROUP", "/etc/group");
        command.env("NSS_WRAPPER_SHADOW", directory.write("shadow", &shadow));
    }
    Proxy::start(command, address, wants_password, directory)
}
