//! A Python object as a device of the library.

use std::array;
use std::ops::{Range, RangeInclusive};
use std::sync::atomic::Ordering;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use vfio_user::__private::{
    ByteBuf, Exchange, StateError, StateReader, StateWriter, WireType, as_bytes, interrupts,
    own_dma,
};
use vfio_user::declaration::{Descriptor, Hooks, Ids, Slot};
use vfio_user::pci::CommandBits;
use vfio_user::{Cx, Device, Hook, PciDevice, ResetKind, Result, Resumed, Timer};

use crate::catch::unwind;
use crate::core::{Core, Handles};
use crate::declaration::Declaration;
use crate::error::exception;
use crate::held::Held;
use crate::objects::Objects;
use crate::value::Value;

/// A device object, and what it was constructed with.
pub(crate) struct PyDevice {
    objects: Objects,
    /// Lent to the object while a hook runs.
    held: Held,
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
        let objects = Objects::of(object)?;
        if !objects.core().take() {
            return Err(exception(py, "HookError", "a bench or a server has this device already"));
        }
        let initial = objects.core().values().clone();
        let held = objects.core().take_held();
        Ok(PyDevice { objects, held, initial })
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
        &self.objects.device
    }

    fn core(&self) -> &Core {
        self.objects.core()
    }

    fn declaration(&self) -> &Declaration {
        self.objects.declaration()
    }

    /// Runs code of the author's; an exception ends the hook as a panic does.
    fn run<R>(
        &mut self,
        cx: &Cx<'_, Self>,
        call: impl FnOnce(Python<'_>, &Objects) -> PyResult<R>,
    ) -> R {
        let PyDevice { objects, held, .. } = self;
        held.now = Some(cx.now());
        let _entered = objects.core().enter();
        let _lent = objects.core().lend(held);
        Python::attach(|py| {
            call(py, objects).unwrap_or_else(|error| unwind(py, error, &objects.device))
        })
    }

    /// Calls a method, if the class has it.
    fn method<A>(&mut self, cx: &Cx<'_, Self>, name: &str, args: A)
    where
        A: for<'py> PyCallArgs<'py>,
    {
        if self.declaration().has_method(name) {
            self.run(cx, |py, objects| objects.device.bind(py).call_method1(name, args).map(drop));
        }
    }

    /// Calls a hook of a register with these arguments, after the index of the element.
    fn call_hook(&mut self, cx: &Cx<'_, Self>, slot: Slot, kind: Hooks, args: &[u64]) -> u64 {
        self.run(cx, |py, objects| match objects.call(py, (slot, kind), args)? {
            Some(result) if kind == Hooks::READ_WITH => result.extract(),
            Some(result) if kind == Hooks::LOCK_WITH => Ok(result.is_truthy()?.into()),
            _ => Ok(0),
        })
    }

    /// Calls the hook of a port for a read of `len` bytes.
    fn read_port(&mut self, cx: &Cx<'_, Self>, slot: Slot, len: u8) -> u64 {
        self.run(cx, |py, objects| {
            let read = objects.call(py, (slot, Hooks::READ_WITH), &[len])?;
            let data: Vec<u8> = read.map_or(Ok(Vec::new()), |read| read.extract())?;
            if data.len() != usize::from(len) {
                let text = format!("the hook of a port returns {} bytes of {len}", data.len());
                return Err(PyValueError::new_err(text));
            }
            let byte = |index| data.get(index).copied().unwrap_or(0);
            Ok(u64::from_le_bytes(array::from_fn(byte)))
        })
    }

    /// Calls the hook of a port for a write of these bytes.
    fn write_port(&mut self, cx: &Cx<'_, Self>, slot: Slot, bytes: &[u8]) -> u64 {
        self.run(cx, |py, objects| {
            let bytes = PyBytes::new(py, bytes);
            objects.call(py, (slot, Hooks::WRITE_WITH), &[bytes]).map(|_| 0)
        })
    }
}

impl Drop for PyDevice {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.core().return_held(held);
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
        self.core().connect(Handles {
            dma: own_dma(cx),
            interrupts: interrupts(cx),
            shared: array::from_fn(|bar| cx.shared(u8::try_from(bar).unwrap_or(0)).clone()),
            remote: cx.remote(),
        });
        self.method(cx, "start", ());
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, Posted(call): Posted) {
        self.run(cx, |py, _| call.bind(py).call0().map(drop));
    }

    fn quiesce(&mut self, cx: &mut Cx<'_, Self>) {
        self.method(cx, "quiesce", ());
    }

    fn resume(&mut self, cx: &mut Cx<'_, Self>, resumed: Resumed) {
        self.method(cx, "resume", (resumed == Resumed::Loaded,));
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, kind: ResetKind) {
        let declared = self.declaration().private().zip(&self.initial);
        for (value, (private, initial)) in self.core().values().iter_mut().zip(declared) {
            if !private.is_sticky {
                *value = initial.clone();
            }
        }
        self.method(cx, "reset", (name_of(kind),));
    }

    fn saving(&mut self, cx: &mut Cx<'_, Self>) {
        self.method(cx, "saving", ());
    }

    fn saved(&mut self, cx: &mut Cx<'_, Self>) {
        self.method(cx, "saved", ());
    }

    fn loaded(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.method(cx, "loaded", ());
        Ok(())
    }

    fn connected(&mut self, cx: &mut Cx<'_, Self>) {
        self.method(cx, "connected", ());
    }

    fn dma_mapped(&mut self, cx: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        self.method(cx, "dma_mapped", (*range.start(), *range.end()));
    }

    fn dma_unmapped(&mut self, cx: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        self.method(cx, "dma_unmapped", (*range.start(), *range.end()));
    }

    fn irqs_changed(&mut self, cx: &mut Cx<'_, Self>) {
        self.method(cx, "irqs_changed", ());
    }

    fn command_changed(&mut self, cx: &mut Cx<'_, Self>, old: CommandBits, new: CommandBits) {
        self.method(cx, "command_changed", (old.bits(), new.bits()));
    }

    fn disconnected(&mut self, cx: &mut Cx<'_, Self>) {
        self.method(cx, "disconnected", ());
    }
}

