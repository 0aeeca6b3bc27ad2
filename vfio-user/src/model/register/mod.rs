//! Declarations of registers.

mod access;
mod behaviour;
pub(crate) mod block;
mod block_name;
mod builder;
mod composed_interrupt;
mod doorbell;
pub(crate) mod enter;
mod field;
mod flags;
mod level;
pub(crate) mod nested;
mod sharing;
mod value;
mod window;
mod write_lock;

pub use crate::layout::Policy;
pub use block::{Block, BlockContents};
pub(crate) use block_name::find_block;
pub use composed_interrupt::{ComposedInterrupt, Trigger};
pub use doorbell::{DataMatch, Doorbell};
pub use field::Field;
pub use flags::{AddedIn, Commit, Hooks, RegisterFlags, Untested};
pub use sharing::{Condition, RegisterBits};
pub use value::{FieldValue, RegisterValue, UnknownValue, Virtual};
pub use window::{Window, WindowBar};
pub use write_lock::WriteLock;

pub(crate) use access::{Access, StoreOnly, Write, byte_enable};
pub(crate) use level::MAX_LEVELS;
use sharing::Sharing;
pub(crate) use sharing::{BitsName, ConditionText, SizesText};
pub(crate) use window::{View, beside};

use crate::layout::{self, Extent, Kind};
use crate::model::ResetSet;

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
    kept_over: ResetSet,
    commit: Commit,
    lock: Option<WriteLock>,
    sharing: Sharing,
    window: Option<&'static Window>,
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
        register_of_width(T::WIDTH, name, offset)
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
            kept_over: ResetSet::EMPTY,
            commit: Commit::Whole,
            lock: None,
            sharing: Sharing::NOTHING,
            window: None,
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
}

/// Getters.
impl Register {
    /// Returns the name of the field.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the index of the BAR in which the register lies; 7, the region number, in
    /// configuration space.
    pub const fn bar(&self) -> u8 {
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
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns the value after a reset, if one was declared.
    pub const fn reset(&self) -> Option<u64> {
        self.reset
    }

    /// Returns the place of the register in its BAR. Elements that share their bytes are one there.
    pub const fn extent(&self) -> Extent<'static> {
        Extent {
            kind: Kind::Register,
            name: self.name,
            offset: self.offset,
            width: self.width as u64,
            count: if self.selector().is_some() { 1 } else { self.count as u64 },
            stride: self.stride,
        }
    }

    /// Returns the offset of an element.
    pub const fn offset_of(&self, element: usize) -> u64 {
        let extent = self.extent();
        if extent.count == 1 {
            extent.offset
        } else {
            extent.offset + extent.stride * element as u64
        }
    }

    /// Returns the named fields.
    pub const fn fields(&self) -> &'static [Field] {
        self.fields
    }

    /// Returns the index of the register whose bits a write sets.
    pub const fn sets(&self) -> Option<usize> {
        self.sets
    }

    /// Returns the index of the register whose bits a write clears.
    pub const fn clears(&self) -> Option<usize> {
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

    /// Returns the value whose writes clients may turn into signals of an eventfd.
    pub(in crate::model) const fn ioeventfd(&self) -> Option<u64> {
        self.ioeventfd
    }

    /// Returns the resets over which the register keeps its value, besides those over which its
    /// block does.
    pub const fn kept_over(&self) -> ResetSet {
        self.kept_over
    }

    /// Returns the write at which the parts of a [`RegisterFlags::WIDE`] register take effect.
    pub const fn commit(&self) -> Commit {
        self.commit
    }

    /// Returns the lock of the register.
    pub const fn lock(&self) -> Option<WriteLock> {
        self.lock
    }

    /// Returns the generated tests that skip the register.
    pub const fn untested(&self) -> Option<Untested> {
        self.untested
    }

    /// Returns whether the register is part of the device's state.
    pub const fn migrates(&self) -> bool {
        self.stored && self.migrates
    }

    /// Returns the version that added the register; `None` for the first one.
    pub const fn since(&self) -> Option<AddedIn> {
        self.since
    }

    /// Returns the names of the register in older state.
    pub const fn old_names(&self) -> &'static [&'static str] {
        self.old_names
    }

    /// Returns the numbers of elements that the array had in older versions.
    pub const fn grown_from(&self) -> &'static [u32] {
        self.grown_from
    }

    /// Returns the author's documentation.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// Returns whether the register has all of `flags`.
    pub const fn is(&self, flags: RegisterFlags) -> bool {
        self.flags.contains(flags)
    }

    /// Returns the mask as declared, regardless of the fields.
    pub(crate) const fn mask(&self) -> u64 {
        self.mask
    }

    /// Returns the writable bits, if fewer than the implemented ones.
    pub(crate) const fn writable(&self) -> Option<u64> {
        self.writable
    }

    pub(crate) const fn is_stored(&self) -> bool {
        self.stored
    }

    pub(crate) const fn has(&self, hook: Hooks) -> bool {
        self.hooks.contains(hook)
    }
}

/// Declares a register without a type, for the derive: a trait bound here would report a second
/// error for a type that is no register.
pub const fn register_of_width(width: u8, name: &'static str, offset: u64) -> Register {
    // The parts that most registers share are computed once: constant evaluation is slow.
    const PLAIN: [Register; 4] =
        [Register::plain(1), Register::plain(2), Register::plain(4), Register::plain(8)];
    let mut register = match width {
        1 => PLAIN[0],
        2 => PLAIN[1],
        4 => PLAIN[2],
        8 => PLAIN[3],
        _ => Register::plain(width),
    };
    register.name = name;
    register.offset = offset;
    register
}
