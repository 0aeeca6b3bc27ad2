//! What registers have besides their values: bits that were written once, and parts that wait.

use std::collections::BTreeMap;

use super::Hosted;
use crate::bus::{Latch, State, States};
use crate::device::PciDevice;
use crate::migration::{StateError, StateReader, StateWriter};
use crate::model::{Descriptor, Register, Slot};

const WRITTEN: &str = "written_once";
const LATCHES: &str = "latches";
/// Only there if there are any.
const UNREAD: &str = "unread";

impl<D: PciDevice> Hosted<D> {
    /// By the names of registers; only of those that have any.
    pub(super) fn save_states(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        let (mut written, mut latches) = (BTreeMap::new(), BTreeMap::new());
        let mut unread = BTreeMap::new();
        for Stateful { name, slots, .. } in stateful(&self.descriptor) {
            let states: Vec<_> =
                slots.iter().map(|slot| *self.states.get(&self.descriptor, *slot)).collect();
            if states.iter().any(|state| state.written != 0) {
                let bits: Vec<_> = states.iter().map(|state| state.written).collect();
                written.insert(name.clone(), bits);
            }
            if states.iter().any(|state| state.latch != Latch::default()) {
                latches.insert(name.clone(), parts(&states, |state| state.latch));
            }
            if states.iter().any(|state| state.unread != Latch::default()) {
                unread.insert(name, parts(&states, |state| state.unread));
            }
        }
        out.put_named(WRITTEN, &written)?;
        out.put_named(LATCHES, &latches)?;
        if unread.is_empty() { Ok(()) } else { out.put_named(UNREAD, &unread) }
    }
}

/// The value and the bytes of a latch of each element.
fn parts(states: &[State], latch: impl Fn(&State) -> Latch) -> Vec<(u64, u64)> {
    states.iter().map(latch).map(|Latch { value, enable }| (value, enable)).collect()
}

/// All of it; that of registers that were removed is left out.
pub(super) fn load(
    from: &mut StateReader<'_>,
    descriptor: &Descriptor,
    removed: &[&str],
) -> Result<States, StateError> {
    let mut written: BTreeMap<String, Vec<u64>> = from.take_named(WRITTEN)?;
    let mut latches: BTreeMap<String, Vec<(u64, u64)>> = from.take_named(LATCHES)?;
    let mut unread: BTreeMap<String, Vec<(u64, u64)>> = match from.find(UNREAD, &[]) {
        Some(value) => from.decoded(UNREAD, &value)?,
        None => BTreeMap::new(),
    };
    let mut states = States::new(descriptor);
    for register in stateful(descriptor) {
        let written = register.taken(from, WRITTEN, &mut written)?;
        let latches = register.taken(from, LATCHES, &mut latches)?;
        let unread = register.taken(from, UNREAD, &mut unread)?;
        let parts = latches.into_iter().zip(unread);
        for ((slot, written), (latch, unread)) in register.slots.iter().zip(written).zip(parts) {
            let state = states.of(descriptor, *slot);
            *state = State { written, latch: Latch::from(latch), unread: Latch::from(unread) };
            if !state.can_be_of(descriptor.register(*slot)) {
                let problem = format_args!("not those of `{}`", register.name);
                return Err(from.refuse_named(WRITTEN, problem));
            }
        }
    }
    let mut left = written.into_keys().chain(latches.into_keys()).chain(unread.into_keys());
    match left.find(|name| !removed.contains(&name.as_str())) {
        Some(name) => {
            let problem = format_args!("`{name}` is no register that has such state");
            Err(from.refuse_named(WRITTEN, problem))
        }
        None => Ok(states),
    }
}

/// A register that has more state than its value, with all of its elements.
struct Stateful {
    name: String,
    /// Its names in older streams.
    old_names: Vec<String>,
    slots: Vec<Slot>,
    /// Elements that are new come behind the others: not if each block has an array of them.
    grows: bool,
}

impl Stateful {
    /// What is kept of it; nothing, if nothing came.
    fn taken<T: Copy + Default>(
        &self,
        from: &StateReader<'_>,
        field: &str,
        map: &mut BTreeMap<String, Vec<T>>,
    ) -> Result<Vec<T>, StateError> {
        let len = self.slots.len();
        let mut names = std::iter::once(&self.name).chain(&self.old_names);
        let values = names.find_map(|name| map.remove(name));
        let mut values = values.unwrap_or_else(|| vec![T::default(); len]);
        // An array that has grown, whose values have been converted.
        if self.grows && values.len() < len {
            values.resize(len, T::default());
        }
        if values.len() == len {
            return Ok(values);
        }
        Err(from.refuse_named(field, format_args!("`{}` has {len} elements", self.name)))
    }
}

fn stateful(descriptor: &Descriptor) -> Vec<Stateful> {
    let mut found: BTreeMap<String, Stateful> = BTreeMap::new();
    for (register, slot) in descriptor.slots_with(Register::has_state) {
        let block = slot.block.map(|at| &descriptor.declared_blocks()[at.block]);
        let in_block = |block: &str, name: &str| format!("{block}.{name}");
        let name = |name: &str| match block {
            Some(block) => in_block(block.name(), name),
            None => name.to_owned(),
        };
        // Under every name of the block, every name of the register.
        let old = register.declared_old_names().iter().copied().chain([register.name()]);
        let old_names = || match block {
            Some(block) => {
                let of = |name| block.names().map(move |block| in_block(block, name));
                old.clone().flat_map(of).collect()
            }
            None => old.clone().map(str::to_owned).collect(),
        };
        let grows = block.is_none() || register.count() == 1;
        let new = || Stateful {
            name: name(register.name()),
            old_names: old_names(),
            slots: Vec::new(),
            grows,
        };
        found.entry(name(register.name())).or_insert_with(new).slots.push(slot);
    }
    found.into_values().collect()
}
