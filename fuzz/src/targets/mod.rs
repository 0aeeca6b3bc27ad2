//! The targets.

pub mod c_interface;
pub mod client;
pub mod config;
pub mod derives;
pub mod files;
pub mod migration;
pub mod monitor;
pub mod registers;
pub mod session;

use arbitrary::{Arbitrary, Unstructured};

/// Reads the structure of an input; `None` if it has too few bytes.
fn parse<'a, T: Arbitrary<'a>>(input: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(input)).ok()
}
