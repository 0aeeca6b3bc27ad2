//! Servers: a device program, and a thread of a script.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use clap::{CommandFactory, FromArgMatches, Parser};
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use vfio_user::function::{Function, PciFunction};
use vfio_user::{Devices, Error, Handle, Options, Result, Shutdown, Socket};

use crate::catch::{catch, is_raised};
use crate::core::lock;
use crate::declaration::Declaration;
use crate::device::PyDevice;
use crate::error::OrRaise;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

/// Runs a device program: one device of `factory` for each socket.
#[pyfunction]
pub(crate) fn main(
    py: Python<'_>,
    declaration: &Declaration,
    factory: Py<PyAny>,
    arguments: Vec<String>,
) -> PyResult<()> {
    let descriptor = declaration.descriptor.clone();
    let about = format!("Serves `{}` over vfio-user", descriptor.name());
    let matches = Program::command().about(about).try_get_matches_from(arguments);
    let program = matches.and_then(|matches| Program::from_arg_matches(&matches));
    let program = program.map_err(|error| {
        // Nothing is left to do without a terminal.
        let _ = error.print();
        PySystemExit::new_err(error.exit_code())
    })?;
    let failed = Mutex::new(None);
    let construct = |_| {
        PyDevice::construct(&factory).unwrap_or_else(|error| {
            *lock(&failed) = Some(error);
            resume_unwind(Box::new("the constructor has raised an exception"))
        })
    };
    let run = || {
        let devices = Devices::new().with_declared(descriptor, construct);
        catch_unwind(AssertUnwindSafe(|| program.options.run_devices(devices)))
    };
    match py.detach(run) {
        Ok(result) => result.or_raise(py),
        Err(panic) => match lock(&failed).take() {
            Some(error) => Err(error),
            // The exception of `start`, which has been reported.
            None if is_raised(&*panic) => Err(PySystemExit::new_err(1)),
            None => resume_unwind(panic),
        },
    }
}

/// A device that a thread serves.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Server {
    shutdown: Shutdown,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
    device: Arc<Mutex<Option<Py<PyAny>>>>,
}

#[pymethods]
impl Server {
    #[new]
    fn new(
        py: Python<'_>,
        path: String,
        declaration: Py<Declaration>,
        factory: Py<PyAny>,
    ) -> PyResult<Self> {
        let device = Arc::default();
        let slot = Arc::clone(&device);
        let name = declaration.get().descriptor.name();
        // The device is constructed on this thread.
        let started =
            py.detach(move || catch(|| start(&path, name, move || create(&factory, &slot))));
        let (shutdown, thread) = started?.or_raise(py)?;
        Ok(Server { shutdown, thread: Mutex::new(Some(thread)), device })
    }

    fn device(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.device).as_ref().map(|device| device.clone_ref(py))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.shutdown.shutdown();
        let Some(thread) = lock(&self.thread).take() else { return Ok(()) };
        py.detach(|| thread.join().unwrap_or(Ok(()))).or_raise(py)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.shutdown();
    }
}

type Created = Result<Box<dyn Function>>;

fn create(factory: &Py<PyAny>, slot: &Mutex<Option<Py<PyAny>>>) -> Created {
    let device = PyDevice::construct(factory).map_err(|error| Error::Device(Box::new(error)))?;
    let object = Python::attach(|py| device.object().clone_ref(py));
    let function = PciFunction::new(device)?;
    *lock(slot) = Some(object);
    Ok(Box::new(function))
}

/// Starts a thread that serves a device, once the device is constructed and its socket listens.
fn start(
    path: &str,
    name: &str,
    factory: impl FnMut() -> Created + Send + 'static,
) -> Result<(Shutdown, JoinHandle<Result<()>>)> {
    let socket = Socket::bind(path)?;
    let (sender, receiver) = sync_channel::<Result<(Handle, Shutdown)>>(1);
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let server = match vfio_user::Server::new() {
            Ok(server) => server,
            Err(error) => return sender.send(Err(error)).map_err(|_| Error::Ended),
        };
        // The receiver waits for this.
        let _ = sender.send(Ok((server.handle(), server.shutdown_handle())));
        server.run().map(drop)
    })?;
    let (handle, shutdown) = receiver.recv().map_err(|_| Error::Ended)??;
    handle.add_function(socket, factory)?;
    Ok((shutdown, thread))
}
