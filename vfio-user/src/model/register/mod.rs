//! Declarations of registers.

mod access;
mod block;
mod composed_interrupt;
mod doorbell;
mod field;
mod flags;
mod value;
mod write_lock;

pub use crate::layout::Policy;
pub use block::{Block, Shape};
pub use composed_interrupt::{ComposedInterrupt, Trigger};
pub use doorbell::DataMatch;
pub use field::Field;
pub use flags::{AddedIn, Commit, Hooks, RegisterFlags, Untested};
pub use value::{FieldValue, RegisterValue, UnknownValue, Virtual};
pub use write_lock::WriteLock;

pub(crate) use access::{Access, StoreOnly, Write, byte_enable};

use super::ResetKind;
use crate::layout::{self, Extent, Kind};

/// A register, or an array of them, as a device declares it.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    name: &'static str,
    bar: u8,
    offset: u64,
    width: u8,
    count: u32,
    stride: u64,
    policy: Policy,
    fields: &'static [Field],
    mask: u64,
    writable: Option<u64>,
    access: Access,
    reset: Option<u64>,
    stored: bool,
    hooks: Hooks,
    flags: RegisterFlags,
    commit: Commit,
    lock: Option<WriteLock>,
    sets: Option<usize>,
    clears: Option<usize>,
    ioeventfd: Option<u64>,
    untested: Option<Untested>,
    migrates: bool,
    since: Option<AddedIn>,
    old_names: &'static [&'static str],
    grown_from: &'static [u32],
    doc: &'static str,
}

impl Register {
    /// Declares a read-write register of type `T`, `offset` bytes from the start of BAR 0.
    pub const fn new<T: RegisterValue>(name: &'static str, offset: u64) -> Self {
        Self::of_width(T::WIDTH, name, offset)
    }

    /// Declares a register without a type, for the derive: a trait bound here would report a second
    /// error for a type that is no register.
    #[doc(hidden)]
    pub const fn of_width(width: u8, name: &'static str, offset: u64) -> Self {
        // The parts that most registers share are computed once: constant evaluation is slow.
        const PLAIN: [Register; 4] =
            [Register::plain(1), Register::plain(2), Register::plain(4), Register::plain(8)];
        let mut register = match width {
            1 => PLAIN[0],
            2 => PLAIN[1],
            4 => PLAIN[2],
            8 => PLAIN[3],
            _ => Self::plain(width),
        };
        register.name = name;
        register.offset = offset;
        register
    }

    const fn plain(width: u8) -> Self {
        let mask = layout::width_mask(width as u64);
        Register {
            name: "",
            bar: 0,
            offset: 0,
            width,
            count: 1,
            stride: width as u64,
            policy: Policy::Rw,
            fields: &[],
            mask,
            writable: None,
            access: Access::new(Policy::Rw, mask, mask, &[]),
            reset: None,
            stored: true,
            hooks: Hooks::empty(),
            flags: RegisterFlags::empty(),
            commit: Commit::Whole,
            lock: None,
            sets: None,
            clears: None,
            ioeventfd: None,
            untested: None,
            migrates: true,
            since: None,
            old_names: &[],
            grown_from: &[],
            doc: "",
        }
    }

    /// Places the register in another BAR than 0.
    #[must_use]
    pub const fn bar(mut self, bar: u8) -> Self {
        self.bar = bar;
        self
    }

    /// Places the register in configuration space, behind the header.
    #[must_use]
    pub const fn in_config(self) -> Self {
        self.bar(layout::CONFIG)
    }

    /// Makes an array of `count` elements without gaps.
    #[must_use]
    pub const fn array(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Sets the distance between the elements of an array, in bytes.
    #[must_use]
    pub const fn stride(mut self, stride: u64) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the access policy for software.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self.with_access()
    }

    /// Sets the named fields; bits in no field are reserved.
    #[must_use]
    pub const fn fields(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        if self.reset.is_none() {
            self.reset = field::reset_value(fields);
        }
        self.with_access()
    }

    /// Sets the implemented bits; all others are reserved.
    #[must_use]
    pub const fn mask(mut self, mask: u64) -> Self {
        self.mask = mask;
        self.with_access()
    }

    /// Sets the bits that software may write, if fewer than the implemented ones.
    #[must_use]
    pub const fn writable(mut self, bits: u64) -> Self {
        self.writable = Some(bits);
        self.with_access()
    }

    /// Sets the value at construction and after a reset. Without it, the register is reset to the
    /// value that the device was constructed with.
    #[must_use]
    pub const fn reset(mut self, value: u64) -> Self {
        self.reset = Some(value);
        self
    }

    /// Declares that the device does not store the register.
    #[must_use]
    pub const fn without_storage(mut self) -> Self {
        self.stored = false;
        self.with_access()
    }

