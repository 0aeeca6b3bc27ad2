//! What a service manager passes to a program, and what the program reports to it: `LISTEN_FDS` and
//! `NOTIFY_SOCKET`, as systemd documents them in `sd_listen_fds(3)` and `sd_notify(3)`.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tracing::debug;

use super::devices::Devices;
use super::error::OptionsError;
use super::sockets::InheritedFd;

/// The first descriptor that is passed.
const FIRST: i32 = 3;

/// Returns the sockets that the service manager has passed. In a program with several types of
/// device, their names are those of the types.
///
/// # Errors
///
/// If there are none for this process.
pub(super) fn passed_sockets(devices: &Devices<'_>) -> Result<Vec<InheritedFd>, OptionsError> {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let is_ours = number("LISTEN_PID") == Some(std::process::id());
    let count = number("LISTEN_FDS").filter(|count| is_ours && *count > 0);
    let count = count.and_then(|count| u16::try_from(count).ok());
    let count = count.ok_or(OptionsError::NotActivated)?;
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').filter(|_| !devices.has_one());
    let sockets = (FIRST..FIRST + i32::from(count)).map(|fd| InheritedFd::of(names.next(), fd));
    Ok(sockets.collect())
}

/// A connection to a service manager that waits until the program is ready.
#[derive(Debug)]
pub(super) struct Readiness(Option<UnixDatagram>);

impl Readiness {
    /// Connects to the service manager, if one waits.
    pub(super) fn connect() -> Self {
        let path = env::var_os("NOTIFY_SOCKET");
        Readiness(path.and_then(|path| connect_to(path.as_bytes()).map_err(unheard).ok()))
    }

    /// Reports that the sockets accept connections. A program that has taken over becomes the main
    /// process of its service.
    pub(super) fn report(self, has_taken_over: bool) {
        let main = format!("MAINPID={}\n", std::process::id());
        let message = format!("{}READY=1", if has_taken_over { &main } else { "" });
        if let Some(socket) = self.0 {
            let _ = socket.send(message.as_bytes()).map_err(unheard);
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps an error")]
fn unheard(error: io::Error) {
    debug!(%error, "the service manager does not learn that the program is ready");
}

/// Connects to a datagram socket at a path, or in the abstract namespace if it begins with `@`.
fn connect_to(path: &[u8]) -> io::Result<UnixDatagram> {
    let address = match path.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}
