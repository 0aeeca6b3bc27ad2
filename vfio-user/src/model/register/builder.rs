//! The setters of a register's declaration.

use super::{
    Access, AddedIn, Commit, Field, Hooks, Policy, Register, RegisterFlags, Untested, WriteLock,
    field,
};
use crate::model::ResetSet;

impl Register {
    /// Places the register in another BAR than 0.
    #[must_use]
    pub const fn with_bar(mut self, bar: u8) -> Self {
        self.bar = bar;
        self
    }

    /// Makes an array of `count` elements without gaps.
    #[must_use]
    pub const fn with_count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Sets the distance between the elements of an array, in bytes.
    #[must_use]
    pub const fn with_stride(mut self, stride: u64) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the access policy for software.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self.with_access()
    }

    /// Sets the named fields; bits in no field are reserved.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        if self.reset.is_none() {
            self.reset = field::reset_value(fields);
        }
        self.with_access()
    }

    /// Sets the implemented bits; all others are reserved.
    #[must_use]
    pub const fn with_mask(mut self, mask: u64) -> Self {
        self.mask = mask;
        self.with_access()
    }

    /// Sets the bits that software may write, if fewer than the implemented ones.
    #[must_use]
    pub const fn with_writable(mut self, bits: u64) -> Self {
        self.writable = Some(bits);
        self.with_access()
    }

    /// Sets the value at construction and after a reset. Without it, the register is reset to the
    /// value that the device was constructed with.
    #[must_use]
    pub const fn with_reset(mut self, value: u64) -> Self {
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
    pub const fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self.with_access()
    }

    /// Sets the properties of the register.
    #[must_use]
    pub const fn with_flags(mut self, flags: RegisterFlags) -> Self {
        self.flags = self.flags.union(flags);
        self.with_access()
    }

    /// Makes the register keep its value over these resets.
    #[must_use]
    pub const fn with_kept_over(mut self, resets: ResetSet) -> Self {
        self.kept_over = resets;
        self
    }

    /// Sets the write at which parts take effect, for a register that is [`RegisterFlags::WIDE`].
    #[must_use]
    pub const fn with_commit(mut self, commit: Commit) -> Self {
        self.commit = commit;
        self
    }

    /// Makes the register ignore writes while any bit of `lock` is set.
    #[must_use]
    pub const fn with_lock(mut self, lock: WriteLock) -> Self {
        self.lock = Some(lock);
        self.with_access()
    }

    /// Sets the generated tests that skip the register.
    #[must_use]
    pub const fn with_untested(mut self, untested: Untested) -> Self {
        self.untested = Some(untested);
        self
    }

    /// Makes the register keep its value when state is loaded.
    #[must_use]
    pub const fn without_migration(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// Sets the version of the device's state that added the register. Older versions leave it out
    /// while it holds `default`.
    #[must_use]
    pub const fn with_since(mut self, since: u16, default: u64) -> Self {
        self.since = Some(AddedIn { since, default });
        self
    }

    /// Sets the names of the register in older state.
    #[must_use]
    pub const fn with_old_names(mut self, names: &'static [&'static str]) -> Self {
        self.old_names = names;
        self
    }

    /// Sets the numbers of elements that the array had in older versions.
    #[must_use]
    pub const fn with_grown_from(mut self, counts: &'static [u32]) -> Self {
        self.grown_from = counts;
        self
    }

    /// Sets the author's documentation.
    #[must_use]
    pub const fn with_doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Makes this a test register: written ones set bits of the register at `register_index`.
    #[must_use]
    pub const fn with_sets(mut self, register_index: usize) -> Self {
        self.sets = Some(register_index);
        self.with_access()
    }

    /// Makes this a clear register: written ones clear bits of the register at `register_index`.
    #[must_use]
    pub const fn with_clears(mut self, register_index: usize) -> Self {
        self.clears = Some(register_index);
        self
    }

    /// Makes this a doorbell: clients may turn writes of `value` into signals of an eventfd. The
    /// register needs a hook for writes.
    #[must_use]
    pub const fn with_ioeventfd(mut self, value: u64) -> Self {
        self.ioeventfd = Some(value);
        self
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
