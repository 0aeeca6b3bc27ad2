//! One receive of bytes and descriptors.
//!
//! `nix` hides the control messages of a truncated receive, which leaks the descriptors that the
//! kernel did install (it installs as many as the process may open). This module exists for that
//! reason.

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;

/// The maximum number of descriptors that Linux passes with one message (`SCM_MAX_FD`).
pub(crate) const MAX_FDS: usize = 253;

/// Room for a control message with `MAX_FDS` descriptors, aligned like its header.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; CONTROL_LEN]);

const CONTROL_LEN: usize =
    size_of::<libc::cmsghdr>() + (MAX_FDS * size_of::<RawFd>()).next_multiple_of(8);

/// The result of one receive.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The number of bytes; 0 when the peer has disconnected.
    pub(crate) bytes: usize,
    /// Whether descriptors were lost, because the process may open no more.
    pub(crate) truncated: bool,
}

/// Receives once into `buffer`, waiting unless `nonblocking`; descriptors are appended to `fds`.
///
/// # Errors
///
/// Those of `recvmsg(2)`; `Interrupted` if a signal has ended the wait.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
    nonblocking: bool,
) -> io::Result<Received> {
    loop {
        match receive_once(socket, buffer, fds, nonblocking) {
            // There was no wait to end.
            Err(error) if nonblocking && error.kind() == io::ErrorKind::Interrupted => {}
            received => return received,
        }
    }
}

fn receive_once(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
    nonblocking: bool,
) -> io::Result<Received> {
    let mut control = Control([MaybeUninit::uninit(); CONTROL_LEN]);
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a `msghdr` of zeros is valid: no name, no data, no control buffer.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>();
    let wait = if nonblocking { libc::MSG_DONTWAIT } else { 0 };
    // SAFETY: the header points to `iov`, which covers `buffer`, and to `control`, with their true
    // lengths; all outlive the call, and nothing else refers to them meanwhile.
    let result = unsafe {
        libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC | wait)
    };
    let bytes = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
    take_descriptors(&message, fds);
    Ok(Received { bytes, truncated: message.msg_flags & libc::MSG_CTRUNC != 0 })
}

/// Takes ownership of every descriptor in the control messages that the kernel wrote.
fn take_descriptors(message: &libc::msghdr, fds: &mut Vec<OwnedFd>) {
    // SAFETY: `message` is as `recvmsg` left it, so its control pointer and length describe
    // initialised, well-formed headers; the same holds for every header that CMSG_NXTHDR gives.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it points to a header inside the control buffer.
        let (level, kind, len) =
            unsafe { ((*header).cmsg_level, (*header).cmsg_type, (*header).cmsg_len) };
        if level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS {
            // SAFETY: as above; computes the address behind the header.
            let data: *const RawFd = unsafe { libc::CMSG_DATA(header) }.cast();
            // SAFETY: a pure computation on a length.
            let prefix = unsafe { libc::CMSG_LEN(0) } as usize;
            for i in 0..len.saturating_sub(prefix) / size_of::<RawFd>() {
                // SAFETY: the kernel wrote `len` bytes from the header on, so element `i` is
                // inside and initialised; it is a descriptor that was just installed for this
                // process and that nothing else owns.
                fds.push(unsafe { OwnedFd::from_raw_fd(data.add(i).read_unaligned()) });
            }
        }
        // SAFETY: `header` came from this message.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

/// Returns how much of the data sent over a UNIX socket the other end has not received yet, in the
/// kernel's accounting (`SIOCOUTQ`).
///
/// # Errors
///
/// Those of `ioctl(2)`.
pub(crate) fn unread(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request writes one `int`, to which it gets a pointer.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(usize::try_from(bytes).unwrap_or(0))
    }
}

/// Reads without waiting, whatever the mode of the descriptor is: another process may share it, and
/// change the mode at any time.
///
/// # Errors
///
/// Those of `preadv2(2)`; `WouldBlock` if no data is available.
pub(crate) fn read_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: the one `iovec` covers `buffer`, which outlives the call; offset -1 means "as
    // `read`".
    let read = unsafe { libc::preadv2(fd.as_raw_fd(), &raw const iov, 1, -1, libc::RWF_NOWAIT) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}
