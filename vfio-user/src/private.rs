//! What generated code calls. Not for people: no promise is made about it.

pub use crate::device::{Bar, Capability, Cx, Descriptor, Hook, Ids, PciDevice, Slot, Unmapped};
pub use crate::layout::{BarKind, Check, MsixLayout, class, vendor};
pub use crate::register::{Hooks, Policy, Register, RegisterValue, Virtual};

/// The bits of a register's field.
pub fn bits<T: RegisterValue>(value: T) -> u64 {
    value.to_bits()
}

/// A register's field from its bits.
pub fn value<T: RegisterValue>(bits: u64) -> T {
    T::from_bits(bits)
}

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
