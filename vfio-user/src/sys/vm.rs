//! Slices of mappings for crates that speak vm-memory.

use vm_memory::VolatileSlice;
use vm_memory::bitmap::BitmapSlice;

use super::Mapping;

/// Returns `len` bytes of a mapping from `offset` on.
///
/// # Panics
///
/// If the range is not inside the mapping.
pub(crate) fn volatile_slice<B: BitmapSlice>(
    mapping: &Mapping,
    offset: usize,
    len: usize,
    bitmap: B,
) -> VolatileSlice<'_, B> {
    let address = mapping.address(offset, len);
    // SAFETY: `address` has checked that the range is mapped, which it is as long as the slice
    // borrows the mapping. All accesses to it are volatile or atomic; no reference to its bytes
    // exists.
    unsafe { VolatileSlice::with_bitmap(address, len, bitmap, None) }
}
