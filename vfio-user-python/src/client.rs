//! The library's client.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyIndexError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use vfio_user::client::{self, AttachOptions, ClientRegion, Migration, PciView, RunningDevice};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Error, Result};

use crate::bench::duration;
use crate::core::lock;
use crate::error::{OrRaise, construct, exception};

/// A wait looks for signals of the process this often.
const SLICE: Duration = Duration::from_millis(50);

/// The most bytes of one read.
const MAX_READ: usize = 64 << 20;

/// An attached device.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Client {
    attached: Mutex<Option<Arc<Attached>>>,
}

enum Attached {
    /// Set up as by a driver.
    Pci(PciView),
    Raw(Arc<client::Client>),
}

#[pymethods]
impl Client {
    #[new]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        setup: bool,
        timeout: f64,
        patience: f64,
    ) -> PyResult<Self> {
        if timeout <= 0.0 {
            return Err(PyValueError::new_err("timeout is not positive"));
        }
        let (timeout, patience) = (duration(timeout)?, duration(patience)?);
        let deadline = Instant::now().checked_add(patience);
        // In slices, so that a signal ends the wait for a server.
        let client = loop {
            let now = Instant::now();
            let left = deadline.map_or(patience, |end| end.saturating_duration_since(now));
            let options =
                AttachOptions { timeout, patience: left.min(SLICE), ..AttachOptions::default() };
            match py.detach(|| client::Client::attach_with(&path, options)) {
                Err(Error::Socket { .. }) if left > SLICE => py.check_signals()?,
                attached => break attached.or_raise(py)?,
            }
        };
        let attached = if setup {
            py.detach(|| PciView::new(client)).map(Attached::Pci).or_raise(py)?
        } else {
            Attached::Raw(Arc::new(client))
        };
        Ok(Client { attached: Mutex::new(Some(Arc::new(attached))) })
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        region: u32,
        offset: u64,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if length > MAX_READ {
            let text = format!("a read of {length} bytes; at most {MAX_READ} are accepted");
            return Err(PyValueError::new_err(text));
        }
        let mut data = vec![0; length];
        self.call(py, |attached| attached.region(region)?.read_bytes(offset, &mut data))?;
        Ok(PyBytes::new(py, &data))
    }

    fn write(&self, py: Python<'_>, region: u32, offset: u64, data: Vec<u8>) -> PyResult<()> {
        self.call(py, |attached| attached.region(region)?.write_bytes(offset, &data))
    }

    fn region_size(&self, py: Python<'_>, region: u32) -> PyResult<u64> {
        let index = RegionIndex::from(region);
        self.call(py, |attached| Ok(attached.client().region_details(index)?.size))
    }

    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, |attached| match attached {
            Attached::Pci(view) => view.reset(),
            Attached::Raw(client) => client.reset(),
        })
    }

    fn enable_irqs(&self, py: Python<'_>, kind: &str, count: u32) -> PyResult<Vectors> {
        let attached = self.attached(py)?;
        let Attached::Pci(view) = &*attached else {
            return Err(exception(py, "Error", "interrupts need a client with setup=True"));
        };
        let vectors = py.detach(|| match kind {
            "msix" => view.enable_msix(count).map(Some),
            "msi" => view.enable_msi(count).map(Some),
            "intx" => view.enable_intx().map(Some),
            _ => Ok(None),
        });
        match vectors.or_raise(py)? {
            Some(vectors) => Ok(Vectors { vectors }),
            None => Err(PyValueError::new_err(format!(
                "there are no interrupts {kind:?}; msix, msi and intx are accepted"
            ))),
        }
    }

    /// Returns the numbers of vectors of MSI-X, MSI and INTx.
    fn irq_counts(&self, py: Python<'_>) -> PyResult<(u32, u32, u32)> {
        use vfio_user::protocol::IrqIndex::{Intx, Msi, Msix};
        self.call(py, |attached| {
            let count = |index| Ok::<_, Error>(attached.client().irq_details(index)?.count);
            Ok((count(Msix)?, count(Msi)?, count(Intx)?))
        })
    }

    fn allocate(&self, py: Python<'_>, size: u64) -> PyResult<DmaBuffer> {
        let attached = self.attached(py)?;
        let Attached::Pci(view) = &*attached else {
            return Err(exception(py, "Error", "memory needs a client with setup=True"));
        };
        let buffer = py.detach(|| view.allocate(size)).or_raise(py)?;
        Ok(DmaBuffer { buffer })
    }

    fn migrate(&self, py: Python<'_>, destination: &Client) -> PyResult<(u32, u64, f64)> {
        let (source, target) = (self.attached(py)?, destination.attached(py)?);
        let moved = py.detach(|| {
            let migration = Migration::new(source.client(), target.client());
            migration.run(|_| {
                Python::attach(|py| match py.check_signals() {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        error.restore(py);
                        ControlFlow::Break(())
                    }
                })
            })
        });
        if let Some(interrupted) = PyErr::take(py) {
            return Err(interrupted);
        }
        let report = moved.map_err(|error| {
            let running = match error.running {
                RunningDevice::Source => "source",
                RunningDevice::Neither(_) => "neither",
                _ => "unknown",
            };
            construct(py, "MigrationError", (error.to_string(), running))
        })?;
        Ok((report.rounds, report.bytes, report.downtime.as_secs_f64()))
    }

    fn close(&self, py: Python<'_>) {
        let attached = lock(&self.attached).take();
        py.detach(|| drop(attached));
    }
}

