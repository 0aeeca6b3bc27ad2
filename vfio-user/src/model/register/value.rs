//! What can be the type of a register.

use core::fmt;
use core::marker::PhantomData;

use super::Field;
use crate::layout::Values;

/// A type that a register can have: `u8`, `u16`, `u32`, `u64`, or a struct of named bits or an enum
/// with `#[derive(Register)]` and `#[register(..)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a register",
    label = "not a register type",
    note = "use u8, u16, u32 or u64, or a `#[derive(Register)]` type with `#[register(u32)]`",
    note = "the macro sees the name of an alias only: write an array as `[T; N]` and a register without \
            storage as `Virtual<T>`"
)]
pub trait RegisterValue: Copy + Send + 'static {
    /// Of the register, in bytes: 1, 2, 4 or 8.
    const WIDTH: u8;

    /// The named bits, if it has any; all others are reserved then.
    const FIELDS: &'static [Field] = &[];

    /// The bits of the register, zero-extended.
    fn to_bits(self) -> u64;

    /// From the bits of the register; those above its width are dropped.
    fn from_bits(bits: u64) -> Self;
}

macro_rules! integers {
    ($($int:ident)*) => {$(
        #[allow(clippy::cast_possible_truncation, reason = "the bits above are dropped")]
        impl RegisterValue for $int {
            const WIDTH: u8 = ($int::BITS / 8) as u8;

            fn to_bits(self) -> u64 {
                u64::from(self)
            }

            fn from_bits(bits: u64) -> Self {
                bits as $int
            }
        }
    )*};
}

integers!(u8 u16 u32 u64);

/// A type that a field of a register can have: `bool`, `u8`, `u16`, `u32`, `u64`, or an enum with
/// `#[derive(Register)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a register",
    label = "not a field type",
    note = "use bool, u8, u16, u32 or u64, or a `#[derive(Register)]` enum"
)]
pub trait FieldValue: Copy + Send + 'static {
    /// What it can say.
    const VALUES: Values;

    /// The value of the field.
    fn to_bits(self) -> u64;

    /// From the value of a field, if the type can say it.
    fn from_bits(bits: u64) -> Option<Self>;
}

impl FieldValue for bool {
    const VALUES: Values = Values::of_bits(1);

    fn to_bits(self) -> u64 {
        self.into()
    }

    fn from_bits(bits: u64) -> Option<Self> {
        (bits <= 1).then_some(bits == 1)
    }
}

macro_rules! integer_fields {
    ($($int:ident)*) => {$(
        impl FieldValue for $int {
            const VALUES: Values = Values::of_bits(<$int as RegisterValue>::WIDTH * 8);

            fn to_bits(self) -> u64 {
                u64::from(self)
            }

            fn from_bits(bits: u64) -> Option<Self> {
                $int::try_from(bits).ok()
            }
        }
    )*};
}

integer_fields!(u8 u16 u32 u64);

/// An integer that a register's type cannot say: one of its fields has no variant for its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` cannot be {value}")]
pub struct UnknownValue {
    /// The field.
    pub field: &'static str,
    /// What its bits are.
    pub value: u64,
}

/// A register without storage: hooks, or its reset value, say what it reads as.
///
/// ```
/// use vfio_user::Virtual;
///
/// let kick = Virtual::<u32>::default();
/// assert_eq!(format!("{kick:?}"), "Virtual");
/// ```
pub struct Virtual<T>(PhantomData<fn() -> T>);

impl<T> Virtual<T> {
    /// The only value.
    pub const fn new() -> Self {
        Virtual(PhantomData)
    }
}

impl<T> Clone for Virtual<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Virtual<T> {}

impl<T> Default for Virtual<T> {
    fn default() -> Self {
        Virtual::new()
    }
}

impl<T> PartialEq for Virtual<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Virtual<T> {}

impl<T> fmt::Debug for Virtual<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Virtual")
    }
}
