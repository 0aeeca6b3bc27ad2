//! What a register's declaration means for accesses and resets.

use super::{Access, Commit, Hooks, Register, RegisterFlags, StoreOnly, field};
use crate::layout;
use crate::model::ResetKind;

impl Register {
    pub(crate) const fn implemented(&self) -> u64 {
        self.access.implemented()
    }

    /// Returns whether the register keeps its value over a reset, whatever its block does.
    pub(in crate::model) const fn survives(&self, kind: ResetKind) -> bool {
        self.is(RegisterFlags::STICKY) || self.kept_over.contains(kind)
    }

    /// Returns whether a 32-bit read changes bits outside those it reads.
    pub(crate) const fn is_torn_by_reads(&self) -> bool {
        let (mut others, mut shift) = (0, 0);
        while shift < 64 {
            let touched = self.touched_by(0xffff_ffff << shift);
            others |= touched & self.access.changed_by_reads() & !(0xffff_ffff << shift);
            shift += 32;
        }
        others != 0
    }

    /// Returns whether the runtime keeps state for the register besides its value.
    pub(crate) const fn has_state(&self) -> bool {
        self.access.once() != 0 || self.is(RegisterFlags::WIDE) || self.latches_reads()
    }

    /// Returns whether a read of a part latches the other parts.
    pub(crate) const fn latches_reads(&self) -> bool {
        let is_port = self.is(RegisterFlags::PORT);
        let is_computed = self.has(Hooks::READ_WITH) && self.width > 1 && !is_port;
        (is_computed || self.is(RegisterFlags::WIDE)) && self.access.readable() != 0
    }

    /// Returns whether a write that completes the bytes of `enable` takes effect, for a wide
    /// register.
    pub(crate) const fn is_committed_by(&self, enable: u64) -> bool {
        let low = self.all_bits() >> (self.width * 4);
        let needed = match self.commit {
            Commit::Whole => self.all_bits(),
            Commit::High => self.all_bits() & !low,
            Commit::Low => low,
        };
        enable & needed == needed
    }

    /// Returns whether the most significant byte has the lowest address, in a BAR that is
    /// big-endian or not. A port and a window have bytes in the order of an access.
    #[inline]
    pub(crate) const fn is_big(&self, in_big_bar: bool) -> bool {
        (in_big_bar || self.is(RegisterFlags::BIG_ENDIAN)) && !self.takes_bytes()
    }

    /// Returns whether an access is its bytes, and not a part of a value: the register is a port or
    /// a window.
    #[inline]
    pub(crate) const fn takes_bytes(&self) -> bool {
        self.flags.intersects(RegisterFlags::PORT.union(RegisterFlags::WINDOW))
    }

    /// Returns the number of a byte in the value, 0 the least significant one, from its distance to
    /// the lowest address.
    pub(crate) const fn significance(&self, is_big: bool, distance: u64) -> u64 {
        if is_big { self.width as u64 - 1 - distance } else { distance }
    }

    /// Returns every bit in the width of the register, implemented or not.
    pub(crate) const fn all_bits(&self) -> u64 {
        layout::width_mask(self.width as u64)
    }

    /// Returns the bits of the fields that share a bit with `enable`. A register without named
    /// fields counts as one field.
    pub(crate) const fn touched_by(&self, enable: u64) -> u64 {
        if self.fields.is_empty() {
            return if enable & self.mask == 0 { 0 } else { self.mask };
        }
        let (mut touched, mut i) = (0, 0);
        while i < self.fields.len() {
            let field = self.fields[i].mask();
            if field & enable != 0 {
                touched |= field;
            }
            i += 1;
        }
        touched
    }

    /// Returns the bits of the fields that ignore a write of `bits` to the register.
    pub(crate) fn rejected(&self, bits: u64) -> u64 {
        let rejecting = self.fields.iter().filter(|field| field.rejects(bits));
        rejecting.fold(0, |mask, field| mask | field.mask())
    }

    /// Returns the short form of the access algebra, if the register only stores.
    pub(crate) fn store_only(&self) -> Option<StoreOnly> {
        let does_nothing_else = self.stored
            && self.hooks.is_empty()
            && self.lock.is_none()
            && self.sets.is_none()
            && self.clears.is_none()
            && !self.is(RegisterFlags::WIDE)
            && !field::any_rejects(self.fields);
        does_nothing_else.then(|| self.access.store_only(self.width)).flatten()
    }

    pub(crate) const fn access(&self) -> &Access {
        &self.access
    }
}
