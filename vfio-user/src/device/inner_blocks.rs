//! The private state of blocks in blocks, for generated code.
//!
//! A block's private fields are written as columns over all of its elements, whatever lies around
//! it: generated code collects these level by level.

use super::RegisterBlock;
use crate::migration::{ExchangeAll, StateError, StateReader, StateWriter, WireType};

/// Returns references to all elements.
pub fn each<T>(elements: &[T]) -> Vec<&T> {
    elements.iter().collect()
}

/// Returns references to all elements, to change them.
pub fn each_mut<T>(elements: &mut [T]) -> Vec<&mut T> {
    elements.iter_mut().collect()
}

/// Returns the types of the private fields of a block, or of the block `inner` in it.
pub fn types_of<B: RegisterBlock>(inner: Option<usize>) -> Vec<WireType> {
    inner.map_or_else(B::state_types, B::inner_state_types)
}

/// Writes the private fields of elements, or of the block `inner` in each.
///
/// # Errors
///
/// If a value cannot be written.
pub fn save_elements<B: RegisterBlock>(
    elements: &[&B],
    inner: Option<usize>,
    out: &mut StateWriter<'_>,
) -> Result<(), StateError> {
    match inner {
        Some(block) => B::save_inner(elements, block, out),
        None => B::save_private(elements, out),
    }
}

/// Reads the private fields of `count` elements, or of the block `inner` in each.
///
/// # Errors
///
/// If a field is missing or its value is invalid.
pub fn load_elements<B: RegisterBlock>(
    count: usize,
    inner: Option<usize>,
    from: &mut StateReader<'_>,
) -> Result<ExchangeAll<B>, StateError> {
    match inner {
        Some(block) => B::load_inner(count, block, from),
        None => B::load_private(count, from),
    }
}
