//! What generated code calls. Not for people: no promise is made about it.

pub use crate::device::{
    BlockHooks, Cx, Device, Hook, PciDevice, RegisterBlock, Timer, TimerField,
};
use crate::layout;
pub use crate::layout::{
    BarKind, Check, LayoutError, MsixLayout, Values, bit_mask, class, growth, register_variant,
    vendor, width_mask,
};
pub use crate::migration::{
    Exchange, Migrated, OldState, Part, StateError, StateField, StateLayout, StateReader,
    StateWriter, WireType, Written,
};
use crate::migration::{ListIo, ValueIo};
pub use crate::model::{
    Bar, Block, BlockElement, Capability, Commit, Descriptor, Express, ExpressPort, Field,
    FieldValue, Hooks, Ids, Intr, Lock, Msi, Policy, PowerManagement, PowerStates, Register,
    RegisterValue, Shape, Sizes, SizesIn, Slot, Traits, Unaligned, UnknownValue, Unmapped,
    Untested, Virtual,
};

pub use serde_bytes::ByteBuf;

/// As bytes, not as numbers one by one.
pub fn as_bytes(bytes: &(impl AsRef<[u8]> + ?Sized)) -> &serde_bytes::Bytes {
    serde_bytes::Bytes::new(bytes.as_ref())
}

/// The functions of a type that migrates; of another type this is the only error.
pub const fn value_io<T: Migrated>() -> ValueIo<T> {
    ValueIo::of()
}

/// The same of arrays, given the type of the elements.
pub const fn list_io<T: Migrated>() -> ListIo<T> {
    ListIo::of()
}

/// How a field is converted: into what is saved, and back.
#[derive(Clone, Copy, Debug)]
pub struct Conversion<T, U, E> {
    /// What is saved of a value.
    pub save: fn(&T) -> U,
    /// The value that was saved.
    pub load: fn(U) -> Result<T, E>,
}

/// Boxes what exchanges loaded state and that of a device.
pub fn exchange<D: ?Sized>(exchange: impl FnMut(&mut D) + 'static) -> Exchange<D> {
    Box::new(exchange)
}

/// Stops the build if a device migrates and a block of it does not.
///
/// # Panics
///
/// With the rule's text.
#[track_caller]
pub const fn enforce_block_migrates(state: Option<StateLayout>) {
    assert!(
        state.is_some(),
        "this block does not migrate, so its device cannot: `#[migrate(none)]` on the device"
    );
}

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

/// A field from the bits of its register. What the type cannot say is the reset value instead.
///
/// # Panics
///
/// If the reset value is not one either, which [`check_field_reset`] has excluded.
pub fn unpack<T>(field: &Field, bits: u64, from_bits: fn(u64) -> Option<T>) -> T {
    from_bits(field.extract(bits))
        .or_else(|| from_bits(field.reset.unwrap_or(0)))
        .expect("constant evaluation has checked that the type can say the reset value")
}

/// A register of the variants of an enum. What none of them says is the one for 0 instead, or
/// `first`.
pub fn unpack_or<T: FieldValue>(field: &Field, bits: u64, first: T) -> T {
    T::from_bits(field.extract(bits)).or_else(|| T::from_bits(0)).unwrap_or(first)
}

/// Whether every field can say its bits.
///
/// # Errors
///
/// The first field that cannot.
pub fn known(fields: &[Field], bits: u64) -> Result<(), UnknownValue> {
    let unknown = fields.iter().find(|field| !field.values.contains(field.extract(bits)));
    unknown
        .map_or(Ok(()), |field| Err(UnknownValue { field: field.name, value: field.extract(bits) }))
}

/// Whether a field and its type, called `ty`, go together.
pub const fn check_field_type(field: &Field, ty: &'static str) -> Check<'static> {
    let (name, width, values) = (field.name, field.width as u64, &field.values);
    if let Err(error) = layout::field_type(name, width, ty, values) {
        return Err(error);
    }
    if field.is_rejecting {
        return Ok(());
    }
    layout::field_total(name, width, ty, values)
}

/// Whether an enum, called `ty`, can say all that a register can hold, all of which is `field`.
pub const fn check_register_type(field: &Field, ty: &'static str) -> Check<'static> {
    layout::register_total(field.width as u64, ty, &field.values)
}

/// Whether a field's type, called `ty`, can say its reset value.
pub const fn check_field_reset(field: &Field, ty: &'static str) -> Check<'static> {
    let reset = match field.reset {
        Some(reset) => reset,
        None => 0,
    };
    layout::field_reset(field.name, field.width as u64, ty, &field.values, reset)
}

/// A value of a type whose declaration is wrong: the build has failed.
///
/// # Panics
///
/// Always.
pub fn no_value<T>() -> T {
    unreachable!("the build has failed")
}

/// Whether a register with these fields has the one that locks another register; `target` is how it
/// is written.
pub const fn lock_field(target: &'static str, fields: &[Field], field: &str) -> Check<'static> {
    if Lock::field(0, fields, field).mask == 0 {
        return Err(LayoutError::LockField { target });
    }
    Ok(())
}

/// A type of which a constant in an attribute may be: any integer, if the value is not negative and
/// has at most 64 bits.
pub trait Integer: Copy {}

macro_rules! integers {
    ($($int:ident)*) => {$(impl Integer for $int {})*};
}

// A `bool` is the value of a field of one bit.
integers!(bool u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

/// A constant in an attribute, which has to be an [`Integer`]. Of another type `integer` is no method:
/// the compiler reports that and nothing that follows.
#[derive(Clone, Copy, Debug)]
pub struct Constant<T>(pub T);

impl<T: Integer> Constant<T> {
    /// An integer of any type, as it is.
    pub const fn integer(self) -> T {
        self.0
    }
}

/// An integer of any type, given as an `i128`, as one that has a place in a layout.
///
/// # Panics
///
/// If it is negative, or has more than 64 bits.
#[track_caller]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared before")]
pub const fn int(value: i128) -> u64 {
    // What does not fit in an `i128` has become negative.
    assert!(
        0 <= value && value <= u64::MAX as i128,
        "the constant is negative or has more than 64 bits; 0 to 0xffff_ffff_ffff_ffff is accepted"
    );
    value as u64
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

/// The registers of a block whose declaration is wrong.
pub const PLACEHOLDER_BLOCK: &[Register] = &[Register::of_width(1, "", 0)];

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
