//! Groups of registers, and the places of their parts in a device object.

use pyo3::prelude::*;
use vfio_user::__private::StateField;
use vfio_user::declaration::{Descriptor, Hooks, Register};

use super::register::OwnHooks;
use crate::value::{Type, Value};

/// The registers, timers and private state of a device itself, or of each element of a block.
pub(crate) struct Group {
    pub(crate) hooks: Vec<OwnHooks>,
    /// Whether each register is an array, which may have one element.
    pub(crate) arrays: Vec<bool>,
    /// The value of each element of a register before the device is constructed.
    pub(crate) initial: Vec<u64>,
    pub(crate) private: Vec<Private>,
    pub(crate) alarms: Vec<Alarm>,
    /// The groups of its own blocks, by their indices.
    pub(crate) children: Vec<usize>,
    pub(crate) elements: usize,
    pub(crate) registers: Places,
    pub(crate) values: Places,
    pub(crate) timers: Places,
}

/// A field of private state.
#[derive(Clone)]
pub(crate) struct Private {
    pub(crate) field: StateField,
    pub(crate) ty: Type,
    pub(crate) initial: Value,
    pub(crate) is_sticky: bool,
}

/// The hook of a timer.
pub(crate) struct Alarm {
    pub(crate) hook: Py<PyAny>,
    pub(crate) is_array: bool,
}

/// The places of registers, values or timers among those of the whole device: those of an element
/// of a group are adjacent.
#[derive(Default)]
pub(crate) struct Places {
    first: usize,
    /// The place of each in an element.
    offsets: Vec<usize>,
    /// The number of places of an element.
    each: usize,
}

impl Group {
    /// Returns the hook of a kind.
    pub(crate) fn hook(&self, register: usize, kind: Hooks) -> Option<&Py<PyAny>> {
        let hooks = self.hooks.get(register)?;
        hooks.iter().find(|(own, _)| *own == kind).map(|(_, hook)| hook)
    }
}

impl Places {
    /// Places parts with these numbers of elements behind each other.
    pub(super) fn of(counts: impl Iterator<Item = usize>) -> Self {
        let mut places = Places::default();
        for count in counts {
            places.offsets.push(places.each);
            places.each += count;
        }
        places
    }

    /// Returns the first place of an element of the group.
    pub(crate) fn first_of(&self, element: usize) -> usize {
        self.first + element * self.each
    }

    /// Returns a place in an element of the group.
    pub(crate) fn at(&self, element: usize, index: usize, inner: usize) -> Option<usize> {
        Some(self.first_of(element) + self.offsets.get(index)? + inner)
    }

    /// Returns which part of an element lies at a place, if it is one of these elements.
    pub(super) fn index_of(&self, place: usize, elements: usize) -> Option<usize> {
        let distance = place.checked_sub(self.first)?;
        (distance < self.count(elements)).then(|| distance % self.each)
    }

    /// Returns the number of places of these elements.
    pub(crate) fn count(&self, elements: usize) -> usize {
        self.each * elements
    }
}

/// Sets the number of elements of each group, and the places of its parts. Returns the number of
/// places.
pub(super) fn place(groups: &mut [Group], descriptor: &Descriptor) -> u64 {
    let counts = descriptor.blocks().iter().map(|block| block.count() as usize);
    let mut next = [0_usize; 3];
    for (group, elements) in groups.iter_mut().zip(std::iter::once(1).chain(counts)) {
        group.elements = elements;
        let all = [&mut group.registers, &mut group.values, &mut group.timers];
        for (places, next) in all.into_iter().zip(&mut next) {
            places.first = *next;
            *next = next.saturating_add(places.each.saturating_mul(elements));
        }
    }
    next.into_iter().fold(0, |sum: u64, count| sum.saturating_add(count as u64))
}

/// Returns the values of a class's registers before the device is constructed.
pub(super) fn initial(registers: &[Register]) -> Vec<u64> {
    let values = registers.iter().flat_map(|register| {
        std::iter::repeat_n(register.reset().unwrap_or(0), register.count() as usize)
    });
    values.collect()
}
