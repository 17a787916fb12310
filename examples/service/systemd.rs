//! Tells systemd how far the service is (`sd_notify`).

use std::io;

/// Sends the state to the datagram socket that `NOTIFY_SOCKET` names; does nothing without one.
#[cfg(unix)]
pub(crate) fn notify(state: &str) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::UnixDatagram;

    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes().strip_prefix(b"@") {
        // A name that is no file's.
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address)?;
        }
        _ => {
            socket.send_to(state.as_bytes(), name)?;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn notify(_: &str) -> io::Result<()> {
    Ok(())
}
