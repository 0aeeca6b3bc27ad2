//! The steps of an access to one register, in their only order.
//!
//! A write: lock, latch of a wide register, then either `write_with`, or the check for ignored bits
//! and the access algebra; `on_write`; self-clearing bits; effects of test and clear registers;
//! `kick`; trace. A read: the value that an earlier part has latched, or else load or `read_with`,
//! mask, `on_read`, effects of reading, trace. If a hook resets the device, the effects behind it
//! do not happen.

use super::dispatch::{Bus, stored};
use super::register_state::{Latch, RegisterStates};
use super::{Composer, Refusal, UnmodelledBytes, trace};
use crate::device::{Hook, PciDevice, Runtime};
use crate::model::{DataMatch, Hooks, Register, RegisterFlags, ResetScope, Slot, Write};
use crate::monitor::{Observer, Operation};

impl<D: PciDevice> Bus<'_, '_, D> {
    /// Reads the bytes of `enable`; the other bytes of the result are undefined.
    #[inline]
    pub(super) fn read_register(&mut self, register: &Register, slot: Slot, enable: u64) -> u64 {
        let value = self.read_now(register, slot, enable);
        if let Some(observer) = self.observer() {
            observer.register(slot, Operation::Read, value & enable);
        }
        value
    }

    /// In some registers, the first part that is read latches the value of the whole, so that the
    /// parts fit together, and no bits that reading clears are lost.
    fn read_now(&mut self, register: &Register, slot: Slot, enable: u64) -> u64 {
        if register.takes_bytes() {
            return self.read_bytes(register, slot, enable);
        }
        if !register.latches_reads() {
            return self.load_register(register, slot, enable);
        }
        if let Some(value) = self.register_states.of(self.descriptor, slot).unread.take(enable) {
            if trace::is_on() {
                trace::read_latched(&self.name(slot), value);
            }
            return value;
        }
        let all = register.all_bits();
        let value = self.load_register(register, slot, all);
        if self.was_reset {
            return value;
        }
        let rest = all & !enable;
        let unread = Latch { value: value & rest, enable: rest };
        self.register_states.of(self.descriptor, slot).unread = unread;
        value
    }

    fn load_register(&mut self, register: &Register, slot: Slot, enable: u64) -> u64 {
        self.was_reset = false;
        let value = self.shown(register, slot);
        let bus = register.access().read(value);
        if register.has(Hooks::ON_READ) {
            self.call(slot, Hook::AfterRead(bus));
        }
        let mut effect = None;
        if register.access().changed_by_reads() != 0 && !self.was_reset {
            effect = Some(self.change_by_read(register, slot, enable));
        }
        if trace::is_on() {
            trace::read(&self.name(slot), register, bus, effect);
        }
        bus
    }

    /// Returns the value of a register before bits are masked.
    fn shown(&mut self, register: &Register, slot: Slot) -> u64 {
        if register.has(Hooks::READ_WITH) {
            self.call(slot, Hook::Read)
        } else {
            stored(self.device, register, slot)
        }
    }

    fn change_by_read(&mut self, register: &Register, slot: Slot, enable: u64) -> u64 {
        // `on_read` may have changed the value.
        let stored = self.device.load(slot);
        let after = register.access().after_read(stored, register.touched_by(enable));
        self.device.store(slot, after);
        after
    }

    /// Writes the bytes of `enable`.
    pub(super) fn write_register(
        &mut self,
        register: &Register,
        slot: Slot,
        value: u64,
        enable: u64,
    ) {
        if let Some(observer) = self.observer() {
            observer.register(slot, Operation::Write, value & enable);
        }
        if self.is_locked(register, slot) {
            self.refusals.log_write(Refusal::Locked, enable, slot, self.descriptor);
            if register.is(RegisterFlags::WIDE) {
                self.register_states.of(self.descriptor, slot).latch = Latch::default();
            }
            return;
        }
        if register.takes_bytes() {
            return self.write_bytes(register, slot, value, enable);
        }
        if register.latches_reads() && register.access().writable() != 0 {
            self.register_states.of(self.descriptor, slot).unread = Latch::default();
        }
        self.was_reset = false;
        let (mut value, mut enable) = (value, enable);
        if register.is(RegisterFlags::WIDE) {
            let Some(whole) = self.latch(register, slot, value, enable) else { return };
            (value, enable) = (whole.value, whole.enable);
        }
        if register.has(Hooks::WRITE_WITH) {
            self.hand_over(register, slot, value, enable);
        } else {
            self.store(register, slot, value, enable);
        }
        self.end_pulses(register, slot);
        if self.was_reset {
            return;
        }
        self.change_status(register, slot, value & enable);
        if register.has(Hooks::KICK) {
            self.call(slot, Hook::Kick);
        }
    }

