//! A model of a register, one bit at a time, in the terms of UVM (IEEE 1800.2, 18.9.2).
//!
//! The model uses the declaration, and none of the masks that the runtime computes from it.

use crate::model::{Commit, Field, Policy, Register, RegisterFlags};

/// A register that receives every access, and computes its effects.
#[derive(Debug)]
pub(super) struct Model {
    register: &'static Register,
    /// The bits by number; `None` for reserved ones.
    bits: Vec<Option<Bit>>,
    stored: u64,
    /// Bits that have been written since the last reset.
    written: u64,
    /// Of a wide register, the value and the bits that were written and wait for the other part.
    waiting: (u64, u64),
    /// Of a wide register, the value and the bits that are still to be read.
    unread: (u64, u64),
}

/// A bit as it is declared.
#[derive(Clone, Copy, Debug)]
struct Bit {
    policy: Policy,
    is_writable: bool,
    is_pulse: bool,
    /// All bits of the field that contains it.
    field: u64,
}

impl Model {
    pub(super) fn new(register: &'static Register) -> Self {
        let bits = (0..u32::from(register.width()) * 8).map(|number| Bit::of(register, number));
        Model {
            register,
            bits: bits.collect(),
            stored: 0,
            written: 0,
            waiting: (0, 0),
            unread: (0, 0),
        }
    }

    /// Returns the stored value.
    pub(super) fn stored(&self) -> u64 {
        self.stored
    }

    /// Sets the stored value.
    pub(super) fn set(&mut self, stored: u64) {
        self.stored = stored;
        self.unread = (0, 0);
    }

    /// Clears the state that a reset clears, but keeps the stored value.
    pub(super) fn reset(&mut self) {
        (self.waiting, self.unread) = ((0, 0), (0, 0));
        if !self.register.is(RegisterFlags::STICKY) {
            self.written = 0;
        }
    }

    /// Whether some bits can be written once after a reset.
    pub(super) fn is_once(&self) -> bool {
        self.mask(|bit| is_once(bit.policy)) != 0
    }

    /// Whether a read changes the register.
    pub(super) fn is_changed_by_reads(&self) -> bool {
        self.mask(|bit| after_read(bit.policy, true) == after_read(bit.policy, false)) != 0
    }

    /// Returns the implemented bits.
    pub(super) fn implemented(&self) -> u64 {
        self.mask(|_| true)
    }

    /// Returns the bits that software can change.
    pub(super) fn writable(&self) -> u64 {
        self.mask(|bit| bit.is_writable && bit.policy.is_writable())
    }

    /// Writes the bytes whose bits are `enable`.
    pub(super) fn write(&mut self, value: u64, enable: u64) {
        let (mut value, mut enable) = (value, enable);
        if self.writable() != 0 {
            self.unread = (0, 0);
        }
        if self.register.is(RegisterFlags::WIDE) {
            self.waiting.0 = (self.waiting.0 & !enable) | (value & enable);
            self.waiting.1 |= enable;
            if !self.is_complete() {
                return;
            }
            (value, enable) = std::mem::take(&mut self.waiting);
        }
        let (before, first) = (self.stored, !self.written);
        self.store(|number, bit, old| {
            let is_enabled = is_set(enable, number);
            let is_meant =
                if is_of_field(bit.policy) { bit.field & enable != 0 } else { is_enabled };
            if bit.is_writable && is_meant {
                after_write(bit.policy, old, is_set(value, number), is_set(first, number))
            } else {
                old
            }
        });
        self.reject(before);
        self.store(|_, bit, old| old && !bit.is_pulse);
        self.written |= enable;
    }

    /// Restores fields whose type cannot represent the written value.
    fn reject(&mut self, before: u64) {
        let fields = self.register.fields().iter();
        let unknown = |field: &&Field| !field.values.contains(field.extract(self.stored));
        let rejecting = fields.filter(|field| field.is_rejecting).filter(unknown);
        let kept = rejecting.fold(0, |kept, field| kept | field.mask());
        self.stored = (self.stored & !kept) | (before & kept);
    }

    /// Writes while the register is locked.
    pub(super) fn write_locked(&mut self) {
        self.waiting = (0, 0);
    }

