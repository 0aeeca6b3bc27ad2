//! Receives and sends bytes with descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Room for the descriptors of one send, of which Linux passes at most 253, with their head.
const CONTROL: usize = 253 * 4 + 64;

/// The result of one receive.
#[derive(Debug)]
pub(crate) struct Received {
    /// 0 means that the peer has closed its end.
    pub(crate) bytes: usize,
    pub(crate) fds: Vec<OwnedFd>,
    /// Whether descriptors are missing, because this process may open no more.
    pub(crate) are_fds_lost: bool,
}

/// Receives once. Without `wait`, fails with `WouldBlock` if there is nothing.
pub(crate) fn receive(from: &UnixStream, buffer: &mut [u8], wait: bool) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); CONTROL];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let wait = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
    let received = loop {
        let mut data = [IoSliceMut::new(buffer)];
        match recvmsg(from, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC | wait) {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let are_fds_lost = received.flags.contains(ReturnFlags::CTRUNC);
    Ok(Received { bytes: received.bytes, fds, are_fds_lost })
}

/// Sends all bytes, the descriptors with the first of them.
pub(crate) fn send(to: &UnixStream, mut bytes: &[u8], mut fds: &[OwnedFd]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = send_some(to, bytes, fds, true)?;
        (bytes, fds) = (&bytes[sent..], &[]);
    }
    Ok(())
}

/// Sends as many bytes as fit, with the descriptors; returns their number. Without `wait`, fails
/// with `WouldBlock` if none fits.
pub(crate) fn send_some(
    to: &UnixStream,
    bytes: &[u8],
    fds: &[OwnedFd],
    wait: bool,
) -> io::Result<usize> {
    let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); CONTROL];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(Errno::TOOMANYREFS.into());
    }
    let wait = if wait { SendFlags::empty() } else { SendFlags::DONTWAIT };
    loop {
        match sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL | wait) {
            Err(Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}
