//! Declarations of which tokens have been changed: the macros expand them, or report an error.

/// Expands a declaration.
pub fn run(input: &[u8]) {
    vfio_user_fuzz_derive::run(input);
}
