//! Items that generated code calls. They are not public API and have no stability guarantee.

pub use crate::device::{
    BlockHooks, Cx, Device, Hook, Indices, PciDevice, RegisterBlock, Timer, TimerField, each,
    each_mut,
};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dma::Dma;
pub use crate::driver::Bars;
pub use crate::driver::driven::{Driven, HasDriver, check_driven, check_driven_block};
pub use crate::driver::origin::Origin;
use crate::interrupt::Interrupts;
use crate::layout;
pub use crate::layout::{
    BarKind, Check, LayoutError, MsixLayout, Values, bit_mask, class, growth, register_variant,
    soft_domain, vendor, width_mask,
};
pub use crate::migration::{
    Exchange, ExchangeAll, Migrated, OldState, Part, StateError, StateField, StateLayout,
    StateReader, StateWriter, WireType, Written,
};
use crate::migration::{ListIo, ValueIo};
pub use crate::model::{
    Bar, Block, BlockElement, Capability, Commit, ComposedInterrupt, DeclaredTimer, Descriptor,
    Express, ExpressPort, Field, FieldValue, Hooks, Ids, MemoryRange, MemoryReset, Msi, Policy,
    PowerManagement, PowerStates, Register, RegisterBits, RegisterFlags, RegisterValue, ResetSet,
    Sizes, SizesIn, Slot, Unaligned, UnknownValue, Unmapped, UnmodelledRange, Untested, Virtual,
    Window, WindowBar, WriteLock,
};

pub use crate::model::descriptor::capability::{capability_of_blocks, whole_capability};
pub use crate::model::descriptor::capability_list::capability_body;
pub use crate::model::descriptor::check::*;
pub use crate::model::register::block::capability_block;
pub use crate::model::register::enter::{enter, enter_block, enter_elements};
pub use crate::model::register::nested::{all_blocks, block_count, list_blocks};
pub use crate::model::register::register_of_width;

pub use crate::tape::{EventCodec, NotRecorded, Recordable};
pub use serde_bytes::ByteBuf;

/// Wraps bytes, to serialize them as bytes and not as a list of numbers.
pub fn as_bytes(bytes: &(impl AsRef<[u8]> + ?Sized)) -> &serde_bytes::Bytes {
    serde_bytes::Bytes::new(bytes.as_ref())
}

/// The capacity of a type, which is part of the schema. `MAX` is `None` for every type but
/// [`Fifo`](crate::Fifo), by [`Unbounded`].
#[derive(Debug)]
pub struct Capacity<T>(PhantomData<T>);

impl<T, const N: usize> Capacity<crate::device::Fifo<T, N>> {
    /// The most elements of a value.
    pub const MAX: Option<u64> = Some(N as u64);
}

/// The capacity of all other types. It has the same constant, which gives way to an inherent one.
pub trait Unbounded {
    /// No bound.
    const MAX: Option<u64> = None;
}

impl<T> Unbounded for Capacity<T> {}

/// Returns the functions of a type that migrates; for another type the build fails with this error
/// alone.
pub const fn value_io<T: Migrated>() -> ValueIo<T> {
    ValueIo::of()
}

/// Returns the functions for arrays, given the type of the elements.
pub const fn list_io<T: Migrated>() -> ListIo<T> {
    ListIo::of()
}

/// The conversion of a field into its saved form, and back.
#[derive(Clone, Copy, Debug)]
pub struct Conversion<T, U, E> {
    /// Returns the saved form of a value.
    pub save: fn(&T) -> U,
    /// Returns the value of a saved form.
    pub load: fn(U) -> Result<T, E>,
}

/// Boxes the function that swaps loaded state with that of a device.
pub fn exchange<D: ?Sized>(exchange: impl FnMut(&mut D) + 'static) -> Exchange<D> {
    Box::new(exchange)
}

/// Boxes the function that swaps loaded state with that of elements of a block.
pub fn exchange_all<B>(exchange: impl FnMut(&mut [&mut B]) + 'static) -> ExchangeAll<B> {
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

/// Returns the bytes with which the hook of a port fills an access of `len` bytes.
pub fn read_bytes(len: u8, fill: impl FnOnce(&mut [u8])) -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes[..usize::from(len)]);
    u64::from_le_bytes(bytes)
}

