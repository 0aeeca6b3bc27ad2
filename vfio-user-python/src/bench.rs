//! `vfio_user::Bench` for a device object.

use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use pyo3::exceptions::{PyIndexError, PyKeyError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use vfio_user::function::Peek;
use vfio_user::protocol::RegionIndex;
use vfio_user::{Error, ResetKind};

use crate::catch::catch;
use crate::device::PyDevice;
use crate::error::{OrRaise, construct, exception};

type Inner = vfio_user::Bench<PyDevice>;

/// A device without a client.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Bench {
    inner: Mutex<Inner>,
    irqs: u16,
}

#[pymethods]
impl Bench {
    #[new]
    fn new(py: Python<'_>, device: Bound<'_, PyAny>) -> PyResult<Self> {
        let device = PyDevice::new(device)?;
        let inner = py.detach(|| catch(|| Inner::new(device)))?.or_raise(py)?;
        let descriptor = inner.function().descriptor();
        let msix = descriptor.msix_layout().map_or(0, |msix| msix.vectors);
        let messages = if msix > 0 { msix } else { descriptor.msi_vectors() };
        let irqs = messages.max(descriptor.has_intx().into());
        Ok(Bench { inner: Mutex::new(inner), irqs })
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        region: u32,
        offset: u64,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut data = vec![0; length.min(1 << 20)];
        let region = RegionIndex::from(region);
        let read = self.run(py, |bench| bench.try_read(region, offset, &mut data))?;
        read.map_err(|errno| {
            let text = format!("read of {region} at {offset:#x}: {errno}");
            construct(py, "RefusedError", (text, errno.get()))
        })?;
        Ok(PyBytes::new(py, &data))
    }

    fn write(&self, py: Python<'_>, region: u32, offset: u64, data: Vec<u8>) -> PyResult<()> {
        let region = RegionIndex::from(region);
        let written = self.run(py, |bench| bench.try_write(region, offset, &data))?;
        written.map_err(|errno| {
            let text = format!("write of {region} at {offset:#x}: {errno}");
            construct(py, "RefusedError", (text, errno.get()))
        })
    }

    fn peek(&self, py: Python<'_>, name: &str) -> PyResult<u64> {
        let peeked = self.run(py, |bench| bench.function().peek(name))?;
        peeked.map(Peek::bits).map_err(|error| PyKeyError::new_err(error.to_string()))
    }

    fn poke(&self, py: Python<'_>, name: &str, value: u64) -> PyResult<()> {
        let poked = self.run(py, |bench| bench.function_mut().poke(name, value))?;
        poked.map_err(|error| PyKeyError::new_err(error.to_string()))
    }

    fn reset(&self, py: Python<'_>, kind: &str) -> PyResult<()> {
        let kind = match kind {
            "device" => ResetKind::Device,
            "function" => ResetKind::FunctionLevel,
            _ => {
                let text = format!("no reset {kind:?}; \"device\" and \"function\" are accepted");
                return Err(PyValueError::new_err(text));
            }
        };
        self.run(py, |bench| bench.reset_by(kind))
    }

    fn take_irq(&self, py: Python<'_>, number: u16) -> PyResult<u64> {
        self.check_irq(number)?;
        self.run(py, |bench| bench.take_irq(number))
    }

    fn wait_irq(&self, py: Python<'_>, number: u16, seconds: f64) -> PyResult<u64> {
        self.check_irq(number)?;
        let timeout = duration(seconds)?;
        let waited = self.run(py, |bench| bench.wait_irq(number, timeout))?;
        match waited {
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
                Err(PyTimeoutError::new_err(format!("no interrupt {number} in {seconds} s")))
            }
            waited => waited.or_raise(py),
        }
    }

    fn handle_events(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Inner::handle_events)
    }

    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let time = duration(seconds)?;
        self.run(py, |bench| bench.advance(time))
    }

    fn read_memory<'py>(
        &self,
        py: Python<'py>,
        iova: u64,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        check_memory(iova, length)?;
        let mut data = vec![0; length];
        self.run(py, |bench| bench.read_memory(iova, &mut data))?;
        Ok(PyBytes::new(py, &data))
    }

    fn write_memory(&self, py: Python<'_>, iova: u64, data: Vec<u8>) -> PyResult<()> {
        check_memory(iova, data.len())?;
        self.run(py, |bench| bench.write_memory(iova, &data))
    }

    fn save<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let has_state = |bench: &Inner| bench.function().descriptor().state().is_some();
        let state = self.run(py, |bench| has_state(bench).then(|| bench.save()))?;
        match state {
            Some(state) => Ok(PyBytes::new(py, &state)),
            None => Err(exception(py, "StateError", "the device does not migrate")),
        }
    }

    fn load(&self, py: Python<'_>, state: Vec<u8>) -> PyResult<()> {
        self.run(py, |bench| bench.load(&state))?.or_raise(py)
    }
}

impl Bench {
    /// Runs code on the device. Hooks take the interpreter's lock themselves.
    fn run<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&mut Inner) -> R + Send,
    ) -> PyResult<R> {
        let mut guard = self.lock(py)?;
        let inner = &mut *guard;
        py.detach(|| catch(|| call(inner)))
    }

    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Inner>> {
        match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(exception(py, "HookError", "a hook or another thread uses the bench"))
            }
        }
    }

    fn check_irq(&self, number: u16) -> PyResult<()> {
        if number < self.irqs {
            return Ok(());
        }
        let text = format!("interrupt {number}; the device declares {}", self.irqs);
        Err(PyIndexError::new_err(text))
    }
}

fn check_memory(iova: u64, length: usize) -> PyResult<()> {
    match iova.checked_add(length as u64) {
        Some(end) if end <= Inner::MEMORY => Ok(()),
        _ => Err(PyIndexError::new_err(format!(
            "{length} bytes at {iova:#x}; the bench has {:#x} bytes of memory",
            Inner::MEMORY
        ))),
    }
}

/// Returns a number of seconds as a duration.
pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| PyValueError::new_err(format!("{seconds} seconds: {error}")))
}
