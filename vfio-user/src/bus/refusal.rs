//! Logging of accesses, or parts of them, that have no effect.
//!
//! A guest can cause any number of them, so the first of each kind is logged prominently for each
//! register, and later ones only when their count doubles.

use std::fmt;

use super::element::Silent;
use super::silence::{Name, Reason};
use super::{BarMap, Target, trace};
use crate::layout;
use crate::model::{Descriptor, Slot};

const CONFIG: usize = layout::CONFIG as usize;

/// The reason why an access, or a part of it, has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The access meets no register.
    Unmapped,
    /// The BAR does not accept the access's size.
    Size,
    /// The BAR does not accept the access's alignment.
    Unaligned,
    /// The register is locked.
    Locked,
    /// The access would change bits that software cannot write.
    ReadOnly,
    /// The access sets bits that are not implemented.
    Reserved,
    /// The access would change bits that take one write, and have taken it.
    WrittenOnce,
    /// The access would give a field a value for which its type has no variant.
    NoVariant,
    /// The device is stopped, for a migration.
    Stopped,
    /// The device has shortened the memory.
    MemoryLength,
    /// A register lies there that answers other accesses, or answers under another condition.
    Silent,
    /// There is no element with the selected index.
    Unselected,
    /// The access reaches a window through another one.
    Nested,
    /// The access goes through a window to a BAR that does not exist.
    NoBar,
    /// The access reads where there is no register, or no element, as firmware and drivers do at
    /// every boot.
    Probe,
}

/// An access to a BAR.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) is_write: bool,
    pub(crate) bar: usize,
    pub(crate) offset: u64,
    pub(crate) len: usize,
}

/// The refusals that have been logged.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// A bit for every kind, by register. The last entry is for all accesses outside registers.
    logged: Box<[u16]>,
    counts: [u64; Refusal::ALL.len()],
}

impl Refusal {
    const ALL: [Refusal; 15] = [
        Refusal::Unmapped,
        Refusal::Size,
        Refusal::Unaligned,
        Refusal::Locked,
        Refusal::ReadOnly,
        Refusal::Reserved,
        Refusal::WrittenOnce,
        Refusal::NoVariant,
        Refusal::Stopped,
        Refusal::MemoryLength,
        Refusal::Silent,
        Refusal::Unselected,
        Refusal::Nested,
        Refusal::NoBar,
        Refusal::Probe,
    ];

    /// A name for counters.
    const fn name(self) -> &'static str {
        match self {
            Refusal::Unmapped => "unmapped",
            Refusal::Size => "size",
            Refusal::Unaligned => "unaligned",
            Refusal::Locked => "locked",
            Refusal::ReadOnly => "read_only",
            Refusal::Reserved => "reserved",
            Refusal::WrittenOnce => "written_once",
            Refusal::NoVariant => "no_variant",
            Refusal::Stopped => "stopped",
            Refusal::MemoryLength => "memory_length",
            Refusal::Silent => "silent",
            Refusal::Unselected => "unselected",
            Refusal::Nested => "nested_window",
            Refusal::NoBar => "no_bar",
            Refusal::Probe => "probe",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Refusal::Unmapped => "there is no register",
            Refusal::Size => "the BAR does not accept the size",
            Refusal::Unaligned => "the BAR does not accept unaligned accesses",
            Refusal::Locked => "the register is locked",
            Refusal::ReadOnly => "these bits are read-only",
            Refusal::Reserved => "these bits are reserved",
            Refusal::WrittenOnce => "these bits have been written once",
            Refusal::NoVariant => "these bits have no such value",
            Refusal::Stopped => "the device is stopped",
            Refusal::MemoryLength => "the device has shortened the memory",
            Refusal::Nested => "a window is not reached through another one",
            Refusal::NoBar => "there is no such BAR",
            Refusal::Silent | Refusal::Unselected | Refusal::Probe => Refusal::Unmapped.reason(),
        }
    }
}

/// A BAR, or configuration space.
struct Space(usize);

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CONFIG => f.write_str("configuration space"),
            bar => write!(f, "BAR {bar}"),
        }
    }
}

