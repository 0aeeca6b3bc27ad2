//! What can be the type of a register.

use core::fmt;
use core::marker::PhantomData;

use super::Field;

/// A type that a register can have: `u8`, `u16`, `u32` or `u64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a register",
    label = "not a register type",
    note = "use u8, u16, u32 or u64"
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