impl PciDevice for PyDevice {
    /// Stands for the declarations of the classes, which [`configure`](Device::configure) sets.
    const DESCRIPTOR: Descriptor = Descriptor::new(
        "python",
        Ids { vendor: 0, device: 0, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
    );

    fn load(&self, slot: Slot) -> u64 {
        self.core().element(slot).map_or(0, |bits| bits.load(Ordering::Relaxed))
    }

    fn store(&mut self, slot: Slot, bits: u64) {
        if let Some(element) = self.core().element(slot) {
            element.store(bits, Ordering::Relaxed);
        }
    }

    fn hook(&mut self, cx: &mut Cx<'_, Self>, slot: Slot, hook: Hook) -> u64 {
        match hook {
            Hook::Read => self.call_hook(cx, slot, Hooks::READ_WITH, &[]),
            Hook::Write(bits) => self.call_hook(cx, slot, Hooks::WRITE_WITH, &[bits]),
            Hook::AfterRead(bits) => self.call_hook(cx, slot, Hooks::ON_READ, &[bits]),
            Hook::AfterWrite(old, new) => self.call_hook(cx, slot, Hooks::ON_WRITE, &[old, new]),
            Hook::Kick => self.call_hook(cx, slot, Hooks::KICK, &[]),
            Hook::IsLocked => self.call_hook(cx, slot, Hooks::LOCK_WITH, &[]),
            Hook::Composed(bits) => self.call_hook(cx, slot, Hooks::ON_COMPOSED, &[bits]),
            Hook::ReadBytes(len) => self.read_port(cx, slot, len),
            Hook::WriteBytes(bits, len) => {
                let bytes = bits.to_le_bytes();
                self.write_port(cx, slot, &bytes[..usize::from(len).min(bytes.len())])
            }
        }
    }

    /// Called without a context: the hook reaches registers and private state alone.
    fn computed_status(&self, slot: Slot) -> u64 {
        Python::attach(|py| {
            let bits = self.objects.call::<u64>(py, (slot, Hooks::STATUS_WITH), &[]);
            let bits = bits.and_then(|bits| bits.map_or(Ok(0), |bits| bits.extract()));
            bits.unwrap_or_else(|error| unwind(py, error, &self.objects.device))
        })
    }

    fn memory(&self, index: usize) -> &[u8] {
        self.held.memories.get(index).map_or(&[], |memory| memory)
    }

    fn memory_mut(&mut self, index: usize) -> &mut [u8] {
        self.held.memories.get_mut(index).map_or(&mut [], |memory| memory)
    }

    fn memory_written(&mut self, cx: &mut Cx<'_, Self>, index: usize, range: Range<usize>) {
        self.run(cx, |py, objects| {
            let memory = objects.declaration().memories.get(index);
            let Some(hook) = memory.and_then(|memory| memory.hook.as_ref()) else { return Ok(()) };
            hook.bind(py).call1((&objects.device, range.start, range.end)).map(drop)
        });
    }

    fn timer(&self, slot: Slot) -> Option<&Timer> {
        self.held.timers.get(self.declaration().timer(slot)?)
    }

    fn timer_mut(&mut self, slot: Slot) -> Option<&mut Timer> {
        let index = self.declaration().timer(slot)?;
        self.held.timers.get_mut(index)
    }

    fn run_timer(&mut self, cx: &mut Cx<'_, Self>, slot: Slot) {
        self.run(cx, |py, objects| objects.run_timer(py, slot));
    }

    fn save_private(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        let declaration = self.declaration();
        let values = self.core().values();
        for (value, private) in values.iter().zip(&declaration.groups[0].private) {
            private.ty.write(&private.field, out, value)?;
        }
        for (own, bytes) in declaration.memories.iter().zip(&self.held.memories) {
            out.put(&own.field, WireType::of::<ByteBuf>(), &as_bytes(bytes))?;
        }
        Ok(())
    }

    fn read_private(&self, from: &mut StateReader<'_>) -> Result<Exchange<Self>, StateError> {
        let declaration = self.declaration();
        let mut values = Vec::new();
        for private in &declaration.groups[0].private {
            values.extend(private.ty.read(&private.field, from, None)?);
        }
        let mut memories = Vec::new();
        for own in &declaration.memories {
            let bytes: ByteBuf = from.take(&own.field, WireType::of::<ByteBuf>())?;
            from.check_elements(&own.field, bytes.len())?;
            memories.push(bytes.into_vec());
        }
        Ok(Box::new(move |device: &mut Self| {
            device.core().values()[..values.len()].swap_with_slice(&mut values);
            std::mem::swap(&mut device.held.memories, &mut memories);
        }))
    }

    fn save_block(
        &self,
        block: usize,
        elements: Range<usize>,
        out: &mut StateWriter<'_>,
    ) -> Result<(), StateError> {
        let group = &self.declaration().groups[block + 1];
        let values = self.core().values();
        for (index, private) in group.private.iter().enumerate() {
            let places = elements.clone().filter_map(|element| group.values.at(element, index, 0));
            let column: Vec<_> = places.map(|place| &values[place]).collect();
            private.ty.write_column(&private.field, out, &column)?;
        }
        Ok(())
    }

    fn read_block(
        &self,
        block: usize,
        elements: Range<usize>,
        from: &mut StateReader<'_>,
    ) -> Result<Exchange<Self>, StateError> {
        let group = &self.declaration().groups[block + 1];
        let mut read = Vec::new();
        for (index, private) in group.private.iter().enumerate() {
            let places = elements.clone().filter_map(|element| group.values.at(element, index, 0));
            read.extend(places.zip(private.ty.read(&private.field, from, Some(elements.len()))?));
        }
        Ok(Box::new(move |device: &mut Self| {
            let mut values = device.core().values();
            for (place, value) in &mut read {
                std::mem::swap(&mut values[*place], value);
            }
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
