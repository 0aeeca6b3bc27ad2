//! A Python object as a device of the library.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use pyo3::IntoPyObjectExt;
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use vfio_user::__private::{Exchange, StateError, StateReader, StateWriter, interrupts, own_dma};
use vfio_user::declaration::{Descriptor, Hooks, Ids, Slot};
use vfio_user::pci::CommandBits;
use vfio_user::{Cx, Device, Hook, PciDevice, ResetKind, Result, Resumed};

use crate::catch::unwind;
use crate::core::{Core, Handles};
use crate::declaration::Declaration;
use crate::error::exception;
use crate::value::Value;

/// A device object, and what it was constructed with.
pub(crate) struct PyDevice {
    object: Py<PyAny>,
    core: Py<Core>,
    /// The private state that a reset restores.
    initial: Vec<Value>,
}

/// A call that runs on the device's thread.
pub(crate) struct Posted(pub(crate) Py<PyAny>);

impl PyDevice {
    /// Takes a device object.
    ///
    /// # Errors
    ///
    /// If it is no device, or a bench or a server has it already.
    pub(crate) fn new(object: Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let core = object.getattr("_core")?.cast_into::<Core>()?.unbind();
        if !core.get().take() {
            return Err(exception(py, "HookError", "a bench or a server has this device already"));
        }
        let initial = core.get().values().clone();
        Ok(PyDevice { object: object.unbind(), core, initial })
    }

    /// Calls a factory, as a server does.
    ///
    /// # Errors
    ///
    /// Those of the factory, and of [`new`](Self::new).
    pub(crate) fn construct(factory: &Py<PyAny>) -> PyResult<Self> {
        Python::attach(|py| factory.bind(py).call0().and_then(PyDevice::new))
    }

    /// Returns the object.
    pub(crate) fn object(&self) -> &Py<PyAny> {
        &self.object
    }

    fn core(&self) -> &Core {
        self.core.get()
    }

    fn declaration(&self) -> &Declaration {
        self.core().declaration.get()
    }

    /// Runs code of the author's; an exception ends the hook as a panic does.
    fn run<R>(&self, call: impl FnOnce(Python<'_>) -> PyResult<R>) -> R {
        let _entered = self.core().enter();
        Python::attach(|py| call(py).unwrap_or_else(|error| unwind(py, error, &self.object)))
    }

    /// Calls a method, if the class has it.
    fn method<A>(&self, name: &str, args: A)
    where
        A: for<'py> PyCallArgs<'py>,
    {
        if self.declaration().has_method(name) {
            self.run(|py| self.object.bind(py).call_method1(name, args).map(drop));
        }
    }

    /// Calls a hook of a register with these arguments, after the index of the element.
    fn call_hook(&self, slot: Slot, kind: Hooks, args: &[u64]) -> u64 {
        let Some(hook) = self.declaration().hook(slot.register, kind) else { return 0 };
        let is_array = self.declaration().arrays.get(slot.register) == Some(&true);
        let element = is_array.then_some(slot.element as u64);
        self.run(|py| {
            let own = self.object.clone_ref(py).into_bound(py);
            let numbers = element.iter().chain(args).map(|number| number.into_bound_py_any(py));
            let args = std::iter::once(Ok(own.into_any())).chain(numbers);
            let args = PyTuple::new(py, args.collect::<PyResult<Vec<_>>>()?)?;
            let result = hook.bind(py).call1(args)?;
            match kind {
                Hooks::READ_WITH => result.extract(),
                Hooks::LOCK_WITH => Ok(result.is_truthy()?.into()),
                _ => Ok(0),
            }
        })
    }
}

impl Drop for PyDevice {
    fn drop(&mut self) {
        self.core().release();
    }
}

impl Device for PyDevice {
    type Event = Posted;

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        *descriptor = self.declaration().descriptor.clone();
        Ok(())
    }

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        let handles = Handles { dma: own_dma(cx), interrupts: interrupts(cx), remote: cx.remote() };
        self.core().connect(handles);
        self.method("start", ());
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, Posted(call): Posted) {
        self.run(|py| call.bind(py).call0().map(drop));
    }

    fn quiesce(&mut self, _: &mut Cx<'_, Self>) {
        self.method("quiesce", ());
    }

    fn resume(&mut self, _: &mut Cx<'_, Self>, resumed: Resumed) {
        self.method("resume", (resumed == Resumed::Loaded,));
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        let declared = self.declaration().private.iter().zip(&self.initial);
        for (value, (private, initial)) in self.core().values().iter_mut().zip(declared) {
            if !private.is_sticky {
                *value = initial.clone();
            }
        }
        self.method("reset", (name_of(kind),));
    }

    fn saving(&mut self, _: &mut Cx<'_, Self>) {
        self.method("saving", ());
    }

    fn saved(&mut self, _: &mut Cx<'_, Self>) {
        self.method("saved", ());
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        self.method("loaded", ());
        Ok(())
    }

    fn connected(&mut self, _: &mut Cx<'_, Self>) {
        self.method("connected", ());
    }

    fn dma_mapped(&mut self, _: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        self.method("dma_mapped", (*range.start(), *range.end()));
    }

    fn dma_unmapped(&mut self, _: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        self.method("dma_unmapped", (*range.start(), *range.end()));
    }

    fn irqs_changed(&mut self, _: &mut Cx<'_, Self>) {
        self.method("irqs_changed", ());
    }

    fn command_changed(&mut self, _: &mut Cx<'_, Self>, old: CommandBits, new: CommandBits) {
        self.method("command_changed", (old.bits(), new.bits()));
    }

    fn disconnected(&mut self, _: &mut Cx<'_, Self>) {
        self.method("disconnected", ());
    }
}

