//! Devices that are recorded over a socket.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{self, JoinHandle};

use vfio_user::client::{AttachOptions, Client, PciView};
use vfio_user::function::{Function, PciFunction};
use vfio_user::record::Recorded;
use vfio_user::{Error, PciDevice, Result, Server, ServerEnd};

use crate::PATIENCE;

/// Serves a device to `drive`, and records it in a file.
///
/// # Panics
///
/// If the device cannot be served or recorded.
pub fn record<D: PciDevice>(device: D, path: &Path, drive: impl FnOnce(&PciView)) {
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    let path = path.to_owned();
    let server: JoinHandle<Result<ServerEnd>> = thread::spawn(move || {
        let recorded = Recorded::new(PciFunction::new(device)?, path)?;
        let mut function: Option<Box<dyn Function>> = Some(Box::new(recorded));
        // The recording of a device that panics ends with the panic.
        Server::from_stream(theirs)?
            .serve_functions(|| function.take().ok_or_else(|| Error::device("the device panicked")))
    });
    let options =
        AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
    let client = Client::from_stream(ours, options).expect("a client");
    let function = PciView::new(client).expect("a function");
    drive(&function);
    drop(function);
    server.join().expect("the server's thread").expect("the server");
}
