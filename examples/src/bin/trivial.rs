//! A trivial device.
fn main() {}
