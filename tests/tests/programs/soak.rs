//! The load generator, for a short time.

use std::process::Command;

#[test]
fn nothing_is_lost_doubled_or_left_after_a_load() {
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(["run", "--seconds=20", "--clients=3", "--seed=1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
