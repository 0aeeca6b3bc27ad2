//! What the device's thread counts for a monitor: accesses by register, the last of them, and the
//! time in hooks. Other threads read it at any time, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::hook_times::HookTimes;
use super::numbering::Numbering;
use super::ring::Ring;
use crate::model::{Descriptor, Slot};

/// The most registers that are counted one by one; of a device with more, arrays are counted as a
/// whole.
const MOST: u64 = 16 << 10;

/// What the device's thread counts for a monitor.
#[derive(Debug)]
pub struct Observer {
    numbering: Numbering,
    registers: Box<[Count]>,
    is_by_element: bool,
    others: [Count; Elsewhere::ALL.len()],
    ring: Ring,
    hooks: HookTimes,
    start: Instant,
}

/// What is accessed and is no register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    Config,
    MsixTable,
    MsixPba,
    Memory,
    Shared,
    Unmodelled,
    Unmapped,
    /// What the author serves.
    Raw,
}

impl Elsewhere {
    pub(super) const ALL: [Elsewhere; 8] = [
        Elsewhere::Config,
        Elsewhere::MsixTable,
        Elsewhere::MsixPba,
        Elsewhere::Memory,
        Elsewhere::Shared,
        Elsewhere::Unmodelled,
        Elsewhere::Unmapped,
        Elsewhere::Raw,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Elsewhere::Config => "configuration space",
            Elsewhere::MsixTable => "MSI-X table",
            Elsewhere::MsixPba => "MSI-X PBA",
            Elsewhere::Memory => "memory",
            Elsewhere::Shared => "shared memory",
            Elsewhere::Unmodelled => "places without a model",
            Elsewhere::Unmapped => "places without a register",
            Elsewhere::Raw => "ranges without registers",
        }
    }
}

/// What an access reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A register, by its number.
    Register(u64),
    /// A byte of a BAR, or of configuration space.
    Elsewhere(Elsewhere, u8, u64),
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
    /// A write through an eventfd, of which the value is not known.
    Kick,
}

/// What has been accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accessed {
    Register(Slot),
    Elsewhere(Elsewhere),
}

/// An access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    /// The number of earlier accesses.
    pub(super) number: u64,
    /// Since it began to count.
    pub(super) time: Duration,
    pub(super) place: Place,
    pub(super) operation: Operation,
    /// Of a long access the first eight bytes.
    pub(super) value: u64,
}

/// The accesses to one place. Only the device's thread changes them.
#[derive(Debug, Default)]
struct Count {
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Count {
    fn add(&self, operation: Operation) {
        let count = if operation == Operation::Read { &self.reads } else { &self.writes };
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.reads.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed))
    }
}

/// For the device's thread.
impl Observer {
    /// Records from now on; `methods` are the names of the device's methods.
    pub(crate) fn new(descriptor: &Descriptor, methods: &'static [&'static str]) -> Self {
        let numbering = Numbering::new(descriptor);
        let is_by_element = numbering.len() <= MOST;
        let count = match usize::try_from(numbering.len()) {
            Ok(count) if is_by_element => count,
            _ => descriptor.numbers(),
        };
        Observer {
            numbering,
            registers: (0..count).map(|_| Count::default()).collect(),
            is_by_element,
            others: Default::default(),
            ring: Ring::new(),
            hooks: HookTimes::new(descriptor, methods),
            start: Instant::now(),
        }
    }

    /// Notes an access to a register.
    #[cold]
    pub(crate) fn register(&self, slot: Slot, operation: Operation, value: u64) {
        let number = self.numbering.number(slot);
        let index = self.index(number, slot);
        self.registers[index].add(operation);
        self.push(Place::Register(number), operation, value);
    }

    /// Notes an access to anything else.
    #[cold]
    pub(crate) fn elsewhere(&self, what: Elsewhere, at: (usize, u64), is_write: bool, data: &[u8]) {
        let operation = if is_write { Operation::Write } else { Operation::Read };
        self.others[what as usize].add(operation);
        let bar = u8::try_from(at.0).unwrap_or(u8::MAX);
        self.push(Place::Elsewhere(what, bar, at.1), operation, first_word(data));
    }

    fn push(&self, place: Place, operation: Operation, value: u64) {
        let time = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (kind, offset) = match place {
            Place::Register(number) => (0, number),
            Place::Elsewhere(what, bar, offset) => {
                ((1 + what as u64) | u64::from(bar) << 8, offset)
            }
        };
        self.ring.push([time, kind | (operation as u64) << 16, offset, value]);
    }

    pub(crate) fn hooks(&self) -> &HookTimes {
        &self.hooks
    }
}

/// For every thread.
impl Observer {
    pub(crate) fn numbering(&self) -> &Numbering {
        &self.numbering
    }

