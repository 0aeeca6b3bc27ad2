//! The part of a device object that the engine and Python share: its registers, its private state,
//! and the handles for its hooks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::exceptions::{PyIndexError, PyOverflowError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use vfio_user::function::Interrupts;
use vfio_user::{Dma, Irq, PostError, Remote};

use crate::declaration::Declaration;
use crate::device::Posted;
use crate::error::{OrRaise, exception};
use crate::value::{Value, wrong};

/// The most bytes of one read of the client's memory.
const MAX_READ: usize = 16 << 20;

/// The registers, private state and handles of a device object.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Core {
    pub(crate) declaration: Py<Declaration>,
    registers: Vec<AtomicU64>,
    private: Mutex<Vec<Value>>,
    /// Set while a bench or a server has the device.
    is_used: AtomicBool,
    handles: Mutex<Option<Arc<Handles>>>,
    /// The thread on which a hook runs.
    hook: Mutex<Option<ThreadId>>,
}

/// What hooks reach: memory, interrupts, and the device's own thread.
pub(crate) struct Handles {
    pub(crate) dma: Dma,
    pub(crate) interrupts: Arc<Interrupts>,
    pub(crate) remote: Remote<Posted>,
}

#[pymethods]
impl Core {
    #[new]
    fn new(declaration: Bound<'_, Declaration>) -> Self {
        let declared = declaration.get();
        let registers = declared.initial.iter().map(|bits| AtomicU64::new(*bits)).collect();
        let private = declared.private.iter().map(|private| private.initial.clone()).collect();
        Core {
            registers,
            private: Mutex::new(private),
            is_used: AtomicBool::new(false),
            handles: Mutex::new(None),
            hook: Mutex::new(None),
            declaration: declaration.unbind(),
        }
    }

    fn load(&self, slot: usize) -> PyResult<u64> {
        let register = self.registers.get(slot).ok_or_else(|| no_slot(slot))?;
        Ok(register.load(Ordering::Relaxed))
    }

    fn store(&self, slot: usize, bits: u64) -> PyResult<()> {
        self.registers.get(slot).ok_or_else(|| no_slot(slot))?.store(bits, Ordering::Relaxed);
        Ok(())
    }

    fn private<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let value = self.values().get(index).cloned().ok_or_else(|| no_slot(index))?;
        value.to_python(py)
    }

    fn set_private(&self, index: usize, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let declared = &self.declaration.get().private;
        let private = declared.get(index).ok_or_else(|| no_slot(index))?;
        let (name, ty) = (private.field.name, private.ty);
        let value = ty.extract(value).map_err(|error| wrong(name, ty, &error))?;
        self.values()[index] = value;
        Ok(())
    }

    fn raise_irq(&self, py: Python<'_>, number: u16) -> PyResult<()> {
        self.irq(py, number).map(|irq| irq.raise())
    }

    fn set_irq(&self, py: Python<'_>, number: u16, level: bool) -> PyResult<()> {
        self.irq(py, number).map(|irq| irq.set(level))
    }

    fn withdraw_irq(&self, py: Python<'_>, number: u16) -> PyResult<()> {
        self.irq(py, number).map(|irq| irq.withdraw())
    }

    fn read_dma<'py>(
        &self,
        py: Python<'py>,
        iova: u64,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if length > MAX_READ {
            let text = format!("a read of {length} bytes; at most {MAX_READ} are accepted");
            return Err(PyOverflowError::new_err(text));
        }
        let handles = self.in_hook(py)?;
        let mut data = vec![0; length];
        handles.dma.read(iova, &mut data).or_raise(py)?;
        Ok(PyBytes::new(py, &data))
    }

    fn write_dma(&self, py: Python<'_>, iova: u64, data: Vec<u8>) -> PyResult<()> {
        self.in_hook(py)?.dma.write(iova, &data).or_raise(py)
    }

    fn post(&self, py: Python<'_>, call: Py<PyAny>) -> PyResult<()> {
        let handles = lock(&self.handles).clone();
        let Some(handles) = handles else {
            return Err(exception(py, "HookError", "the device is not served"));
        };
        handles
            .remote
            .post(Posted(call))
            .map_err(|error: PostError<Posted>| exception(py, "HookError", error))
    }
}

impl Core {
    /// Takes the device for a bench or a server. Returns whether it was free.
    pub(crate) fn take(&self) -> bool {
        !self.is_used.swap(true, Ordering::AcqRel)
    }

    /// Releases the device.
    pub(crate) fn release(&self) {
        *lock(&self.handles) = None;
        self.is_used.store(false, Ordering::Release);
    }

    /// Sets the handles for hooks.
    pub(crate) fn connect(&self, handles: Handles) {
        *lock(&self.handles) = Some(Arc::new(handles));
    }

    /// Returns an element of a register.
    pub(crate) fn element(&self, register: usize, element: usize) -> Option<&AtomicU64> {
        let first = self.declaration.get().slots.get(register)?;
        self.registers.get(first + element)
    }

    /// Returns the private state.
    pub(crate) fn values(&self) -> MutexGuard<'_, Vec<Value>> {
        lock(&self.private)
    }

    /// Notes that a hook runs on this thread, until the result is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        let outer = lock(&self.hook).replace(thread::current().id());
        Entered { core: self, outer }
    }

    /// Returns the handles, if a hook of the device runs on this thread.
    fn in_hook(&self, py: Python<'_>) -> PyResult<Arc<Handles>> {
        let is_hook = *lock(&self.hook) == Some(thread::current().id());
        let handles = lock(&self.handles).clone().filter(|_| is_hook);
        handles.ok_or_else(|| {
            let text = "only hooks of the device may use its interrupts and memory; \
                        post(call) runs a call as a hook";
            exception(py, "HookError", text)
        })
    }

    fn irq(&self, py: Python<'_>, number: u16) -> PyResult<Irq> {
        Ok(self.in_hook(py)?.interrupts.irq(number))
    }
}

/// While it lives, a hook runs.
pub(crate) struct Entered<'a> {
    core: &'a Core,
    outer: Option<ThreadId>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        *lock(&self.core.hook) = self.outer;
    }
}

/// Locks; every holder leaves the value consistent, whatever panics elsewhere.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_slot(slot: usize) -> PyErr {
    PyIndexError::new_err(format!("there is no place {slot}"))
}
