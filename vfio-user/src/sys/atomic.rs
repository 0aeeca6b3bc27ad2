//! Atomic operations on shared memory.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// A word of shared memory for atomic operations: [`AtomicU8`] to [`AtomicU64`].
pub trait Atomic: sealed::Atomic {}

mod sealed {
    pub trait Atomic: Sized {
        /// # Safety
        ///
        /// `address` is aligned to the size of the word, and mapped as long as the result is used;
        /// it is writable unless the word is only loaded, relaxed.
        unsafe fn at<'a>(address: *mut u8) -> &'a Self;

        /// Returns a word that holds the low bits.
        fn new(bits: u64) -> Self;

        fn get(&self) -> u64;

        /// Replaces one value by another, and returns whether the word had it.
        fn replace(&self, from: u64, to: u64) -> bool;
    }
}

macro_rules! atomics {
    ($($atomic:ty: $word:ty),*) => {$(
        impl Atomic for $atomic {}

        impl sealed::Atomic for $atomic {
            unsafe fn at<'a>(address: *mut u8) -> &'a Self {
                // SAFETY: aligned, mapped, and writable if it is written, as the caller promises.
                // Shared memory is accessed atomically alone; see `mapping` for its races. No
                // reference to its bytes exists.
                unsafe { <$atomic>::from_ptr(address.cast()) }
            }

            #[expect(clippy::allow_attributes, reason = "the widest word loses nothing")]
            #[allow(clippy::cast_possible_truncation, reason = "the low bits")]
            fn new(bits: u64) -> Self {
                <$atomic>::new(bits as $word)
            }

            fn get(&self) -> u64 {
                self.load(Ordering::SeqCst).into()
            }

            #[expect(clippy::allow_attributes, reason = "the widest word loses nothing")]
            #[allow(clippy::cast_possible_truncation, reason = "the low bits")]
            fn replace(&self, from: u64, to: u64) -> bool {
                let (from, to) = (from as $word, to as $word);
                self.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
            }
        }
    )*};
}

atomics!(AtomicU8: u8, AtomicU16: u16, AtomicU32: u32, AtomicU64: u64);

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