    /// Returns the time since it began to count.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns what has been accessed, with the reads and writes: at most `most` of them, from the
    /// place `from` on; and the place to continue at.
    pub(super) fn accessed(
        &self,
        from: usize,
        most: usize,
    ) -> (Vec<(Accessed, u64, u64)>, Option<usize>) {
        let counts = self.registers.iter().chain(&self.others).enumerate().skip(from);
        let mut found = Vec::new();
        for (index, count) in counts {
            if found.len() == most {
                return (found, Some(index));
            }
            let (reads, writes) = count.get();
            if (reads, writes) != (0, 0)
                && let Some(accessed) = self.counted(index)
            {
                found.push((accessed, reads, writes));
            }
        }
        (found, None)
    }

    fn counted(&self, index: usize) -> Option<Accessed> {
        match index.checked_sub(self.registers.len()) {
            Some(other) => Some(Accessed::Elsewhere(*Elsewhere::ALL.get(other)?)),
            None if self.is_by_element => self.numbering.slot(index as u64).map(Accessed::Register),
            None => self.numbering.declared(index).map(Accessed::Register),
        }
    }

    /// Returns the number of all reads and writes.
    pub(super) fn total(&self) -> (u64, u64) {
        let all = self.registers.iter().chain(&self.others).map(Count::get);
        all.fold((0, 0), |(reads, writes), one| (reads + one.0, writes + one.1))
    }

    /// Returns the last accesses, the oldest one first.
    pub(super) fn last(&self) -> Vec<Access> {
        let entries = self.ring.read().into_iter();
        entries.filter_map(|(number, words)| Access::of(number, words)).collect()
    }

    fn index(&self, number: u64, slot: Slot) -> usize {
        if self.is_by_element {
            usize::try_from(number).unwrap_or(usize::MAX)
        } else {
            self.numbering.descriptor().number(slot)
        }
    }
}

impl Access {
    fn of(number: u64, [time, kind, offset, value]: super::ring::Words) -> Option<Self> {
        let place = match usize::try_from(kind & 0xff).ok()? {
            0 => Place::Register(offset),
            kind_of => {
                let bar = u8::try_from(kind >> 8 & 0xff).ok()?;
                Place::Elsewhere(*Elsewhere::ALL.get(kind_of - 1)?, bar, offset)
            }
        };
        let operation = match kind >> 16 {
            0 => Operation::Read,
            1 => Operation::Write,
            _ => Operation::Kick,
        };
        Some(Access { number, time: Duration::from_nanos(time), place, operation, value })
    }
}

/// Returns the first eight bytes as a number.
fn first_word(data: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(data) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ids, Register};

    const REGISTERS: &[Register] =
        &[Register::new::<u32>("status", 0), Register::new::<u32>("ring", 0x10).with_count(4)];
    const MANY: &[Register] =
        &[Register::new::<u32>("status", 0), Register::new::<u32>("ring", 0x10).with_count(20_000)];

    fn observer(registers: &'static [Register]) -> Observer {
        Observer::new(&Descriptor::new("test", Ids::default()).with_registers(registers), &[])
    }

    #[test]
    fn each_element_is_counted() {
        let observer = observer(REGISTERS);
        observer.register(Slot::new(1, 3), Operation::Write, 7);
        observer.register(Slot::new(1, 3), Operation::Read, 7);
        observer.register(Slot::new(0, 0), Operation::Read, 1);
        let status = (Accessed::Register(Slot::new(0, 0)), 1, 0);
        let ring = (Accessed::Register(Slot::new(1, 3)), 1, 1);
        assert_eq!(observer.accessed(0, 64), (vec![status, ring], None));
        assert_eq!(observer.accessed(0, 1), (vec![status], Some(1)));
        assert_eq!(observer.accessed(1, 1), (vec![ring], Some(5)));
        assert_eq!(observer.total(), (2, 1));
    }

    #[test]
    fn elements_of_long_arrays_are_counted_together() {
        let observer = observer(MANY);
        observer.register(Slot::new(1, 3), Operation::Write, 7);
        observer.register(Slot::new(1, 19_999), Operation::Kick, 0);
        let ring = (Accessed::Register(Slot::new(1, 0)), 0, 2);
        assert_eq!(observer.accessed(0, 64), (vec![ring], None));
        let places: Vec<_> = observer.last().iter().map(|access| access.place).collect();
        assert_eq!(places, [Place::Register(4), Place::Register(20_000)]);
    }

    #[test]
    fn other_places_are_kept_as_they_are() {
        let observer = observer(REGISTERS);
        observer.elsewhere(Elsewhere::Raw, (5, 0x1_0000_0000), true, &[1, 2]);
        let last = observer.last();
        assert_eq!(last[0].place, Place::Elsewhere(Elsewhere::Raw, 5, 0x1_0000_0000));
        assert_eq!((last[0].operation, last[0].value), (Operation::Write, 0x201));
        let raw = (Accessed::Elsewhere(Elsewhere::Raw), 0, 1);
        assert_eq!(observer.accessed(0, 64), (vec![raw], None));
    }
}
