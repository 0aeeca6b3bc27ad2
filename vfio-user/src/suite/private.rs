//! Private fields that are saved.

use std::collections::{BTreeMap, BTreeSet};

use super::elements::Elements;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::{Descriptor, MemoryRange, MemoryReset, ResetKind};

/// Private fields with relaxed checks, by name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spared {
    /// They survive resets.
    pub(super) sticky: &'static [&'static str],
    /// They survive function-level resets.
    pub(super) keep_on_flr: &'static [&'static str],
    /// They survive soft resets.
    pub(super) keep_on_soft: &'static [&'static str],
    /// They change without an access.
    pub(super) volatile: &'static [&'static str],
}

impl Spared {
    /// No field is exempt.
    pub(super) const NOTHING: Spared =
        Spared { sticky: &[], keep_on_flr: &[], keep_on_soft: &[], volatile: &[] };

    /// Checks that every name is that of a private field that is saved, or of a timer.
    pub(super) fn check(self, descriptor: &Descriptor) {
        let known = names(descriptor);
        let kept = self.keep_on_flr.iter().chain(self.keep_on_soft);
        for name in self.sticky.iter().chain(kept).chain(self.volatile) {
            let is_there = known.contains(*name);
            assert!(
                is_there,
                "`{name}` is spared, but there is no such private field that is saved, and no such \
                 timer"
            );
        }
    }

    /// Returns the fields that may differ from a new device after a reset.
    pub(super) fn survivors(self, kind: ResetKind, descriptor: &Descriptor) -> Vec<&'static str> {
        let kept = match kind {
            ResetKind::FunctionLevel => self.keep_on_flr,
            ResetKind::Soft(_) => self.keep_on_soft,
            ResetKind::Device | ResetKind::PowerState => &[],
        };
        let memories = descriptor.memories().iter();
        let memories = memories.filter(|memory| memory.reset() == MemoryReset::Keep);
        let memories: Vec<_> = memories.map(MemoryRange::name).collect();
        [self.sticky, kept, self.volatile, &memories].concat()
    }
}

/// Returns the names of the fields and timers of the device and of its blocks.
fn names(descriptor: &Descriptor) -> BTreeSet<String> {
    let own = descriptor.state().into_iter().flat_map(|state| state.fields);
    let mut names: BTreeSet<_> = own.map(|field| field.name.to_owned()).collect();
    for block in descriptor.blocks() {
        let fields = block.state().into_iter().flat_map(|state| state.fields);
        names.extend(fields.map(|field| format!("{}.{}", block.path(), field.name)));
    }
    names.extend(descriptor.timer_slots().map(|slot| super::timers::column(descriptor, slot)));
    names
}

/// The values of all fields, as they are saved.
#[derive(Debug)]
pub(super) struct Private(BTreeMap<String, Vec<u8>>);

impl Private {
    pub(super) fn take<D: PciDevice>(bench: &Bench<D>) -> Self {
        match bench.function().private_state() {
            Ok(fields) => Private(fields),
            Err(error) => panic!("the device does not save its state: {error}"),
        }
    }

    /// Returns a field with another value, except the exempt ones.
    pub(super) fn difference<'a>(&'a self, other: &'a Self, spared: &[&str]) -> Option<&'a str> {
        let names = self.0.keys().chain(other.0.keys()).map(String::as_str);
        let mut names = names.filter(|name| !spared.contains(name));
        names.find(|name| self.0.get(*name) != other.0.get(*name))
    }
}

/// Checks that no value is stored where a register has no bits: a migration would lose it.
pub(super) fn check_reserved<D: PciDevice>(bench: &Bench<D>, elements: &Elements) {
    let stored = elements.all().iter().filter(|element| element.register.is_stored());
    for element in stored {
        let reserved = bench.device().load(element.slot) & !element.implemented;
        assert!(
            reserved == 0,
            "the device has stored {reserved:#x} in reserved bits of {element}, which no read \
             shows and no migration moves"
        );
    }
}
