//! What generated code calls. Not for people: no promise is made about it.

pub use crate::device::{
    Bar, Capability, Cx, Descriptor, Device, Hook, Ids, PciDevice, Sizes, SizesIn, Slot, Unaligned,
    Unmapped,
};
pub use crate::layout::{BarKind, Check, LayoutError, MsixLayout, class, vendor};
pub use crate::register::{Field, Hooks, Lock, Policy, Register, RegisterValue, Traits, Virtual};

/// The bits of a register's field.
pub fn bits<T: RegisterValue>(value: T) -> u64 {
    value.to_bits()
}

/// A register's field from its bits.
pub fn value<T: RegisterValue>(bits: u64) -> T {
    T::from_bits(bits)
}

/// What is stored of a register without storage.
pub fn no_bits<T>(_: Virtual<T>) -> u64 {
    0
}

/// Whether a register with these fields has the one that locks another register; `target` is how it
/// is written.
pub const fn lock_field(target: &'static str, fields: &[Field], field: &str) -> Check<'static> {
    if Lock::field(0, fields, field).mask == 0 {
        return Err(LayoutError::LockField { target });
    }
    Ok(())
}

/// A number of vectors; one that is far too large stays too large.
#[expect(clippy::cast_possible_truncation, reason = "compared before")]
pub const fn vectors(count: u64) -> u16 {
    if count > u16::MAX as u64 { u16::MAX } else { count as u16 }
}

/// The length of an array; one that is far too large stays too large.
#[expect(clippy::cast_possible_truncation, reason = "compared before")]
pub const fn count(length: usize) -> u32 {
    if length > u32::MAX as usize { u32::MAX } else { length as u32 }
}

/// The declaration of a device whose declaration is wrong.
pub const PLACEHOLDER: Descriptor = Descriptor::new(
    "",
    Ids { vendor: 0, device: 0, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
);

/// Stops the build if a rule of the layout does not hold.
///
/// # Panics
///
/// With the rule's text.
#[track_caller]
pub const fn enforce(check: Check<'_>) {
    if let Err(error) = check {
        panic!("{}", error.text().as_str());
    }
}
