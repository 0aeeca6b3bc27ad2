//! What typed drivers run on.

/// Access to the BARs of a PCI function: all that a typed driver needs.
///
/// A driver may run on a model on a bench, on a device behind a socket, and on hardware whose BARs
/// are mapped: each implements this trait.
pub trait Bars {
    /// Why an access fails. A mapped BAR has [`Infallible`](core::convert::Infallible).
    type Error;

    /// Reads a word at `offset` bytes from the start of a BAR, in one access of this width. Returns
    /// its value, zero-extended: the byte at `offset` is the least significant one.
    ///
    /// `offset` is a multiple of the width.
    ///
    /// # Errors
    ///
    /// Whatever prevents the access.
    fn read(&mut self, bar: u8, offset: u64, width: Width) -> Result<u64, Self::Error>;

    /// Writes a word in one access, as [`read`](Self::read) reads it. Bits of `value` above the
    /// width are zero.
    ///
    /// # Errors
    ///
    /// Whatever prevents the access.
    fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<(), Self::Error>;
}

impl<B: Bars + ?Sized> Bars for &mut B {
    type Error = B::Error;

    fn read(&mut self, bar: u8, offset: u64, width: Width) -> Result<u64, Self::Error> {
        (**self).read(bar, offset, width)
    }

    fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<(), Self::Error> {
        (**self).write(bar, offset, width, value)
    }
}

/// The width of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// One byte.
    U8,
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// Eight bytes.
    U64,
}

impl Width {
    /// Returns the number of bytes.
    pub const fn bytes(self) -> u8 {
        match self {
            Width::U8 => 1,
            Width::U16 => 2,
            Width::U32 => 4,
            Width::U64 => 8,
        }
    }

    /// Returns the greatest width of at most this many bytes; one byte for none.
    pub const fn at_most(bytes: u8) -> Self {
        match bytes {
            0 | 1 => Width::U8,
            2 | 3 => Width::U16,
            4..=7 => Width::U32,
            _ => Width::U64,
        }
    }
}
