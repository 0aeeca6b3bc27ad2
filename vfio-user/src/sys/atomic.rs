//! Atomic operations on shared memory.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};

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