impl PciDevice for PyDevice {
    /// Stands for the declarations of the classes, which [`configure`](Device::configure) sets.
    const DESCRIPTOR: Descriptor = Descriptor::new(
        "python",
        Ids { vendor: 0, device: 0, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
    );

    fn load(&self, slot: Slot) -> u64 {
        let element = self.core().element(slot.register, slot.element);
        element.map_or(0, |bits| bits.load(Ordering::Relaxed))
    }

    fn store(&mut self, slot: Slot, bits: u64) {
        if let Some(element) = self.core().element(slot.register, slot.element) {
            element.store(bits, Ordering::Relaxed);
        }
    }

    fn hook(&mut self, _: &mut Cx<'_, Self>, slot: Slot, hook: Hook) -> u64 {
        match hook {
            Hook::Read => self.call_hook(slot, Hooks::READ_WITH, &[]),
            Hook::Write(bits) => self.call_hook(slot, Hooks::WRITE_WITH, &[bits]),
            Hook::AfterRead(bits) => self.call_hook(slot, Hooks::ON_READ, &[bits]),
            Hook::AfterWrite(old, new) => self.call_hook(slot, Hooks::ON_WRITE, &[old, new]),
            Hook::Kick => self.call_hook(slot, Hooks::KICK, &[]),
            Hook::IsLocked => self.call_hook(slot, Hooks::LOCK_WITH, &[]),
            // Of composed interrupts and ports, which a class cannot declare.
            Hook::Composed(_) | Hook::ReadBytes(_) | Hook::WriteBytes(..) => 0,
        }
    }

    fn save_private(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        for (value, private) in self.core().values().iter().zip(&self.declaration().private) {
            value.write(&private.field, out)?;
        }
        Ok(())
    }

    fn read_private(&self, from: &mut StateReader<'_>) -> Result<Exchange<Self>, StateError> {
        let declared = self.declaration().private.iter();
        let values = declared.map(|private| private.ty.read(&private.field, from));
        let mut values: Vec<_> = values.collect::<Result<_, _>>()?;
        Ok(Box::new(move |device: &mut Self| {
            std::mem::swap(&mut *device.core().values(), &mut values);
        }))
    }
}

fn name_of(kind: ResetKind) -> &'static str {
    match kind {
        ResetKind::FunctionLevel => "function",
        ResetKind::PowerState => "power",
        ResetKind::Soft(_) => "soft",
        _ => "device",
    }
}