    /// Sets the hooks that [`PciDevice::hook`](crate::PciDevice::hook) implements.
    #[must_use]
    pub const fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self.with_access()
    }

    /// Sets the properties of the register.
    #[must_use]
    pub const fn flags(mut self, flags: RegisterFlags) -> Self {
        self.flags = flags;
        self.with_access()
    }

    /// Sets the write at which parts take effect, for a register that is [`RegisterFlags::WIDE`].
    #[must_use]
    pub const fn commit(mut self, commit: Commit) -> Self {
        self.commit = commit;
        self
    }

    /// Makes the register ignore writes while any bit of `lock` is set.
    #[must_use]
    pub const fn lock(mut self, lock: WriteLock) -> Self {
        self.lock = Some(lock);
        self.with_access()
    }

    /// Sets the generated tests that skip the register.
    #[must_use]
    pub const fn untested(mut self, untested: Untested) -> Self {
        self.untested = Some(untested);
        self
    }

    /// Makes the register keep its value when state is loaded.
    #[must_use]
    pub const fn skipped(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// Sets the version of the device's state that added the register. Older versions leave it out
    /// while it holds `default`.
    #[must_use]
    pub const fn since(mut self, since: u16, default: u64) -> Self {
        self.since = Some(AddedIn { since, default });
        self
    }

    /// Sets the names of the register in older state.
    #[must_use]
    pub const fn renamed_from(mut self, names: &'static [&'static str]) -> Self {
        self.old_names = names;
        self
    }

    /// Sets the numbers of elements that the array had in older versions.
    #[must_use]
    pub const fn grown_from(mut self, counts: &'static [u32]) -> Self {
        self.grown_from = counts;
        self
    }

    /// Sets the author's documentation.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Makes this a test register: written ones set bits of the register at `register_index`.
    #[must_use]
    pub const fn sets(mut self, register_index: usize) -> Self {
        self.sets = Some(register_index);
        self.with_access()
    }

    /// Makes this a clear register: written ones clear bits of the register at `register_index`.
    #[must_use]
    pub const fn clears(mut self, register_index: usize) -> Self {
        self.clears = Some(register_index);
        self
    }

    /// Makes this a doorbell: clients may turn writes of `value` into signals of an eventfd. The
    /// register needs a hook for writes.
    #[must_use]
    pub const fn ioeventfd(mut self, value: u64) -> Self {
        self.ioeventfd = Some(value);
        self
    }

    /// Returns the name of the field.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the index of the BAR in which the register lies; 7, the region number, in
    /// configuration space.
    pub const fn bar_index(&self) -> u8 {
        self.bar
    }

    /// Returns the width of an element, in bytes.
    pub const fn width(&self) -> u8 {
        self.width
    }

    /// Returns the number of elements; 1 for a plain register.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Returns the access policy for software.
    pub const fn access_policy(&self) -> Policy {
        self.policy
    }

    /// Returns the value after a reset, if one was declared.
    pub const fn reset_value(&self) -> Option<u64> {
        self.reset
    }

    /// Returns the place of the register in its BAR.
    pub const fn extent(&self) -> Extent<'static> {
        Extent {
            kind: Kind::Register,
            name: self.name,
            offset: self.offset,
            width: self.width as u64,
            count: self.count as u64,
            stride: self.stride,
        }
    }

    /// Returns the named fields.
    pub const fn declared_fields(&self) -> &'static [Field] {
        self.fields
    }

    /// Returns the index of the register whose bits a write sets.
    pub const fn declared_sets(&self) -> Option<usize> {
        self.sets
    }

    /// Returns the index of the register whose bits a write clears.
    pub const fn declared_clears(&self) -> Option<usize> {
        self.clears
    }

    /// Returns the writes that clients may turn into signals of an eventfd, if the register is a
    /// doorbell.
    pub const fn doorbell(&self) -> Option<DataMatch> {
        match self.ioeventfd {
            Some(value) => Some(DataMatch::Value(value)),
            None if self.has(Hooks::KICK) => Some(DataMatch::Any),
            None => None,
        }
    }

    /// Returns the write at which the parts of a [`RegisterFlags::WIDE`] register take effect.
    pub const fn declared_commit(&self) -> Commit {
        self.commit
    }

    /// Returns the lock of the register.
    pub const fn declared_lock(&self) -> Option<WriteLock> {
        self.lock
    }

    /// Returns the generated tests that skip the register.
    pub const fn declared_untested(&self) -> Option<Untested> {
        self.untested
    }

    /// Returns whether the register is part of the device's state.
    pub const fn migrates(&self) -> bool {
        self.stored && self.migrates
    }

    /// Returns the version that added the register; `None` for the first one.
    pub const fn declared_since(&self) -> Option<AddedIn> {
        self.since
    }

    /// Returns the names of the register in older state.
    pub const fn declared_old_names(&self) -> &'static [&'static str] {
        self.old_names
    }

    /// Returns the numbers of elements that the array had in older versions.
    pub const fn declared_growth(&self) -> &'static [u32] {
        self.grown_from
    }

    /// Returns the author's documentation.
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }

    /// Returns whether the register has all of `flags`.
    pub const fn is(&self, flags: RegisterFlags) -> bool {
        self.flags.contains(flags)
    }

    /// Returns the mask as declared, regardless of the fields.
    pub(crate) const fn declared_mask(&self) -> u64 {
        self.mask
    }

    pub(crate) const fn implemented(&self) -> u64 {
        self.access.implemented()
    }

    /// Returns whether the register keeps its value over a reset.
    pub(crate) const fn survives(&self, kind: ResetKind) -> bool {
        match kind {
            ResetKind::Device | ResetKind::PowerState => self.is(RegisterFlags::STICKY),
            ResetKind::FunctionLevel => {
                self.flags.intersects(RegisterFlags::STICKY.union(RegisterFlags::KEEP_ON_FLR))
            }
        }
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
        let is_computed = self.has(Hooks::READ_WITH) && self.width > 1;
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

    /// Returns the writable bits, if fewer than the implemented ones.
    pub(crate) const fn declared_writable(&self) -> Option<u64> {
        self.writable
    }

    pub(crate) const fn is_stored(&self) -> bool {
        self.stored
    }

    pub(crate) const fn has(&self, hook: Hooks) -> bool {
        self.hooks.contains(hook)
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

    /// Sets the masks that follow from the declaration so far.
    const fn with_access(mut self) -> Self {
        let writable = match self.writable {
            Some(bits) => bits,
            None => self.mask,
        };
        self.access = Access::new(self.policy, self.mask, writable, self.fields);
        if self.is(RegisterFlags::PULSE) {
            self.access = self.access.with_pulses();
        }
        self
    }
}
