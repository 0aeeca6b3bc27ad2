//! The state of registers besides their values: write-once bits that were written, and parts that
//! wait.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::PciFunction;
use super::columns::{BlockPart, Column, block_parts, own_columns};
use crate::bus::{Latch, RegisterState, RegisterStates};
use crate::device::PciDevice;
use crate::migration::{NO_NAMES, StateError, StateReader, StateWriter, is_removed};
use crate::model::{Descriptor, Register, Slot};

const WRITTEN: &str = "written_once";
const LATCHES: &str = "latches";
/// Present only if there are unread parts.
const UNREAD: &str = "unread";

impl<D: PciDevice> PciFunction<D> {
    /// Saves the state by the names of registers that have any.
    pub(super) fn save_register_states(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        let (mut written, mut latches) = (BTreeMap::new(), BTreeMap::new());
        let mut unread = BTreeMap::new();
        for Stateful { name, slots, .. } in stateful(&self.descriptor) {
            let states: Vec<_> = slots
                .iter()
                .map(|slot| *self.register_states.get(&self.descriptor, *slot))
                .collect();
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
fn parts(states: &[RegisterState], latch: impl Fn(&RegisterState) -> Latch) -> Vec<(u64, u64)> {
    states.iter().map(latch).map(|Latch { value, enable }| (value, enable)).collect()
}

/// Loads the state; that of removed registers is left out.
pub(super) fn load(
    from: &mut StateReader<'_>,
    descriptor: &Descriptor,
    removed: &[&str],
) -> Result<RegisterStates, StateError> {
    let mut written: BTreeMap<String, Vec<u64>> = from.take_named(WRITTEN)?;
    let mut latches: BTreeMap<String, Vec<(u64, u64)>> = from.take_named(LATCHES)?;
    let mut unread: BTreeMap<String, Vec<(u64, u64)>> = match from.find(UNREAD, &NO_NAMES) {
        Some(value) => from.decoded(UNREAD, &value)?,
        None => BTreeMap::new(),
    };
    let mut states = RegisterStates::new(descriptor);
    for register in stateful(descriptor) {
        let written = register.taken(from, WRITTEN, &mut written)?;
        let latches = register.taken(from, LATCHES, &mut latches)?;
        let unread = register.taken(from, UNREAD, &mut unread)?;
        let parts = latches.into_iter().zip(unread);
        for ((slot, written), (latch, unread)) in register.slots.iter().zip(written).zip(parts) {
            let state = states.of(descriptor, *slot);
            *state =
                RegisterState { written, latch: Latch::from(latch), unread: Latch::from(unread) };
            if !state.can_be_of(descriptor.register(*slot)) {
                let problem = format_args!("not those of `{}`", register.name);
                return Err(from.refuse_named(WRITTEN, problem));
            }
        }
    }
    let mut left = written.into_keys().chain(latches.into_keys()).chain(unread.into_keys());
    match left.find(|name| !was_removed(removed, name)) {
        Some(name) => {
            let problem = format_args!("`{name}` has no such state");
            Err(from.refuse_named(WRITTEN, problem))
        }
        None => Ok(states),
    }
}

/// Returns whether a register, or its block, was removed.
fn was_removed(removed: &[&str], name: &str) -> bool {
    let mut blocks = removed.iter().filter_map(|removed| removed.strip_prefix("block."));
    let is_in = |block: &str| name.strip_prefix(block).is_some_and(|rest| rest.starts_with('.'));
    is_removed(removed, name) || blocks.any(is_in)
}

/// Elements of a register with state besides their values: those of a field.
struct Stateful {
    name: String,
    /// The names in older streams.
    old_names: Vec<String>,
    slots: Vec<Slot>,
    /// Whether new elements follow the others: false if each block has an array of them.
    grows: bool,
}

impl Stateful {
    /// Returns the loaded state of the elements; none if the stream has none.
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
        // An array that has grown, with converted values.
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
    let own = own_columns(descriptor, Register::has_state).map(|column| of_column(&column, None));
    let blocks = block_parts(descriptor).flat_map(|part| {
        let columns = part.columns(descriptor, Register::has_state);
        columns.map(move |column| of_column(&column, Some(&part))).collect::<Vec<_>>()
    });
    own.chain(blocks).collect()
}

fn of_column(column: &Column, block: Option<&BlockPart>) -> Stateful {
    // Every name of the register, with every name of the block.
    let names = std::iter::once(column.name()).chain(column.old_names());
    let mut names: VecDeque<_> = match block {
        Some(part) => {
            let names: Vec<_> = names.collect();
            let blocks = part.block.paths();
            let in_block = |block: &String| {
                let block = part.part.name(block).into_owned();
                names.iter().map(move |name| format!("{block}.{name}"))
            };
            blocks.iter().flat_map(in_block).collect()
        }
        None => names.map(Cow::into_owned).collect(),
    };
    let name = names.pop_front().unwrap_or_default();
    let grows = block.is_none() || column.register.count() == 1;
    Stateful { name, old_names: names.into(), slots: column.slots().collect(), grows }
}
