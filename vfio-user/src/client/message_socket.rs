//! A socket to a server that several threads send on.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zerocopy::IntoBytes;

use crate::fds::{CloseQueue, PeerSocket};
use crate::protocol::Header;
use crate::transport::send_all;

/// A socket to a server. No receive and no send takes longer than its timeout.
#[derive(Debug)]
pub(super) struct MessageSocket {
    socket: PeerSocket,
    /// The message that is being sent; the lock keeps messages apart.
    message: Mutex<Vec<u8>>,
}

impl MessageSocket {
    pub(super) fn new(socket: UnixStream, timeout: Duration) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_write_timeout(Some(timeout))?;
        socket.set_read_timeout(Some(timeout))?;
        let socket = PeerSocket::new(socket, &CloseQueue::default());
        Ok(MessageSocket { socket, message: Mutex::default() })
    }

    /// Returns the queue on which descriptors of the server are closed.
    pub(super) fn close_queue(&self) -> &CloseQueue {
        self.socket.close_queue()
    }

    /// Returns the socket to receive from.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends a message in one piece, because some servers require that.
    ///
    /// # Errors
    ///
    /// Those of `sendmsg(2)`; the socket is shut down then, because half a message may have been
    /// sent.
    pub(super) fn send(
        &self,
        header: &Header,
        parts: &[&[u8]],
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut message = self.message.lock().unwrap_or_else(PoisonError::into_inner);
        message.clear();
        message.extend_from_slice(header.as_bytes());
        for part in parts {
            message.extend_from_slice(part);
        }
        let sent = send_all(self.socket(), &message, fds, &|| false);
        if sent.is_err() {
            self.shut_down();
        }
        sent
    }

    /// Ends the connection for both sides, and wakes a thread that receives.
    pub(super) fn shut_down(&self) {
        // It fails only if the server has already disconnected.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