/// Hands the bytes of an access of `len` bytes to the hook of a port.
pub fn write_bytes(bits: u64, len: u8, take: impl FnOnce(&[u8])) -> u64 {
    take(&bits.to_le_bytes()[..usize::from(len)]);
    0
}

/// Returns the number of bytes of a memory.
pub const fn memory_size(memories: &[MemoryRange], index: usize) -> u64 {
    memories[index].size()
}

/// Returns the device's own handle of the client's memory, for hooks in a language that cannot
/// borrow the context. Only hooks of this device may use it.
pub fn own_dma<D: Device>(cx: &Cx<'_, D>) -> Dma {
    cx.dma().own()
}

/// Returns the interrupts of a device, for such hooks.
pub fn interrupts<D: Device>(cx: &Cx<'_, D>) -> Arc<Interrupts> {
    Arc::clone(&cx.runtime().interrupts)
}

/// Arms a timer, for hooks of devices that are declared at run time: they have no context, but the
/// time that it had when they were called.
pub fn arm_timer(timer: &mut Timer, now: Instant, after: Duration) {
    timer.arm_at(now, after);
}

/// Arms a periodic timer, as [`arm_timer`].
pub fn arm_timer_every(timer: &mut Timer, now: Instant, first: Duration, period: Duration) {
    timer.arm_every_at(now, first, period);
}

/// Arms a timer again, as [`arm_timer`].
pub fn arm_timer_again(timer: &mut Timer, now: Instant, period: Duration) {
    timer.arm_again_at(now, period);
}

/// Returns the remaining time of a timer, as [`arm_timer`].
pub fn remaining(timer: &Timer, now: Instant) -> Option<Duration> {
    timer.remaining_at(now)
}

/// Returns the bits of a register's field.
pub fn bits<T: RegisterValue>(value: T) -> u64 {
    value.to_bits()
}

/// Returns a register's field from its bits.
pub fn value<T: RegisterValue>(bits: u64) -> T {
    T::from_bits(bits)
}

/// Returns the stored bits of a register without storage: none.
pub fn no_bits<T>(_: Virtual<T>) -> u64 {
    0
}

/// Returns a field from the bits of its register, or the reset value if the bits are not a value of
/// the type.
///
/// # Panics
///
/// If the reset value is not one either, which [`check_field_reset`] has excluded.
pub fn unpack<T>(field: &Field, bits: u64, from_bits: fn(u64) -> Option<T>) -> T {
    from_bits(field.extract(bits))
        .or_else(|| from_bits(field.reset.unwrap_or(0)))
        .expect("constant evaluation has checked that the type can say the reset value")
}

/// Returns the enum variant for the bits of a register. For bits without a variant, returns the
/// variant for 0, or `first`.
pub fn unpack_or<T: FieldValue>(field: &Field, bits: u64, first: T) -> T {
    T::from_bits(field.extract(bits)).or_else(|| T::from_bits(0)).unwrap_or(first)
}

/// Checks that the bits of every field are a value of its type.
///
/// # Errors
///
/// The first field whose bits are not.
pub fn known(fields: &[Field], bits: u64) -> Result<(), UnknownValue> {
    let unknown = fields.iter().find(|field| !field.values.contains(field.extract(bits)));
    unknown
        .map_or(Ok(()), |field| Err(UnknownValue { field: field.name, value: field.extract(bits) }))
}

/// Checks that a field and its type, named `ty`, match.
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

