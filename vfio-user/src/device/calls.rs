//! Hooks, and a record of the one that runs, for the log of a hook that does not return.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::HookKind;
use crate::model::Slot;
use crate::monitor::{Hooked, Observer};

/// A hook of a register, and its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `read_with`: returns the value.
    Read,
    /// `write_with`: receives the value on the bus.
    Write(u64),
    /// `on_read`: receives the value that was read.
    AfterRead(u64),
    /// `on_write`: receives the values stored before and after.
    AfterWrite(u64, u64),
    /// `kick`: runs on a write of any value.
    Kick,
    /// `lock_with`: returns 1 if the register ignores the write, or else 0.
    IsLocked,
    /// `on_composed`: receives the bits that request the interrupt.
    Composed(u64),
    /// `read_with` of a port: returns this number of bytes, the first one lowest.
    ReadBytes(u8),
    /// `write_with` of a port: receives bytes, the first one lowest, and their number.
    WriteBytes(u64, u8),
}

/// The hook that runs: the device's thread stores it before each call and clears it afterwards, and
/// another thread reads it when that call takes long. This costs three relaxed stores a call.
#[derive(Debug, Default)]
pub(crate) struct RunningCall {
    /// From its lowest bit: 8 bits of kind, 24 of block, 32 of register or timer.
    what: AtomicU64,
    /// The index in the register's array, and above it that of the block's element.
    element: AtomicU64,
    /// Measures the time in calls.
    observer: Option<Arc<Observer>>,
}

/// A call of author code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A method of [`Device`](super::Device).
    Method(Method),
    /// The hook of a timer.
    Timer(Slot),
    /// The hook for writes of a memory.
    Memory(usize),
    /// A hook of a register.
    Register(HookKind, Slot),
}

/// Methods of [`Device`](super::Device).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Start,
    Event,
    Quiesce,
    Resume,
    Access,
    Reset,
    Saving,
    Saved,
    Loaded,
    SaveStream,
    LoadStream,
    Connected,
    Disconnected,
    DmaMapped,
    DmaUnmapped,
    IrqsChanged,
    CommandChanged,
    SelfTest,
}

/// The names of the methods, by their numbers.
pub(crate) const METHOD_NAMES: [&str; METHODS.len()] = {
    let mut names = [""; METHODS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = METHODS[index].1;
        index += 1;
    }
    names
};

const METHODS: [(Method, &str); 18] = [
    (Method::Start, "start"),
    (Method::Event, "event"),
    (Method::Quiesce, "quiesce"),
    (Method::Resume, "resume"),
    (Method::Access, "access"),
    (Method::Reset, "reset"),
    (Method::Saving, "saving"),
    (Method::Saved, "saved"),
    (Method::Loaded, "loaded"),
    (Method::SaveStream, "save_stream"),
    (Method::LoadStream, "load_stream"),
    (Method::Connected, "connected"),
    (Method::Disconnected, "disconnected"),
    (Method::DmaMapped, "dma_mapped"),
    (Method::DmaUnmapped, "dma_unmapped"),
    (Method::IrqsChanged, "irqs_changed"),
    (Method::CommandChanged, "command_changed"),
    (Method::SelfTest, "self_test"),
];

/// Kinds: from 1 the methods, then timers, memories, and the hooks of registers.
const TIMER: u64 = 64;
const MEMORY: u64 = 65;
const REGISTER: u64 = 128;

impl Hook {
    const fn kind(self) -> HookKind {
        match self {
            Hook::Read | Hook::ReadBytes(_) => HookKind::ReadWith,
            Hook::Write(_) | Hook::WriteBytes(..) => HookKind::WriteWith,
            Hook::AfterRead(_) => HookKind::OnRead,
            Hook::AfterWrite(..) => HookKind::OnWrite,
            Hook::Kick => HookKind::Kick,
            Hook::IsLocked => HookKind::LockWith,
            Hook::Composed(_) => HookKind::OnComposed,
        }
    }
}

impl Method {
    /// The name of the method.
    pub(crate) fn name(self) -> &'static str {
        METHODS[self as usize].1
    }
}

/// While it lives, a call runs: until it returns or panics.
#[derive(Debug)]
#[must_use = "the call runs while this lives"]
pub(crate) struct Entered<'a> {
    running: &'a RunningCall,
    /// The call inside which it runs, as [`RunningCall`] stores it.
    outer: u64,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(observer) = &self.running.observer
            && self.outer == 0
        {
            self.running.leave(observer);
        }
        self.running.what.store(self.outer, Ordering::Relaxed);
    }
}

impl RunningCall {
    /// Creates a record that measures the time in calls.
    pub(crate) fn observed(observer: Arc<Observer>) -> Self {
        RunningCall { observer: Some(observer), ..RunningCall::default() }
    }

