//! Names of what is accessed, for people.

use std::fmt::Write as _;

use super::observer::{Elsewhere, Observer, Operation, Place};
use super::wire::LastAccess;
use crate::model::{Descriptor, Slot};

/// Returns the last accesses, by name.
pub(super) fn last(observer: &Observer) -> Vec<LastAccess> {
    let accesses = observer.last().into_iter();
    let named = accesses.map(|access| LastAccess {
        number: access.number,
        nanoseconds: u64::try_from(access.time.as_nanos()).unwrap_or(u64::MAX),
        name: name(observer, access.place),
        operation: match access.operation {
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Kick => "kick",
        }
        .to_owned(),
        value: access.value,
    });
    named.collect()
}

/// `status`, `configuration space + 0x4`, `buffer + 0x10`, `BAR 0 + 0x44`.
fn name(observer: &Observer, place: Place) -> String {
    let numbering = observer.numbering();
    match place {
        Place::Register(number) => {
            let slot = numbering.slot(number);
            slot.map(|slot| numbering.name(slot).to_string()).unwrap_or_default()
        }
        Place::Elsewhere(what, bar, offset) => {
            let (name, start) = range(numbering.descriptor(), what, bar, offset);
            format!("{name} + {:#x}", offset - start)
        }
    }
}

/// Returns the name of the range that a byte is in, and its start.
fn range(descriptor: &Descriptor, what: Elsewhere, bar: u8, offset: u64) -> (String, u64) {
    let is_it = |at: u8, start, end| at == bar && (start..end).contains(&offset);
    let found = match what {
        Elsewhere::Memory => {
            let mut all = descriptor.memories().iter();
            let memory = all.find(|one| is_it(one.bar(), one.start(), one.end()));
            memory.map(|one| (one.name(), one.start()))
        }
        Elsewhere::Unmodelled => {
            let mut all = descriptor.unmodelled().iter();
            let place = all.find(|one| is_it(one.bar(), one.start(), one.end()));
            place.map(|one| (one.name(), one.start()))
        }
        Elsewhere::Config | Elsewhere::MsixTable | Elsewhere::MsixPba => Some((what.name(), 0)),
        _ => None,
    };
    match found {
        Some((name, start)) => (name.to_owned(), start),
        None => (format!("BAR {bar}"), 0),
    }
}

/// Returns the name of a register without indices: `queues.tail`.
pub(super) fn declared(observer: &Observer, number: usize) -> String {
    let numbering = observer.numbering();
    let Some(slot) = numbering.declared(number) else { return String::new() };
    let full = numbering.name(slot).to_string();
    // The first element of everything.
    full.replace("[0]", "")
}

/// Returns the fields that are not zero: `computing, mode=Fast`.
pub(super) fn set(observer: &Observer, slot: Slot, bits: u64) -> String {
    let register = observer.numbering().descriptor().register(slot);
    let mut text = String::new();
    for field in register.fields() {
        let value = field.extract(bits);
        if value == 0 {
            continue;
        }
        let before = if text.is_empty() { "" } else { ", " };
        // A string takes all text.
        let _ = match (field.width, field.values.name(value)) {
            (_, Some(name)) => write!(text, "{before}{}={name}", field.name),
            (1, None) => write!(text, "{before}{}", field.name),
            (_, None) => write!(text, "{before}{}={value:#x}", field.name),
        };
    }
    text
}