/// Checks that an enum, named `ty`, has a variant for every value of a register that consists of
/// `field` alone.
pub const fn check_register_type(field: &Field, ty: &'static str) -> Check<'static> {
    layout::register_total(field.width as u64, ty, &field.values)
}

/// Checks that the reset value of a field is a value of its type, named `ty`.
pub const fn check_field_reset(field: &Field, ty: &'static str) -> Check<'static> {
    let reset = match field.reset {
        Some(reset) => reset,
        None => 0,
    };
    layout::field_reset(field.name, field.width as u64, ty, &field.values, reset)
}

/// Stands for a value of a type whose declaration is wrong: the build has failed already.
///
/// # Panics
///
/// Always.
pub fn no_value<T>() -> T {
    unreachable!("the build has failed")
}

/// Checks that a register with these fields has the one that locks another register; `target` is
/// the path as written.
pub const fn lock_field(target: &'static str, fields: &[Field], field: &str) -> Check<'static> {
    if WriteLock::field(0, fields, field).mask == 0 {
        return Err(LayoutError::LockField { target });
    }
    Ok(())
}

/// Checks that a register with these fields has the one that a condition is on; `target` is the
/// path as written.
pub const fn condition_field(
    target: &'static str,
    fields: &[Field],
    field: &'static str,
) -> Check<'static> {
    if RegisterBits::field(0, fields, field).mask == 0 {
        return Err(LayoutError::ConditionField { target });
    }
    Ok(())
}

/// Checks that a register with these fields has the one that selects elements; `target` is the path
/// as written.
pub const fn selector_field(
    target: &'static str,
    fields: &[Field],
    field: &'static str,
) -> Check<'static> {
    if RegisterBits::field(0, fields, field).mask == 0 {
        return Err(LayoutError::SelectorField { target });
    }
    Ok(())
}

/// Checks that a register with these fields has the one by which a window goes; `target` is the
/// path as written.
pub const fn window_field(
    target: &'static str,
    fields: &[Field],
    field: &'static str,
) -> Check<'static> {
    if RegisterBits::field(0, fields, field).mask == 0 {
        return Err(LayoutError::WindowField { target });
    }
    Ok(())
}

/// A type that a constant in an attribute may have: any integer, if the value is not negative and
/// has at most 64 bits.
pub trait Integer: Copy {}

macro_rules! integers {
    ($($int:ident)*) => {$(impl Integer for $int {})*};
}

// A `bool` is the value of a field of one bit.
integers!(bool u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

/// A constant in an attribute, which must be an [`Integer`]. For another type the method `integer`
/// does not exist, and the compiler reports only that.
#[derive(Clone, Copy, Debug)]
pub struct Constant<T>(pub T);

impl<T: Integer> Constant<T> {
    /// Returns an integer of any type unchanged.
    pub const fn integer(self) -> T {
        self.0
    }
}

/// Converts an integer of any type, given as an `i128`, to a number in a layout.
///
/// # Panics
///
/// If it is negative, or has more than 64 bits.
#[track_caller]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared before")]
pub const fn int(value: i128) -> u64 {
    // A value that does not fit in an `i128` has become negative.
    assert!(
        0 <= value && value <= u64::MAX as i128,
        "the constant is negative or has more than 64 bits; 0 to 0xffff_ffff_ffff_ffff is accepted"
    );
    value as u64
}

/// Returns a number of vectors; one that is far too large stays too large.
#[expect(clippy::cast_possible_truncation, reason = "compared before")]
pub const fn vectors(count: u64) -> u16 {
    if count > u16::MAX as u64 { u16::MAX } else { count as u16 }
}

/// Returns the domain of a soft reset. One that does not exist is reported by
/// [`soft_domain`].
#[expect(clippy::cast_possible_truncation, reason = "compared before")]
pub const fn domain(number: u64) -> u8 {
    if number < layout::SOFT_DOMAINS as u64 { number as u8 } else { 0 }
}

/// Returns the length of an array; one that is far too large stays too large.
#[expect(clippy::cast_possible_truncation, reason = "compared before")]
pub const fn count(length: usize) -> u32 {
    if length > u32::MAX as usize { u32::MAX } else { length as u32 }
}

/// The declaration that replaces a wrong one of a device.
pub const PLACEHOLDER: Descriptor = Descriptor::new(
    "",
    Ids { vendor: 0, device: 0, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
);

/// The registers that replace those of a block whose declaration is wrong.
pub const PLACEHOLDER_BLOCK: &[Register] = &[register_of_width(1, "", 0)];

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
