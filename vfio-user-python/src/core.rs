//! The part of a device object that the engine and Python share: its registers, its private state,
//! its timers and memories, and the handles for its hooks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::exceptions::{PyIndexError, PyOverflowError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use vfio_user::declaration::Slot;
use vfio_user::function::Interrupts;
use vfio_user::{Dma, Irq, PostError, Remote, Shared, SharedError, Timer};

use crate::bench::duration;
use crate::declaration::Declaration;
use crate::device::Posted;
use crate::error::{OrRaise, exception};
use crate::held::{Arm, Held};
use crate::value::{Value, wrong};

/// The most bytes of one read of memory.
const MAX_READ: usize = 16 << 20;

/// Returns room for a read.
fn buffer(length: usize) -> PyResult<Vec<u8>> {
    if length > MAX_READ {
        let text = format!("a read of {length} bytes; at most {MAX_READ} are accepted");
        return Err(PyOverflowError::new_err(text));
    }
    Ok(vec![0; length])
}

/// The registers, private state, timers, memories and handles of a device object.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Core {
    pub(crate) declaration: Py<Declaration>,
    registers: Vec<AtomicU64>,
    private: Mutex<Vec<Value>>,
    /// Set while a bench or a server has the device.
    is_used: AtomicBool,
    handles: Mutex<Option<Arc<Handles>>>,
    /// `None` while the engine has it, which is except in hooks.
    held: Mutex<Option<Held>>,
    /// The thread on which a hook runs.
    hook: Mutex<Option<ThreadId>>,
}

/// What hooks reach: memory, interrupts, and the device's own thread.
pub(crate) struct Handles {
    pub(crate) dma: Dma,
    pub(crate) interrupts: Arc<Interrupts>,
    /// By BAR.
    pub(crate) shared: [Shared; 6],
    pub(crate) remote: Remote<Posted>,
}

#[pymethods]
impl Core {
    #[new]
    fn new(declaration: Bound<'_, Declaration>) -> Self {
        let declared = declaration.get();
        let registers = declared.registers().map(AtomicU64::new).collect();
        let private = declared.private().map(|private| private.initial.clone()).collect();
        Core {
            registers,
            private: Mutex::new(private),
            is_used: AtomicBool::new(false),
            handles: Mutex::new(None),
            held: Mutex::new(Some(Held::new(declared))),
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
        let private = self.declaration.get().private_at(index).ok_or_else(|| no_slot(index))?;
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
        let handles = self.in_hook(py)?;
        let mut data = buffer(length)?;
        handles.dma.read(iova, &mut data).or_raise(py)?;
        Ok(PyBytes::new(py, &data))
    }

    fn write_dma(&self, py: Python<'_>, iova: u64, data: Vec<u8>) -> PyResult<()> {
        self.in_hook(py)?.dma.write(iova, &data).or_raise(py)
    }

    fn arm_timer(&self, py: Python<'_>, timer: usize, after: f64) -> PyResult<()> {
        self.arm(py, timer, Arm::Once(duration(after)?))
    }

    fn arm_timer_every(
        &self,
        py: Python<'_>,
        timer: usize,
        first: f64,
        period: f64,
    ) -> PyResult<()> {
        let arm = Arm::Every { first: duration(first)?, period: duration(period)? };
        self.arm(py, timer, arm)
    }

    fn arm_timer_again(&self, py: Python<'_>, timer: usize, period: f64) -> PyResult<()> {
        self.arm(py, timer, Arm::Again(duration(period)?))
    }

    fn cancel_timer(&self, py: Python<'_>, timer: usize) -> PyResult<()> {
        self.with_held(py, |held| {
            held.timers.get_mut(timer).into_iter().for_each(Timer::cancel);
        })
    }

    fn remaining(&self, py: Python<'_>, timer: usize) -> PyResult<Option<f64>> {
        self.with_held(py, |held| held.remaining(timer))
    }

    fn missed(&self, py: Python<'_>, timer: usize) -> PyResult<u64> {
        self.with_held(py, |held| held.timers.get(timer).map_or(0, Timer::missed))
    }

    fn read_memory<'py>(
        &self,
        py: Python<'py>,
        memory: usize,
        start: usize,
        end: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes =
            self.with_held(py, |held| held.read(memory, start..end).map(<[u8]>::to_vec))??;
        Ok(PyBytes::new(py, &bytes))
    }

