//! Servers that end with their test.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;
use vfio_user::function::Function;
use vfio_user::{PciDevice, Result, Server, Shutdown};

use crate::PATIENCE;
use crate::raw::RawClient;
use crate::zoo::{Kit, Zoo};

/// A server on a thread. It is shut down and joined when this is dropped.
#[derive(Debug)]
pub struct Running {
    shutdown: Shutdown,
    done: Receiver<Result<()>>,
    thread: Option<JoinHandle<()>>,
    path: Option<PathBuf>,
    dir: Option<TempDir>,
}

impl Running {
    /// Runs `serve` on a server, in a thread.
    pub fn start<T>(
        server: Server,
        serve: impl FnOnce(Server) -> Result<T> + Send + 'static,
    ) -> Self {
        let shutdown = server.shutdown_handle();
        let (send, done) = sync_channel(1);
        let thread = thread::spawn(move || {
            let _ = send.send(serve(server).map(drop));
        });
        Running { shutdown, done, thread: Some(thread), path: None, dir: None }
    }

    /// Serves a device at a path in a directory of its own.
    ///
    /// # Panics
    ///
    /// If the socket cannot be created.
    pub fn at_path<D: PciDevice>(factory: impl FnMut() -> D + Send + 'static) -> Self {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("device.sock");
        let server = Server::bind(&path).expect("bind");
        let mut running = Self::start(server, |server| server.serve(factory));
        running.path = Some(path);
        running.dir = Some(dir);
        running
    }

    /// Returns the path that the server listens at.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn path(&self) -> &Path {
        self.path.as_deref().expect("a path")
    }

    /// Connects a new client and negotiates.
    ///
    /// # Panics
    ///
    /// If the server does not accept it.
    #[track_caller]
    pub fn client(&self) -> RawClient {
        let mut client = RawClient::connect(self.path());
        client.negotiate();
        client
    }

    /// Returns the handle that shuts the server down.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Waits until the server ends.
    ///
    /// # Errors
    ///
    /// The error of the server.
    ///
    /// # Panics
    ///
    /// If it does not end, or panicked.
    #[track_caller]
    pub fn join(mut self) -> Result<()> {
        let result = self.done.recv_timeout(PATIENCE).expect("the end of the server in time");
        self.finish();
        result
    }

    fn finish(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.shutdown();
        if self.thread.is_none() || thread::panicking() {
            return;
        }
        self.done.recv_timeout(PATIENCE).expect("the server ends").expect("without an error");
        self.finish();
    }
}

/// Serves a device over a socket pair, to a client that has sent nothing yet.
///
/// # Panics
///
/// If the system refuses.
pub fn over_pair<D: PciDevice>(
    factory: impl FnMut() -> D + Send + 'static,
) -> (Running, RawClient) {
    let (ours, theirs) = UnixStream::pair().expect("pair");
    let server = Server::from_stream(theirs).expect("server");
    (Running::start(server, |server| server.serve(factory)), RawClient::new(ours))
}

/// As [`over_pair`], for a function without a derive; the client has negotiated.
///
/// # Panics
///
/// If the system refuses.
pub fn function<F: Function + 'static>(function: F) -> (Running, RawClient) {
    let (running, mut client) = silent_function(function);
    client.negotiate();
    (running, client)
}

/// As [`over_pair`], for a function without a derive.
///
/// # Panics
///
/// If the system refuses.
pub fn silent_function<F: Function + 'static>(function: F) -> (Running, RawClient) {
    let (ours, theirs) = UnixStream::pair().expect("pair");
    let server = Server::from_stream(theirs).expect("server");
    let mut function = Some(function);
    let running = Running::start(server, move |server| {
        server.serve_functions(move || Ok(Box::new(function.take().expect("no panic"))))
    });
    (running, RawClient::new(ours))
}

/// Serves a [`Zoo`] over a socket pair, to a client that has negotiated.
///
/// # Panics
///
/// If the system refuses.
#[track_caller]
pub fn zoo() -> (Running, RawClient, Kit) {
    let (running, mut client, kit) = silent_zoo();
    client.negotiate();
    (running, client, kit)
}

/// Serves a [`Zoo`] over a socket pair, to a client that has sent nothing yet.
pub fn silent_zoo() -> (Running, RawClient, Kit) {
    let kit = Kit::default();
    let (running, client) = over_pair(Zoo::factory(&kit));
    (running, client, kit)
}

/// Serves a [`Zoo`] at a path.
pub fn zoo_at_path() -> (Running, Kit) {
    let kit = Kit::default();
    (Running::at_path(Zoo::factory(&kit)), kit)
}
