//! Registers, as a device declares them.

mod access;
mod block;
mod doorbell;
mod field;
mod intr;
mod lock;
mod traits;
mod value;

pub use crate::layout::Policy;
pub use block::{Block, Shape};
pub use doorbell::DataMatch;
pub use field::Field;
pub use intr::{Intr, Trigger};
pub use lock::Lock;
pub use traits::{Added, Commit, Hooks, Traits, Untested};
pub use value::{FieldValue, RegisterValue, UnknownValue, Virtual};

pub(crate) use access::{Access, Simple, Write, byte_enable};

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
    traits: Traits,
    commit: Commit,
    lock: Option<Lock>,
    sets: Option<usize>,
    clears: Option<usize>,
    ioeventfd: Option<u64>,
    untested: Option<Untested>,
    migrates: bool,
    since: Option<Added>,
    old_names: &'static [&'static str],
    grown_from: &'static [u32],
    doc: &'static str,
}

impl Register {
    /// A read-write register of type `T`, `offset` bytes from the start of BAR 0.
    pub const fn new<T: RegisterValue>(name: &'static str, offset: u64) -> Self {
        Self::of_width(T::WIDTH, name, offset)
    }

    /// Without a type, for the derive: a bound of ours would be told as a second error of a type
    /// that is no register.
    #[doc(hidden)]
    pub const fn of_width(width: u8, name: &'static str, offset: u64) -> Self {
        // What most registers are is computed once: constant evaluation is slow.
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
            traits: Traits::empty(),
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

    /// In another BAR than 0.
    #[must_use]
    pub const fn bar(mut self, bar: u8) -> Self {
        self.bar = bar;
        self
    }

    /// In configuration space, behind the header.
    #[must_use]
    pub const fn in_config(self) -> Self {
        self.bar(layout::CONFIG)
    }

    /// `count` of them, one behind the other.
    #[must_use]
    pub const fn array(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// The distance between the elements of an array, in bytes.
    #[must_use]
    pub const fn stride(mut self, stride: u64) -> Self {
        self.stride = stride;
        self
    }

    /// What software may do.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self.with_access()
    }

    /// The named fields; the bits in none of them are reserved.
    #[must_use]
    pub const fn fields(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        if self.reset.is_none() {
            self.reset = field::reset_value(fields);
        }
        self.with_access()
    }

    /// The implemented bits; all others are reserved.
    #[must_use]
    pub const fn mask(mut self, mask: u64) -> Self {
        self.mask = mask;
        self.with_access()
    }

    /// The bits that software may write, when fewer than implemented.
    #[must_use]
    pub const fn writable(mut self, bits: u64) -> Self {
        self.writable = Some(bits);
        self.with_access()
    }

    /// The value at construction and after a reset; without one, what the device was constructed
    /// with.
    #[must_use]
    pub const fn reset(mut self, value: u64) -> Self {
        self.reset = Some(value);
        self
    }

    /// Without storage in the device.
    #[must_use]
    pub const fn without_storage(mut self) -> Self {
        self.stored = false;
        self.with_access()
    }

    /// The hooks that [`PciDevice::hook`](crate::PciDevice::hook) answers for.
    #[must_use]
    pub const fn hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self.with_access()
    }

    /// What is special about it.
    #[must_use]
    pub const fn traits(mut self, traits: Traits) -> Self {
        self.traits = traits;
        self.with_access()
    }

    /// When what is written to parts of it takes effect, if it is [`Traits::WIDE`].
    #[must_use]
    pub const fn commit(mut self, commit: Commit) -> Self {
        self.commit = commit;
        self
    }

    /// Ignores writes while the bits of `lock` are not all zero.
    #[must_use]
    pub const fn lock(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
        self.with_access()
    }

    /// Spared by the generated tests.
    #[must_use]
    pub const fn untested(mut self, untested: Untested) -> Self {
        self.untested = Some(untested);
        self
    }

    /// Keeps its value when state is loaded.
    #[must_use]
    pub const fn skipped(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// Added by a version of the device's state. While it holds `default`, older versions leave it out.
    #[must_use]
    pub const fn since(mut self, since: u16, default: u64) -> Self {
        self.since = Some(Added { since, default });
        self
    }

    /// Has other names in older state.
    #[must_use]
    pub const fn renamed_from(mut self, names: &'static [&'static str]) -> Self {
        self.old_names = names;
        self
    }

    /// An array that had so many elements in older versions.
    #[must_use]
    pub const fn grown_from(mut self, counts: &'static [u32]) -> Self {
        self.grown_from = counts;
        self
    }

    /// What the author says about it.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// A test register: ones that are written to it set bits of the register at `place`.
    #[must_use]
    pub const fn sets(mut self, place: usize) -> Self {
        self.sets = Some(place);
        self.with_access()
    }

    /// A clear register: ones that are written to it clear bits of the register at `place`.
    #[must_use]
    pub const fn clears(mut self, place: usize) -> Self {
        self.clears = Some(place);
        self
    }

    /// A doorbell: clients may turn writes of `value` into signals of an eventfd. Needs a hook for
    /// writes.
    #[must_use]
    pub const fn ioeventfd(mut self, value: u64) -> Self {
        self.ioeventfd = Some(value);
        self
    }

    /// The name of the field.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The BAR it lies in; 7, the number of the region, if it lies in configuration space.
    pub const fn bar_index(&self) -> u8 {
        self.bar
    }

    /// Of one element, in bytes.
    pub const fn width(&self) -> u8 {
        self.width
    }

    /// Elements of the array; 1 for a plain register.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// What software may do.
    pub const fn access_policy(&self) -> Policy {
        self.policy
    }

