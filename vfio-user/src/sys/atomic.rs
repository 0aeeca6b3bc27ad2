//! Atomic operations on shared memory.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use super::{Lost, Mapping};

/// A word of shared memory for atomic operations: [`AtomicU8`] to [`AtomicU64`].
pub trait Atomic: sealed::Atomic {}

mod sealed {
    pub trait Atomic: Sized {
        /// # Safety
        ///
        /// `address` is aligned to the size of the word, and mapped and writable as long as the
        /// result is used.
        unsafe fn at<'a>(address: *mut u8) -> &'a Self;
    }
}

macro_rules! atomics {
    ($($atomic:ty),*) => {$(
        impl Atomic for $atomic {}

        impl sealed::Atomic for $atomic {
            unsafe fn at<'a>(address: *mut u8) -> &'a Self {
                // SAFETY: aligned, mapped and writable, as the caller promises. Shared memory is
                // accessed atomically, or by volatile accesses, which race no more with it than
                // the other process does; no reference to its bytes exists.
                unsafe { <$atomic>::from_ptr(address.cast()) }
            }
        }
    )*};
}

atomics!(AtomicU8, AtomicU16, AtomicU32, AtomicU64);

impl Mapping {
    /// Operates on a word of the mapping, which must be writable.
    ///
    /// # Panics
    ///
    /// If the word is not inside the mapping, or not aligned to its size.
    pub(crate) fn atomic<A: Atomic, R>(
        &self,
        offset: usize,
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, Lost> {
        let address = self.address(offset, size_of::<A>());
        assert!(address.addr().is_multiple_of(size_of::<A>()), "a word that is not aligned");
        self.outcome()?;
        // SAFETY: `address` has checked that the word is mapped, and it is aligned. The reference
        // does not leave `operation`, whose argument has no lifetime of its own.
        let result = operation(unsafe { A::at(address) });
        self.outcome().map(|()| result)
    }
}