    fn write_memory(
        &self,
        py: Python<'_>,
        memory: usize,
        start: usize,
        end: usize,
        data: Vec<u8>,
    ) -> PyResult<()> {
        self.with_held(py, |held| held.write(memory, start..end, &data))?
    }

    fn read_shared<'py>(
        &self,
        py: Python<'py>,
        bar: usize,
        offset: u64,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let handles = self.handles(py)?;
        let mut data = buffer(length)?;
        handles.shared[bar].read(offset, &mut data).map_err(not_shared)?;
        // What the guest stored before a word that was read is seen by later reads.
        fence(Ordering::Acquire);
        Ok(PyBytes::new(py, &data))
    }

    fn write_shared(&self, py: Python<'_>, bar: usize, offset: u64, data: Vec<u8>) -> PyResult<()> {
        let handles = self.handles(py)?;
        // A guest that sees this word also sees what was stored before it.
        fence(Ordering::Release);
        handles.shared[bar].write(offset, &data).map_err(not_shared)
    }

    fn clear_shared(&self, py: Python<'_>, bar: usize) -> PyResult<()> {
        self.handles(py)?.shared[bar].clear().map_err(not_shared)
    }

    fn post(&self, py: Python<'_>, call: Py<PyAny>) -> PyResult<()> {
        self.handles(py)?
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
    pub(crate) fn element(&self, slot: Slot) -> Option<&AtomicU64> {
        self.registers.get(self.declaration.get().register(slot)?)
    }

    /// Takes timers and memories for the engine.
    pub(crate) fn take_held(&self) -> Held {
        lock(&self.held).take().unwrap_or_default()
    }

    /// Returns timers and memories to the object.
    pub(crate) fn return_held(&self, held: Held) {
        *lock(&self.held) = Some(held);
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

    /// Lends timers and memories to the object, until the result is dropped.
    pub(crate) fn lend<'a>(&'a self, held: &'a mut Held) -> Lent<'a> {
        *lock(&self.held) = Some(std::mem::take(held));
        Lent { core: self, held }
    }

    /// Returns whether a hook of the device runs on this thread.
    fn is_in_hook(&self) -> bool {
        *lock(&self.hook) == Some(thread::current().id())
    }

    /// Returns the handles, if a bench or a server has the device.
    fn handles(&self, py: Python<'_>) -> PyResult<Arc<Handles>> {
        let handles = lock(&self.handles).clone();
        handles.ok_or_else(|| exception(py, "HookError", "the device is not served"))
    }

    /// Returns the handles, if a hook of the device runs on this thread.
    fn in_hook(&self, py: Python<'_>) -> PyResult<Arc<Handles>> {
        let handles = lock(&self.handles).clone().filter(|_| self.is_in_hook());
        handles.ok_or_else(|| only_hooks(py, "interrupts and memory"))
    }

    /// Uses timers and memories: in a hook, or before a bench or a server takes the device.
    fn with_held<R>(&self, py: Python<'_>, call: impl FnOnce(&mut Held) -> R) -> PyResult<R> {
        let is_used = self.is_used.load(Ordering::Acquire);
        let done = match &mut *lock(&self.held) {
            Some(held) if !is_used || self.is_in_hook() => Some(call(held)),
            _ => None,
        };
        // Python runs without the lock: a finalizer may use a timer.
        done.ok_or_else(|| only_hooks(py, "timers and memories"))
    }

    fn arm(&self, py: Python<'_>, timer: usize, arm: Arm) -> PyResult<()> {
        if !self.is_in_hook() {
            return Err(only_hooks(py, "timers"));
        }
        self.with_held(py, |held| held.arm(timer, arm))
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

/// While it lives, the object has timers and memories.
pub(crate) struct Lent<'a> {
    core: &'a Core,
    held: &'a mut Held,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.held = self.core.take_held();
    }
}

/// Locks; every holder leaves the value consistent, whatever panics elsewhere.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn only_hooks(py: Python<'_>, what: &str) -> PyErr {
    let text =
        format!("only hooks of the device may use its {what}; post(call) runs a call as a hook");
    exception(py, "HookError", text)
}

fn not_shared(error: SharedError) -> PyErr {
    PyIndexError::new_err(error.to_string())
}

fn no_slot(slot: usize) -> PyErr {
    PyIndexError::new_err(format!("there is no place {slot}"))
}