impl Client {
    fn attached(&self, py: Python<'_>) -> PyResult<Arc<Attached>> {
        let attached = lock(&self.attached).clone();
        attached.ok_or_else(|| exception(py, "DisconnectedError", "the client is closed"))
    }

    /// Runs a request. Other threads of Python run meanwhile.
    fn call<R: Send>(
        &self,
        py: Python<'_>,
        request: impl FnOnce(&Attached) -> Result<R> + Send,
    ) -> PyResult<R> {
        let attached = self.attached(py)?;
        let result = py.detach(|| request(&attached));
        py.check_signals()?;
        result.or_raise(py)
    }
}

impl Attached {
    fn client(&self) -> &client::Client {
        match self {
            Attached::Pci(view) => view.client(),
            Attached::Raw(client) => client,
        }
    }

    fn region(&self, index: u32) -> Result<ClientRegion<'_>> {
        match self {
            Attached::Pci(view) if index < 6 => {
                Ok(view.bar(u8::try_from(index).unwrap_or(u8::MAX))?)
            }
            _ => Ok(self.client().region(RegionIndex::from(index))),
        }
    }
}

/// Interrupts that a client has enabled.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Vectors {
    vectors: client::Vectors,
}

#[pymethods]
impl Vectors {
    fn __len__(&self) -> usize {
        self.vectors.eventfds().len()
    }

    fn take(&self, number: usize) -> PyResult<u64> {
        Ok(self.eventfd(number)?.take().unwrap_or(0))
    }

    fn wait(&self, py: Python<'_>, number: usize, seconds: f64) -> PyResult<u64> {
        let eventfd = self.eventfd(number)?;
        let deadline = Instant::now().checked_add(duration(seconds)?);
        loop {
            let now = Instant::now();
            let left = deadline.map_or(SLICE, |deadline| deadline.saturating_duration_since(now));
            if let Some(count) = py.detach(|| eventfd.wait(left.min(SLICE))).or_raise(py)? {
                return Ok(count);
            }
            py.check_signals()?;
            if left <= SLICE {
                return Err(PyTimeoutError::new_err(format!(
                    "no interrupt {number} in {seconds} s"
                )));
            }
        }
    }

    fn mask(&self, py: Python<'_>, number: u32) -> PyResult<()> {
        py.detach(|| self.vectors.mask(number)).or_raise(py)
    }

    fn unmask(&self, py: Python<'_>, number: u32) -> PyResult<()> {
        py.detach(|| self.vectors.unmask(number)).or_raise(py)
    }
}

impl Vectors {
    fn eventfd(&self, number: usize) -> PyResult<&vfio_user::EventFd> {
        self.vectors.eventfds().get(number).ok_or_else(|| {
            let count = self.vectors.eventfds().len();
            PyIndexError::new_err(format!("interrupt {number}; {count} are enabled"))
        })
    }
}

/// Memory that a client shares with the device.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct DmaBuffer {
    buffer: client::DmaBuffer,
}

#[pymethods]
impl DmaBuffer {
    #[getter]
    fn iova(&self) -> u64 {
        self.buffer.iova()
    }

    #[getter]
    fn size(&self) -> u64 {
        self.buffer.size()
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: u64,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let most = usize::try_from(self.buffer.size()).unwrap_or(usize::MAX);
        if length > most {
            let text = format!("{length} bytes; the buffer has {most}");
            return Err(PyIndexError::new_err(text));
        }
        let mut data = vec![0; length];
        let read = self.buffer.read(offset, &mut data);
        read.map_err(|error| PyIndexError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &data))
    }

    fn write(&self, offset: u64, data: Vec<u8>) -> PyResult<()> {
        let written = self.buffer.write(offset, &data);
        written.map_err(|error| PyIndexError::new_err(error.to_string()))
    }
}
