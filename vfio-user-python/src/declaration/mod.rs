//! A device class as a `Descriptor`.
//!
//! The engine borrows declarations for as long as the program runs, as those of Rust are constants.
//! So a class's data is leaked, once.

mod capability;
mod contents;
mod function;
mod group;
mod memory;
mod register;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use vfio_user::__private::StateLayout;
use vfio_user::declaration::{Descriptor, Slot};

use crate::error::{OrRaise, exception};
use capability::CapabilityOf;
use contents::{Contents, ContentsOf};
use function::{BarOf, IrqsOf, PciOf};
pub(crate) use group::{Group, Private};
use memory::MemoryOf;
pub(crate) use memory::OwnMemory;

/// The most registers, values of private state and timers in all elements of all blocks.
const MOST: u64 = 1 << 24;

/// The declaration of a device class.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Declaration {
    pub(crate) descriptor: Descriptor,
    /// The device's own registers, and behind them those of each block of the descriptor.
    pub(crate) groups: Vec<Group>,
    pub(crate) memories: Vec<OwnMemory>,
    pub(crate) methods: Vec<String>,
}

#[pymethods]
impl Declaration {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the package's own code calls it, once")]
    fn new(
        py: Python<'_>,
        name: String,
        doc: String,
        pci: PciOf,
        bars: Vec<BarOf>,
        irqs: IrqsOf,
        capabilities: Vec<CapabilityOf>,
        contents: ContentsOf<'_>,
        memories: Vec<MemoryOf>,
        methods: Vec<String>,
        migrate: bool,
        version: u16,
    ) -> PyResult<Self> {
        let mut descriptor = Descriptor::new(name.leak(), pci.ids()).with_doc(doc.leak());
        let default_bar = if let [only] = &bars[..] { only.index } else { 0 };
        for bar in bars {
            descriptor = descriptor.with_bar(bar.index, bar.declared());
        }
        descriptor = irqs.declare(py, descriptor)?;
        let capabilities = capabilities.into_iter().map(CapabilityOf::declared);
        let capabilities: Vec<_> = capabilities.collect::<PyResult<_>>()?;
        let contents = Contents::of(contents, default_bar, version)?;
        let ranges: Vec<_> = memories.iter().map(|memory| memory.declared(default_bar)).collect();
        descriptor = contents
            .declare(descriptor)
            .with_capabilities(capabilities.leak())
            .with_memories(ranges.leak());
        let memories: Vec<_> = memories.into_iter().map(OwnMemory::of).collect();
        let mut groups = contents.groups();
        if migrate {
            let fields = groups[0].private.iter().map(|private| private.field);
            let fields: Vec<_> = fields.chain(memories.iter().map(|own| own.field)).collect();
            descriptor = descriptor.with_state(StateLayout::new(version, 1, fields.leak()));
        }
        descriptor.validate().or_raise(py)?;
        if group::place(&mut groups, &descriptor) > MOST {
            let text = format!("at most {MOST} registers, timers and values of State are accepted");
            return Err(exception(py, "DeclarationError", text));
        }
        Ok(Declaration { descriptor, groups, memories, methods })
    }

    /// Returns the indices of the groups of a group's own blocks.
    fn children(&self, group: usize) -> Vec<usize> {
        self.groups.get(group).map(|group| group.children.clone()).unwrap_or_default()
    }

    /// Returns the index of the first register of an element, and the same for its values of
    /// private state and its timers.
    fn place(&self, group: usize, element: usize) -> (usize, usize, usize) {
        self.groups.get(group).map_or((0, 0, 0), |group| {
            let firsts = [&group.registers, &group.values, &group.timers];
            let [registers, values, timers] = firsts.map(|places| places.first_of(element));
            (registers, values, timers)
        })
    }
}

impl Declaration {
    /// Returns the group of a register or timer, and the element of the group.
    pub(crate) fn group(&self, slot: Slot) -> (&Group, usize) {
        match slot.block {
            None => (&self.groups[0], 0),
            Some(at) => (&self.groups[at.block + 1], at.element),
        }
    }

    /// Returns the index of a register among those of all elements.
    pub(crate) fn register(&self, slot: Slot) -> Option<usize> {
        let (group, element) = self.group(slot);
        group.registers.at(element, slot.register, slot.element)
    }

    /// Returns the index of a timer among those of all elements.
    pub(crate) fn timer(&self, slot: Slot) -> Option<usize> {
        let (group, element) = self.group(slot);
        group.timers.at(element, slot.register, slot.element)
    }

    /// Returns the value of each register before the device is constructed.
    pub(crate) fn registers(&self) -> impl Iterator<Item = u64> {
        self.groups.iter().flat_map(|group| repeat(&group.initial, group.elements)).copied()
    }

    /// Returns the private state of all elements.
    pub(crate) fn private(&self) -> impl Iterator<Item = &Private> {
        self.groups.iter().flat_map(|group| repeat(&group.private, group.elements))
    }

    /// Returns the declaration of a value of private state, by its index among all.
    pub(crate) fn private_at(&self, index: usize) -> Option<&Private> {
        self.groups.iter().find_map(|group| {
            let index = group.values.index_of(index, group.elements)?;
            group.private.get(index)
        })
    }

    /// Returns the names of private state that resets keep.
    pub(crate) fn sticky(&self) -> impl Iterator<Item = String> {
        self.groups.iter().enumerate().flat_map(|(index, group)| {
            let prefix = index.checked_sub(1).map_or(String::new(), |block| self.path(block) + ".");
            let sticky = group.private.iter().filter(|private| private.is_sticky);
            sticky.map(move |private| format!("{prefix}{}", private.field.name))
        })
    }

    /// Returns the name of a block, behind those of the blocks around it.
    fn path(&self, block: usize) -> String {
        let block = &self.descriptor.blocks()[block];
        match block.enclosing() {
            Some(around) => format!("{}.{}", self.path(around), block.name()),
            None => block.name().to_owned(),
        }
    }

    /// Returns the number of timers of all elements.
    pub(crate) fn timers(&self) -> usize {
        self.groups.iter().map(|group| group.timers.count(group.elements)).sum()
    }

    /// Returns whether the class has a method that the runtime calls.
    pub(crate) fn has_method(&self, name: &str) -> bool {
        self.methods.iter().any(|own| own == name)
    }
}

/// Returns the items of a list as often as there are elements.
fn repeat<T>(list: &[T], elements: usize) -> impl Iterator<Item = &T> {
    std::iter::repeat_n(list, elements).flatten()
}

fn unknown(what: &str, name: &str) -> PyErr {
    PyValueError::new_err(format!("there is no {what} {name:?}"))
}

/// Describes a device in a format of `--describe`.
#[pyfunction]
pub(crate) fn describe(declaration: &Declaration, format: &str) -> PyResult<String> {
    let describe = match format {
        "text" => vfio_user::describe::text,
        "markdown" => vfio_user::describe::markdown,
        "html" => vfio_user::describe::html,
        "json" => vfio_user::describe::json,
        "svd" => vfio_user::describe::svd,
        "c" => vfio_user::describe::c_header,
        "lspci" => vfio_user::describe::lspci,
        _ => {
            return Err(PyValueError::new_err(format!(
                "there is no format {format:?}; text, markdown, html, json, svd, c and lspci are \
                 accepted"
            )));
        }
    };
    Ok(describe(&declaration.descriptor))
}