    /// Notes that a method runs. It may run inside of another call, whose element stays noted.
    pub(crate) fn method(&self, method: Method) -> Entered<'_> {
        let outer = self.what.load(Ordering::Relaxed);
        self.what.store(method as u64 + 1, Ordering::Relaxed);
        if outer == 0 {
            self.start();
        }
        Entered { running: self, outer }
    }

    pub(crate) fn timer(&self, slot: Slot) -> Entered<'_> {
        self.enter(TIMER, slot)
    }

    pub(crate) fn memory(&self, index: usize) -> Entered<'_> {
        self.what.store(MEMORY | (index as u64) << 32, Ordering::Relaxed);
        self.start();
        Entered { running: self, outer: 0 }
    }

    #[inline]
    pub(crate) fn register(&self, slot: Slot, hook: Hook) -> Entered<'_> {
        self.enter(REGISTER | hook.kind() as u64, slot)
    }

    /// Notes that the status of a composed interrupt is computed.
    #[inline]
    pub(crate) fn status(&self, slot: Slot) -> Entered<'_> {
        self.enter(REGISTER | HookKind::StatusWith as u64, slot)
    }

    #[inline]
    fn enter(&self, kind: u64, slot: Slot) -> Entered<'_> {
        let (block, element) = slot.block.map_or((0, 0), |at| (at.block as u64 + 1, at.element));
        let what = kind | (block & 0xff_ffff) << 8 | (slot.register as u64) << 32;
        self.what.store(what, Ordering::Relaxed);
        let element = slot.element as u64 & 0xffff_ffff | (element as u64) << 32;
        self.element.store(element, Ordering::Relaxed);
        self.start();
        Entered { running: self, outer: 0 }
    }

    #[inline]
    fn start(&self) {
        if let Some(observer) = &self.observer {
            observer.hooks().enter();
        }
    }

    #[cold]
    fn leave(&self, observer: &Observer) {
        let hooked = match self.get() {
            None => return,
            Some(Call::Method(method)) => Hooked::Method(method as usize),
            Some(Call::Timer(_)) => Hooked::Timers,
            Some(Call::Memory(_)) => Hooked::Memories,
            Some(Call::Register(_, slot)) => {
                Hooked::Register(observer.numbering().descriptor().number(slot))
            }
        };
        observer.hooks().leave(hooked);
    }

    /// The call that runs; `None` if none does.
    pub(crate) fn get(&self) -> Option<Call> {
        let what = self.what.load(Ordering::Relaxed);
        let element = self.element.load(Ordering::Relaxed);
        let number = |bits: u64| usize::try_from(bits).unwrap_or(usize::MAX);
        let slot = Slot::new(number(what >> 32), number(element & 0xffff_ffff));
        let slot = match number(what >> 8 & 0xff_ffff) {
            0 => slot,
            block => slot.in_block(block - 1, number(element >> 32)),
        };
        match what & 0xff {
            0 => None,
            MEMORY => Some(Call::Memory(slot.register)),
            TIMER => Some(Call::Timer(slot)),
            kind if kind >= REGISTER => {
                let hook = *HookKind::ALL.get(number(kind - REGISTER))?;
                Some(Call::Register(hook, slot))
            }
            kind => METHODS.get(number(kind - 1)).map(|(method, _)| Call::Method(*method)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_while_it_runs() {
        let running = RunningCall::default();
        assert_eq!(running.get(), None);
        for (method, name) in METHODS {
            let entered = running.method(method);
            assert_eq!(running.get(), Some(Call::Method(method)));
            assert_eq!(method.name(), name);
            drop(entered);
            assert_eq!(running.get(), None);
        }
        let entered = running.memory(3);
        assert_eq!(running.get(), Some(Call::Memory(3)));
        drop(entered);
        let hooks = [
            (Hook::Read, HookKind::ReadWith),
            (Hook::Write(1), HookKind::WriteWith),
            (Hook::AfterRead(2), HookKind::OnRead),
            (Hook::AfterWrite(3, 4), HookKind::OnWrite),
            (Hook::Kick, HookKind::Kick),
            (Hook::IsLocked, HookKind::LockWith),
            (Hook::Composed(5), HookKind::OnComposed),
        ];
        for (hook, kind) in hooks {
            for slot in [
                Slot::new(0, 0),
                Slot::new(4095, 70_000),
                Slot::new(3, 2).in_block(0, 0),
                Slot::new(3, 0xffff_ffff).in_block(200, 65_535),
            ] {
                let entered = running.register(slot, hook);
                assert_eq!(running.get(), Some(Call::Register(kind, slot)));
                drop(entered);
                assert_eq!(running.get(), None);
                let entered = running.timer(slot);
                assert_eq!(running.get(), Some(Call::Timer(slot)));
                drop(entered);
            }
        }
    }
}
