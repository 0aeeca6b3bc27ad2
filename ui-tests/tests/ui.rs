//! What must not compile, and the exact message.
//!
//! The messages are partly the compiler's own, so they are compared on one toolchain only.

use std::process::Command;

/// The release that the `.stderr` files were made with.
const TOOLCHAIN: &str = "rustc 1.95.";

#[test]
fn compile_errors() {
    if !is_expected_toolchain() {
        eprintln!("SKIPPED: compile-fail messages are compared with {TOOLCHAIN}x only");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/cases/pass/*.rs");
    for topic in [
        "register",
        "field",
        "enum",
        "block",
        "driver",
        "intr",
        "timer",
        "config",
        "policy",
        "behaviour",
        "bar",
        "shared",
        "memory",
        "unmodelled",
        "mirror",
        "raw",
        "port",
        "window",
        "big",
        "doorbell",
        "watch",
        "sharing",
        "irq",
        "capability",
        "migrate",
        "attribute",
        "hook",
        "constant",
        "warning",
    ] {
        cases.compile_fail(format!("tests/cases/{topic}/*.rs"));
    }
}

/// In continuous integration another toolchain is a mistake rather than a reason to skip.
fn is_expected_toolchain() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc runs").stdout;
    version.starts_with(TOOLCHAIN.as_bytes()) || std::env::var_os("CI").is_some()
}