    /// Reads the bytes whose bits are `enable`, and returns their bits on the bus.
    pub(super) fn read(&mut self, enable: u64) -> u64 {
        let is_wide = self.register.is(RegisterFlags::WIDE);
        if is_wide && self.unread.1 & enable == enable {
            self.unread.1 &= !enable;
            return self.unread.0 & enable;
        }
        let seen = self.stored & self.mask(|bit| !is_hidden(bit.policy));
        self.store(|_, bit, old| {
            let is_touched = is_wide || bit.field & enable != 0;
            if is_touched { after_read(bit.policy, old) } else { old }
        });
        if is_wide {
            self.unread = (seen, !enable);
        }
        seen & enable
    }

    /// Whether the waiting parts are complete and take effect.
    fn is_complete(&self) -> bool {
        let bits = self.bits.len();
        let mut needed = match self.register.commit() {
            Commit::Whole => 0..bits,
            Commit::High => bits / 2..bits,
            Commit::Low => 0..bits / 2,
        };
        needed.all(|bit| self.waiting.1 >> bit & 1 == 1)
    }

    /// Changes every implemented bit, if there is storage.
    fn store(&mut self, change: impl Fn(u32, &Bit, bool) -> bool) {
        if !self.register.is_stored() {
            return;
        }
        for (number, bit) in (0..).zip(&self.bits) {
            let Some(bit) = bit else { continue };
            let new = u64::from(change(number, bit, is_set(self.stored, number)));
            self.stored = (self.stored & !(1 << number)) | new << number;
        }
    }

    fn mask(&self, belongs: impl Fn(&Bit) -> bool) -> u64 {
        let bits = (0..).zip(&self.bits);
        bits.filter(|(_, bit)| bit.as_ref().is_some_and(&belongs))
            .fold(0, |mask, (number, _): (u32, _)| mask | 1 << number)
    }
}

impl Bit {
    fn of(register: &Register, number: u32) -> Option<Self> {
        let mask = register.mask();
        let fields = register.fields();
        let field = fields.iter().find(|field| is_set(field.mask(), number));
        if !is_set(mask, number) || (field.is_none() && !fields.is_empty()) {
            return None;
        }
        let policy = field.and_then(|field| field.policy).unwrap_or(register.policy());
        let writable = register.writable().unwrap_or(u64::MAX);
        let is_writable = is_set(writable, number);
        let clears_itself =
            register.is(RegisterFlags::PULSE) || field.is_some_and(|field| field.is_pulse);
        Some(Bit {
            policy,
            is_writable,
            is_pulse: clears_itself && is_writable && policy.is_writable(),
            field: field.map_or(mask, Field::mask),
        })
    }
}

/// Returns a bit after a write of `bus`; `is_first` means the first write since the last reset.
fn after_write(policy: Policy, old: bool, bus: bool, is_first: bool) -> bool {
    use Policy::{
        Rc, Ro, Rs, Rw, W0c, W0crs, W0s, W0src, W0t, W1, W1c, W1crs, W1s, W1src, W1t, Wc, Wcrs, Wo,
        Wo1, Woc, Wos, Wrc, Wrs, Ws, Wsrc,
    };
    match policy {
        Ro | Rc | Rs => old,
        Rw | Wrc | Wrs | Wo => bus,
        Wc | Wcrs | Woc => false,
        Ws | Wsrc | Wos => true,
        W1c | W1crs => old && !bus,
        W1s | W1src => old || bus,
        W1t => old != bus,
        W0c | W0crs => old && bus,
        W0s | W0src => old || !bus,
        W0t => old == bus,
        W1 | Wo1 => {
            if is_first {
                bus
            } else {
                old
            }
        }
    }
}

/// Returns a bit after a read.
fn after_read(policy: Policy, old: bool) -> bool {
    use Policy::{Rc, Rs, W0crs, W0src, W1crs, W1src, Wcrs, Wrc, Wrs, Wsrc};
    match policy {
        Rc | Wrc | Wsrc | W1src | W0src => false,
        Rs | Wrs | Wcrs | W1crs | W0crs => true,
        _ => old,
    }
}

/// Whether the policy affects a field as a whole, whatever is written.
fn is_of_field(policy: Policy) -> bool {
    use Policy::{Wc, Wcrs, Woc, Wos, Ws, Wsrc};
    matches!(policy, Wc | Wcrs | Woc | Ws | Wsrc | Wos)
}

fn is_once(policy: Policy) -> bool {
    matches!(policy, Policy::W1 | Policy::Wo1)
}

fn is_hidden(policy: Policy) -> bool {
    use Policy::{Wo, Wo1, Woc, Wos};
    matches!(policy, Wo | Woc | Wos | Wo1)
}

fn is_set(bits: u64, number: u32) -> bool {
    bits >> number & 1 == 1
}