    /// The value after a reset, if one was declared.
    pub const fn reset_value(&self) -> Option<u64> {
        self.reset
    }

    /// Where it lies in its BAR.
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

    /// The named fields, if it has any.
    pub const fn declared_fields(&self) -> &'static [Field] {
        self.fields
    }

    /// Place of the register whose bits a write sets.
    pub const fn declared_sets(&self) -> Option<usize> {
        self.sets
    }

    /// Place of the register whose bits a write clears.
    pub const fn declared_clears(&self) -> Option<usize> {
        self.clears
    }

    /// The writes that clients may turn into signals of an eventfd, if it is a doorbell.
    pub const fn doorbell(&self) -> Option<DataMatch> {
        match self.ioeventfd {
            Some(value) => Some(DataMatch::Value(value)),
            None if self.has(Hooks::KICK) => Some(DataMatch::Any),
            None => None,
        }
    }

    /// When what is written to parts of it takes effect, if it is [`Traits::WIDE`].
    pub const fn declared_commit(&self) -> Commit {
        self.commit
    }

    /// What locks it.
    pub const fn declared_lock(&self) -> Option<Lock> {
        self.lock
    }

    /// What the generated tests spare it.
    pub const fn declared_untested(&self) -> Option<Untested> {
        self.untested
    }

    /// Whether it is part of the device's state.
    pub const fn migrates(&self) -> bool {
        self.stored && self.migrates
    }

    /// Since when it exists, if not from the start.
    pub const fn declared_since(&self) -> Option<Added> {
        self.since
    }

    /// Its names in older state.
    pub const fn declared_old_names(&self) -> &'static [&'static str] {
        self.old_names
    }

    /// The numbers of elements that it had in older versions.
    pub const fn declared_growth(&self) -> &'static [u32] {
        self.grown_from
    }

    /// What the author says about it.
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }

    /// Whether all of the traits are its own.
    pub const fn is(&self, traits: Traits) -> bool {
        self.traits.contains(traits)
    }

    /// The mask as it was declared, whatever the fields are.
    pub(crate) const fn declared_mask(&self) -> u64 {
        self.mask
    }

    pub(crate) const fn implemented(&self) -> u64 {
        self.access.implemented()
    }

    /// Whether its value stays over a reset.
    pub(crate) const fn survives(&self, kind: ResetKind) -> bool {
        match kind {
            ResetKind::Device | ResetKind::PowerState => self.is(Traits::STICKY),
            ResetKind::FunctionLevel => {
                self.traits.intersects(Traits::STICKY.union(Traits::KEEP_ON_FLR))
            }
        }
    }

    /// Whether a read of 32 bits changes any of the others.
    pub(crate) const fn is_torn_by_reads(&self) -> bool {
        let (mut others, mut shift) = (0, 0);
        while shift < 64 {
            let touched = self.touched_by(0xffff_ffff << shift);
            others |= touched & self.access.changed_by_reads() & !(0xffff_ffff << shift);
            shift += 32;
        }
        others != 0
    }

    /// Whether the runtime keeps more of it than its value.
    pub(crate) const fn has_state(&self) -> bool {
        self.access.once() != 0 || self.is(Traits::WIDE) || self.latches_reads()
    }

    /// Whether a read of a part fixes what the other parts read as.
    pub(crate) const fn latches_reads(&self) -> bool {
        let is_computed = self.has(Hooks::READ_WITH) && self.width > 1;
        (is_computed || self.is(Traits::WIDE)) && self.access.readable() != 0
    }

    /// Whether what was written to the bytes of `enable` takes effect, if it is wide.
    pub(crate) const fn is_committed_by(&self, enable: u64) -> bool {
        let low = self.all_bits() >> (self.width * 4);
        let needed = match self.commit {
            Commit::Whole => self.all_bits(),
            Commit::High => self.all_bits() & !low,
            Commit::Low => low,
        };
        enable & needed == needed
    }

    /// Every bit that it is wide, implemented or not.
    pub(crate) const fn all_bits(&self) -> u64 {
        layout::width_mask(self.width as u64)
    }

    /// The bits of the fields that share a bit with `enable`; a register without named fields is
    /// one field.
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

    /// The bits of the fields that keep what they hold when the register is written with `bits`.
    pub(crate) fn rejected(&self, bits: u64) -> u64 {
        let rejecting = self.fields.iter().filter(|field| field.rejects(bits));
        rejecting.fold(0, |mask, field| mask | field.mask())
    }

    /// The writable bits, if not all that are implemented.
    pub(crate) const fn declared_writable(&self) -> Option<u64> {
        self.writable
    }

    pub(crate) const fn is_stored(&self) -> bool {
        self.stored
    }

    pub(crate) const fn has(&self, hook: Hooks) -> bool {
        self.hooks.contains(hook)
    }

    /// The short way through the access algebra, if all that it does is to store.
    pub(crate) fn simple(&self) -> Option<Simple> {
        let does_nothing_else = self.stored
            && self.hooks.is_empty()
            && self.lock.is_none()
            && self.sets.is_none()
            && self.clears.is_none()
            && !self.is(Traits::WIDE)
            && !field::any_rejects(self.fields);
        does_nothing_else.then(|| self.access.simple(self.width)).flatten()
    }

    pub(crate) const fn access(&self) -> &Access {
        &self.access
    }

    /// With the masks that follow from what has been declared so far.
    const fn with_access(mut self) -> Self {
        let writable = match self.writable {
            Some(bits) => bits,
            None => self.mask,
        };
        self.access = Access::new(self.policy, self.mask, writable, self.fields);
        if self.is(Traits::PULSE) {
            self.access = self.access.with_pulses();
        }
        self
    }
}