/// The register nearest to an access.
struct Nearest<'a> {
    descriptor: &'a Descriptor,
    found: Option<(Target, u64)>,
}

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((target, at)) = self.found else { return Ok(()) };
        let name = match target {
            Target::Register(slot) => self.descriptor.register(slot).name(),
            Target::MsixTable => "the MSI-X table",
            Target::MsixPba => "the MSI-X PBA",
        };
        write!(f, ", nearest is {name} at {at:#x}")
    }
}

impl Refusals {
    pub(crate) fn new(registers: usize) -> Self {
        Refusals { logged: vec![0; registers + 1].into(), counts: [0; Refusal::ALL.len()] }
    }

    /// Returns the number of each kind that has happened.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = Refusal::ALL.into_iter().zip(self.counts);
        counts.filter(|(_, count)| *count > 0).map(|(refusal, count)| (refusal.name(), count))
    }

    /// Logs an access that never reached a register.
    #[cold]
    pub(crate) fn log_access(
        &mut self,
        refusal: Refusal,
        attempt: Attempt,
        descriptor: &Descriptor,
        map: &BarMap,
    ) {
        let Attempt { is_write, bar, offset, len } = attempt;
        let (device, verb) = (descriptor.name(), if is_write { "write" } else { "read" });
        let (space, nearest) = (Space(bar), Nearest { descriptor, found: map.nearest(offset) });
        let number = match nearest.found {
            Some((Target::Register(slot), _)) => descriptor.number(slot),
            _ => self.logged.len() - 1,
        };
        let refusal = match refusal {
            Refusal::Unmapped if !is_write => Refusal::Probe,
            refusal => refusal,
        };
        self.log(
            refusal,
            number,
            format_args!("{device}: {len}-byte {verb} of {space} at {offset:#x} ignored{nearest}"),
        );
    }

    /// Logs an access that a register does not answer.
    #[cold]
    pub(crate) fn log_silent(
        &mut self,
        silent: &Silent,
        attempt: Attempt,
        descriptor: &Descriptor,
    ) {
        let Attempt { is_write, offset, len, .. } = attempt;
        let (reason, verb) =
            (Reason { descriptor, silent, is_write }, if is_write { "write" } else { "read" });
        let refusal = if !silent.is_index() {
            Refusal::Silent
        } else if is_write {
            Refusal::Unselected
        } else {
            Refusal::Probe
        };
        let name = Name(&reason);
        self.log_reason(
            refusal,
            descriptor.number(silent.slot),
            format_args!("{name}: {len}-byte {verb} at {offset:#x} ignored"),
            &reason,
        );
    }

    /// Logs the bits of a write that a register ignores.
    #[cold]
    pub(crate) fn log_write(
        &mut self,
        refusal: Refusal,
        bits: u64,
        slot: Slot,
        descriptor: &Descriptor,
    ) {
        let name = trace::RegisterName { descriptor, slot };
        self.log(
            refusal,
            descriptor.number(slot),
            format_args!("{name}: write to bits {bits:#x} ignored"),
        );
    }

    /// Logs an access that a window cannot pass on.
    #[cold]
    pub(crate) fn log_window(
        &mut self,
        refusal: Refusal,
        slot: Slot,
        bar: u64,
        descriptor: &Descriptor,
    ) {
        let name = trace::RegisterName { descriptor, slot };
        let number = descriptor.number(slot);
        self.log(refusal, number, format_args!("{name}: access to BAR {bar} ignored"));
    }

    fn log(&mut self, refusal: Refusal, number: usize, what: fmt::Arguments<'_>) {
        self.log_reason(refusal, number, what, &refusal.reason());
    }

    fn log_reason(
        &mut self,
        refusal: Refusal,
        number: usize,
        what: fmt::Arguments<'_>,
        reason: &dyn fmt::Display,
    ) {
        let (count, bit) = (&mut self.counts[refusal as usize], 1 << refusal as u8);
        *count = count.wrapping_add(1);
        if self.logged[number] & bit == 0 {
            self.logged[number] |= bit;
            if matches!(refusal, Refusal::Probe) {
                tracing::info!("{what}: {reason}");
            } else {
                tracing::warn!("{what}: {reason}");
            }
        } else if count.is_power_of_two() {
            tracing::debug!("{what}: {reason} ({count} such accesses so far)");
        }
    }
}
