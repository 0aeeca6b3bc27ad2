//! The extension module `vfio_user._native`: devices that are declared in Python, on the library's
//! engine, and its client.
//!
//! The package's Python code declares, names and types; this module has the data and the calls.
//! `declaration` turns a class into a `Descriptor`, `core` holds the registers of an object,
//! `held` its timers and memories, `device` implements the library's traits for it.

#![expect(clippy::needless_pass_by_value, reason = "arguments come from Python as values")]

mod bench;
mod catch;
mod client;
mod core;
mod declaration;
mod device;
mod error;
mod held;
mod objects;
mod serve;
mod suite;
mod value;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::bench::Bench;
    #[pymodule_export]
    use super::client::{Client, DmaBuffer, Vectors};
    #[pymodule_export]
    use super::core::Core;
    #[pymodule_export]
    use super::declaration::{Declaration, describe};
    #[pymodule_export]
    use super::serve::{Server, main};
    #[pymodule_export]
    use super::suite::{run_test, tests};
}