    /// Handles a write without a message, of which only the match of its value is known.
    pub(crate) fn ring(&mut self, slot: Slot, on: DataMatch) {
        let register = self.descriptor.register(slot);
        let enable = register.all_bits();
        if let (DataMatch::Any, Some(observer)) = (on, self.observer()) {
            observer.register(slot, Operation::Kick, 0);
        }
        match on {
            DataMatch::Value(value) => self.write_register(register, slot, value, enable),
            DataMatch::Any if self.is_locked(register, slot) => {
                self.refusals.log_write(Refusal::Locked, enable, slot, self.descriptor);
            }
            DataMatch::Any => {
                self.call(slot, Hook::Kick);
                if trace::is_on() {
                    trace::kick(&self.name(slot));
                }
            }
        }
    }

    /// Sets or clears the bits of the register that a test or clear register changes, in its own
    /// block.
    fn change_status(&mut self, register: &Register, slot: Slot, bits: u64) {
        if let Some(register_index) = register.sets() {
            let status = Slot { register: register_index, element: 0, ..slot };
            let bits = bits & self.descriptor.register(status).implemented();
            self.device.store(status, self.device.load(status) | bits);
        }
        if let Some(register_index) = register.clears() {
            let status = Slot { register: register_index, element: 0, ..slot };
            self.device.store(status, self.device.load(status) & !bits);
            self.composer.acknowledge(status, bits);
        }
    }

    /// Returns all that has been written to a wide register, once the write takes effect.
    fn latch(&mut self, register: &Register, slot: Slot, value: u64, enable: u64) -> Option<Latch> {
        let latch = &mut self.register_states.of(self.descriptor, slot).latch;
        latch.add(value, enable);
        if register.is_committed_by(latch.enable) {
            return Some(std::mem::take(latch));
        }
        if trace::is_on() {
            trace::latch(&self.name(slot), value & enable);
        }
        None
    }

    fn is_locked(&mut self, register: &Register, slot: Slot) -> bool {
        if register.has(Hooks::LOCK_WITH) && self.call(slot, Hook::IsLocked) != 0 {
            return true;
        }
        let Some(lock) = register.lock() else { return false };
        let locking = Slot { register: lock.register, ..slot };
        let is_array = self.descriptor.register(locking).count() > 1;
        let element = if is_array { slot.element } else { 0 };
        lock.engages(self.device.load(Slot { element, ..locking }))
    }

    /// Calls `write_with` with the value on the bus without reserved bits, unless the value as a
    /// whole has no variant. Bits that only store and were not written have their stored values.
    fn hand_over(&mut self, register: &Register, slot: Slot, value: u64, enable: u64) {
        let (written, kept) = (value & enable, register.access().kept_by_hooks(enable));
        let reserved = written & !register.implemented();
        if reserved != 0 {
            self.refusals.log_write(Refusal::Reserved, reserved, slot, self.descriptor);
        }
        let written = written & !reserved;
        let held = if kept != 0 || register.rejected(written) != 0 {
            self.held(register, slot)
        } else {
            0
        };
        let bus = written | (held & kept);
        let rejected = register.rejected(bus);
        let bus = self.without_rejected(register, slot, held, bus);
        if rejected != 0 && rejected == register.implemented() {
            return;
        }
        self.call(slot, Hook::Write(bus));
        if trace::is_on() {
            trace::hand_over(&self.name(slot), register, bus);
        }
    }

    /// Returns the stored value of a register; without storage, the value that it reads as.
    fn held(&mut self, register: &Register, slot: Slot) -> u64 {
        if register.is_stored() { self.device.load(slot) } else { self.shown(register, slot) }
    }

