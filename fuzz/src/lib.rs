//! Fuzz targets: what each of them does with an input, as a function.
//!
//! libFuzzer calls these functions from the programs in `fuzz_targets`, the test of this crate
//! calls them for the inputs in `corpus` and for random ones. An input that is not survived is a
//! panic.

#![expect(clippy::missing_panics_doc, reason = "an input that is not survived is a panic")]

mod active;
mod numbers;
mod recording;
mod resources;
mod sealed;
mod stream;
pub mod targets;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("session", targets::session::run),
    ("config", targets::config::run),
    ("registers", targets::registers::run),
    ("migration", targets::migration::run),
    ("client", targets::client::run),
    ("monitor", targets::monitor::run),
    ("files", targets::files::run),
    ("derives", targets::derives::run),
    ("c_interface", targets::c_interface::run),
];
