//! The Python objects of a device, and calls of their hooks.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use vfio_user::declaration::{Hooks, Slot};

use crate::core::Core;
use crate::declaration::Declaration;

/// A device object, and those of its blocks.
pub(crate) struct Objects {
    pub(crate) device: Py<PyAny>,
    pub(crate) core: Py<Core>,
    /// The elements of each block.
    elements: Vec<Vec<Py<PyAny>>>,
}

/// A hook of a register or timer, with the object that has it.
#[derive(Clone, Copy)]
struct BoundHook<'a> {
    hook: &'a Py<PyAny>,
    object: &'a Py<PyAny>,
    /// The element of an array.
    element: Option<usize>,
}

impl Objects {
    /// Takes a device object apart.
    ///
    /// # Errors
    ///
    /// If it is no device.
    pub(crate) fn of(device: Bound<'_, PyAny>) -> PyResult<Self> {
        let core = device.getattr("_core")?.cast_into::<Core>()?.unbind();
        let elements = device.getattr("_elements")?.extract()?;
        Ok(Objects { device: device.unbind(), core, elements })
    }

    pub(crate) fn core(&self) -> &Core {
        self.core.get()
    }

    pub(crate) fn declaration(&self) -> &Declaration {
        self.core().declaration.get()
    }

    /// Calls a hook of a register; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// The exception of the hook.
    pub(crate) fn call<'py, T>(
        &self,
        py: Python<'py>,
        (slot, kind): (Slot, Hooks),
        args: &[T],
    ) -> PyResult<Option<Bound<'py, PyAny>>>
    where
        T: Clone + IntoPyObjectExt<'py>,
    {
        let (group, _) = self.declaration().group(slot);
        let is_array = group.arrays.get(slot.register) == Some(&true);
        let hook = group.hook(slot.register, kind).and_then(|hook| self.bind(slot, hook, is_array));
        hook.map(|hook| hook.call(py, args)).transpose()
    }

    /// Calls the hook of a timer.
    ///
    /// # Errors
    ///
    /// The exception of the hook.
    pub(crate) fn run_timer(&self, py: Python<'_>, slot: Slot) -> PyResult<()> {
        let alarm = self.declaration().group(slot).0.alarms.get(slot.register);
        let hook = alarm.and_then(|alarm| self.bind(slot, &alarm.hook, alarm.is_array));
        hook.map_or(Ok(()), |hook| hook.call::<u64>(py, &[]).map(drop))
    }

    /// Returns a hook with the object of the device or block that a slot belongs to.
    fn bind<'a>(
        &'a self,
        slot: Slot,
        hook: &'a Py<PyAny>,
        is_array: bool,
    ) -> Option<BoundHook<'a>> {
        let object = match slot.block {
            Some(at) => self.elements.get(at.block)?.get(at.element)?,
            None => &self.device,
        };
        Some(BoundHook { hook, object, element: is_array.then_some(slot.element) })
    }
}

impl BoundHook<'_> {
    fn call<'py, T>(self, py: Python<'py>, args: &[T]) -> PyResult<Bound<'py, PyAny>>
    where
        T: Clone + IntoPyObjectExt<'py>,
    {
        let object = self.object.bind(py).clone();
        let element = self.element.map(|element| element.into_bound_py_any(py));
        let args = args.iter().map(|arg| arg.clone().into_bound_py_any(py));
        let args = std::iter::once(Ok(object)).chain(element).chain(args);
        self.hook.bind(py).call1(PyTuple::new(py, args.collect::<PyResult<Vec<_>>>()?)?)
    }
}
