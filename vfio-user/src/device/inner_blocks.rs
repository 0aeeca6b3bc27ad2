//! The elements of blocks, for generated code.
//!
//! A block's private fields are written as columns over all of its elements, whatever lies around
//! it: generated code collects these level by level.

/// Returns references to all elements.
pub fn each<T>(elements: &[T]) -> Vec<&T> {
    elements.iter().collect()
}

/// Returns references to all elements, to change them.
pub fn each_mut<T>(elements: &mut [T]) -> Vec<&mut T> {
    elements.iter_mut().collect()
}