    /// Stores the result of a write under the register's policies, and calls `on_write`.
    fn store(&mut self, register: &Register, slot: Slot, value: u64, enable: u64) {
        let access = register.access();
        let (old, once) = (self.device.load(slot), access.once());
        let written =
            if once == 0 { 0 } else { self.register_states.of(self.descriptor, slot).written };
        self.check_ignored(register, slot, old, Write { value, enable, touched: 0, written });
        let touched = if access.has_whole_field_writes() { register.touched_by(enable) } else { 0 };
        let new = access.write(old, Write { value, enable, touched, written });
        let new = self.without_rejected(register, slot, old, new);
        if once != 0 {
            self.register_states.of(self.descriptor, slot).written |= enable & once;
        }
        self.device.store(slot, new);
        self.composer.acknowledge(slot, old & !new);
        if register.has(Hooks::ON_WRITE) {
            self.call(slot, Hook::AfterWrite(old, new));
        }
        if trace::is_on() {
            trace::write(&self.name(slot), register, old, new);
        }
    }

    /// Returns the written value without the fields that would take a value without a variant.
    #[inline]
    pub(super) fn without_rejected(
        &mut self,
        register: &Register,
        slot: Slot,
        old: u64,
        new: u64,
    ) -> u64 {
        let rejected = register.rejected(new);
        if rejected != 0 {
            self.refusals.log_write(Refusal::NoVariant, rejected, slot, self.descriptor);
        }
        (new & !rejected) | (old & rejected)
    }

    /// Logs written bits that have no effect. Writing back the value that was read is not logged.
    #[inline]
    fn check_ignored(&mut self, register: &Register, slot: Slot, old: u64, write: Write) {
        let access = register.access();
        let Write { value, enable, written, .. } = write;
        let changed = if access.writable() == 0 || register.has(Hooks::READ_WITH) {
            // The register does not read as it is stored, so there is nothing to compare with.
            if access.writable() == 0 { u64::MAX } else { 0 }
        } else {
            value ^ old
        };
        let reserved = value & enable & !access.implemented();
        let read_only = changed & enable & access.implemented() & !access.writable();
        let again = changed & enable & access.once() & written;
        if reserved | read_only | again == 0 {
            return;
        }
        for (refusal, bits) in [
            (Refusal::Reserved, reserved),
            (Refusal::ReadOnly, read_only),
            (Refusal::WrittenOnce, again),
        ] {
            if bits != 0 {
                self.refusals.log_write(refusal, bits, slot, self.descriptor);
            }
        }
    }

    /// Clears commands that clear themselves, once the hooks have seen them.
    fn end_pulses(&mut self, register: &Register, slot: Slot) {
        let pulses = register.access().pulses();
        if pulses == 0 {
            return;
        }
        let bits = self.device.load(slot);
        if bits & pulses != 0 {
            self.device.store(slot, bits & !pulses);
        }
    }

    /// Calls a hook of the device.
    pub(super) fn call(&mut self, slot: Slot, hook: Hook) -> u64 {
        let entered = self.cx.enter_hook(slot, hook);
        let result = self.device.hook(self.cx, slot, hook);
        drop(entered);
        self.follow_resets();
        result
    }

    /// Follows what the last hook has reset, if anything.
    #[inline]
    pub(super) fn follow_resets(&mut self) {
        if self.cx.runtime().soft.any() {
            self.was_reset = true;
            follow_resets(self.cx.runtime(), self.register_states, self.unmodelled, self.composer);
        }
    }

    /// Returns what counts the accesses, if they are counted.
    #[inline]
    pub(super) fn observer(&self) -> Option<&Observer> {
        self.cx.runtime().observer.as_deref()
    }

    pub(super) fn name(&self, slot: Slot) -> trace::RegisterName<'_> {
        trace::RegisterName { descriptor: self.descriptor, slot }
    }
}

/// Resets what the runtime keeps beside the registers, after resets by the device itself.
pub(crate) fn follow_resets<E>(
    runtime: &Runtime<E>,
    register_states: &mut RegisterStates,
    unmodelled: &mut UnmodelledBytes,
    composer: &mut Composer,
) {
    let (soft, resets) = (&runtime.soft, &runtime.resets);
    for scope in soft.take_unfollowed() {
        if trace::is_on() {
            trace::reset(resets.descriptor(), scope);
        }
        register_states.reset(resets.descriptor(), scope);
        if matches!(scope, ResetScope::Device(_)) {
            unmodelled.reset(resets.descriptor());
        }
        composer.note_reset(|slot| resets.value_after(scope, slot));
    }
}
