//! The thread that serves the server's requests while no call waits.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::answer::serve;
use super::connection::Connection;
use super::memory::MemoryMaps;
use super::message_socket::MessageSocket;
use crate::eventfd::EventFd;
use crate::protocol::{MessageType, request_size};
use crate::transport::Receiver;

/// The thread that serves the server's requests while no call waits.
#[derive(Debug)]
pub(super) struct Service {
    /// The separate socket for the server's requests, if there is one.
    twin: Option<Arc<MessageSocket>>,
    /// The maximum data of a request.
    message_data: usize,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Ends the thread, whatever the server does to the socket, of which it may have a descriptor.
    stop: Arc<EventFd>,
}

impl Service {
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(super) fn new(twin: Option<MessageSocket>, message_data: usize) -> io::Result<Self> {
        let stop = Arc::new(EventFd::new()?);
        Ok(Service { twin: twin.map(Arc::new), message_data, thread: Mutex::default(), stop })
    }

    /// Starts the thread, once.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub(super) fn start(
        &self,
        connection: &Arc<Connection>,
        memory: &Arc<MemoryMaps>,
    ) -> io::Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return Ok(());
        }
        let builder = thread::Builder::new().name("vfio-user memory".to_owned());
        let started = if let Some(twin) = self.twin.clone() {
            let (memory, stop) = (Arc::clone(memory), Arc::clone(&self.stop));
            let message_data = self.message_data;
            builder.spawn(move || serve_all(&memory, &twin, message_data, &stop))
        } else {
            let connection = Arc::clone(connection);
            builder.spawn(move || connection.serve())
        };
        *thread = Some(started?);
        Ok(())
    }

    /// Waits for the thread, whose connection was shut down.
    pub(super) fn stop(&mut self) {
        self.stop.signal();
        if let Some(twin) = &self.twin {
            twin.shut_down();
        }
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // The caller's memory may have held the last reference to the client.
        if let Some(thread) = thread.filter(|it| it.thread().id() != thread::current().id()) {
            // If the caller's memory panicked, the panic was printed.
            let _ = thread.join();
        }
    }
}

/// Serves a socket that carries only requests of the server, until it ends or `stop` is signalled.
fn serve_all(memory: &MemoryMaps, link: &MessageSocket, message_data: usize, stop: &EventFd) {
    let mut receiver = Receiver::new(request_size(message_data), link.close_queue());
    while waits(link, stop) {
        // Without waiting, because the server may have changed the mode of the socket meanwhile.
        match receiver.fill(link.socket(), true) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return link.shut_down(),
        }
        if serve_received(memory, link, message_data, &mut receiver).is_err() {
            return link.shut_down();
        }
    }
}

/// Waits for a request. Returns whether to continue.
fn waits(link: &MessageSocket, stop: &EventFd) -> bool {
    let mut fds = [
        PollFd::new(link.socket(), PollFlags::POLLIN),
        PollFd::new(stop.as_fd(), PollFlags::POLLIN),
    ];
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) => !fds[1].any().unwrap_or(true),
        Err(errno) => errno == nix::errno::Errno::EINTR,
    }
}

fn serve_received(
    memory: &MemoryMaps,
    link: &MessageSocket,
    message_data: usize,
    receiver: &mut Receiver,
) -> io::Result<()> {
    while let Some(incoming) = receiver.next().map_err(io::Error::other)? {
        if incoming.header().message_type() == Some(MessageType::Command) {
            serve(memory, link, message_data, incoming)?;
        }
    }
    Ok(())
}
