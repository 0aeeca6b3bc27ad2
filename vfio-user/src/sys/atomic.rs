//! Atomic operations on shared memory.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use super::{Lost, Mapping};

/// A word of shared memory for atomic operations: [`AtomicU8`] to [`AtomicU64`].
pub trait Atomic: sealed::Atomic {}

mod sealed {
    pub trait Atomic: Sized {
        /// # Safety
        ///
        /// `address` is aligned to the size of the word, and mapped as long as the result is used;
        /// it is writable unless the word is only loaded, relaxed.
        unsafe fn at<'a>(address: *mut u8) -> &'a Self;
    }
}

macro_rules! atomics {
    ($($atomic:ty),*) => {$(
        impl Atomic for $atomic {}

        impl sealed::Atomic for $atomic {
            unsafe fn at<'a>(address: *mut u8) -> &'a Self {
                // SAFETY: aligned, mapped, and writable if it is written, as the caller promises.
                // Shared memory is accessed atomically alone; see `mapping` for its races. No
                // reference to its bytes exists.
                unsafe { <$atomic>::from_ptr(address.cast()) }
            }
        }
    )*};
}

atomics!(AtomicU8, AtomicU16, AtomicU32, AtomicU64);

/// Returns a word of shared memory.
///
/// # Safety
///
/// `address` is aligned to the size of the word, and mapped as long as the result is used; it is
/// writable unless the word is only loaded, relaxed.
pub(super) unsafe fn word<'a, A: Atomic>(address: *mut u8) -> &'a A {
    // SAFETY: as the caller promises.
    unsafe { A::at(address) }
}

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
        let result = operation(unsafe { word(address) });
        self.outcome().map(|()| result)
    }
}
