//! The types that registers and fields can have.

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
    /// The width of the register in bytes: 1, 2, 4 or 8.
    const WIDTH: u8;

    /// The named bits. If there are any, all others are reserved.
    const FIELDS: &'static [Field] = &[];

    /// Returns the bits of the register, zero-extended.
    fn to_bits(self) -> u64;

    /// Creates a value from the bits of the register; bits above its width are dropped.
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
    /// The values of the type.
    const VALUES: Values;

    /// Returns the value of the field.
    fn to_bits(self) -> u64;

    /// Creates a value of the type; `None` if the type lacks it.
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

/// The error for an integer that has no value in a register's type, because a field has no variant
/// for its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` has no variant for {value}")]
pub struct UnknownValue {
    /// The field without a variant.
    pub field: &'static str,
    /// The bits of the field.
    pub value: u64,
}

/// A register without storage, which reads as its hook or its reset value says.
///
/// ```
/// use vfio_user::Virtual;
///
/// let kick = Virtual::<u32>::default();
/// assert_eq!(format!("{kick:?}"), "Virtual");
/// ```
pub struct Virtual<T>(PhantomData<fn() -> T>);

impl<T> Virtual<T> {
    /// Creates the only value.
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
