//! The modules of `vfio-user/src` are layers: an arrow between two of them points down, and the
//! files of a folder do not use each other in a circle.
//!
//! The sources are read as tokens: all `use`s count, and all paths from `crate` and `super`.
//! Re-exports are followed to the file that defines an item. Code for tests alone is left out.

mod arrows;
mod checker;
mod dependencies;
mod licence;
mod source;

use std::path::Path;

use source::Crate;

/// The modules, from the lowest to the highest.
const LAYERS: &[&str] = &[
    "wait",
    "log_throttle",
    "serving",
    "fds",
    "parcel",
    "sys",
    "eventfd",
    "protocol",
    "limits",
    "transport",
    "migration",
    "tape",
    "model",
    "driver",
    "declaration",
    "pci",
    "shared",
    "dma",
    "interrupt",
    "wake",
    "take_over",
    "error",
    "listening",
    "monitor",
    "device",
    "bus",
    "function",
    "record",
    "client",
    "server",
    "bench",
    "suite",
    "describe",
    "cli",
    "private",
];

/// All that the client is made of: it is not part of a device.
const OF_CLIENT: &[&str] = &[
    "driver",
    "error",
    "eventfd",
    "fds",
    "model",
    "protocol",
    "shared",
    "sys",
    "transport",
    "wait",
];

#[test]
fn arrows_point_down() {
    let crate_ = Crate::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../vfio-user/src")));
    assert!(crate_.modules().count() > 20, "these are not the sources");
    let problems = arrows::problems(&crate_, LAYERS, &[("client", OF_CLIENT)]);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
