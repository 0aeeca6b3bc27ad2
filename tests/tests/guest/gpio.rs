//! The kernel's own driver drives the ACCES PCI-IDIO-16.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use vfio_user_tests::vm::{Program, Vm, idio16};

/// The recording that `examples/tests/record/gpio.rs` replays.
const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tests/recordings/gpio-boot.rec");

/// A second card counts on its inputs.
const COUNTING: &str = r#"
counting=$(gpiodetect | sed -n 's/ .*0000:00:02.0.*32 lines.*//p')
until [ "$(gpioget --numeric -c "$counting" 19)" = 1 ]; do :; done
until [ "$(gpioget --numeric -c "$counting" 19)" = 0 ]; do :; done
echo "inputs count"
"#;

/// Checks that the program of a recording does not differ from it.
fn replay(recording: &Path) {
    let mut program = Command::new(Program::example_path("gpio-pci-idio-16"));
    let output = program.arg(format!("--replay={}", recording.display())).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("without a difference"), "{text}");
}

/// `VFIO_USER_BLESS=1` keeps the recording of this boot.
#[test]
fn lines_go_both_ways_and_edges_interrupt() {
    let Some(vm) = Vm::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("gpio-boot.rec");
    let record = format!("--record={}", recording.display());
    let mut device = Program::example("gpio-pci-idio-16", &["--control", &record]);
    let counting = Program::example("gpio-pci-idio-16", &["--period=1"]);
    let script = idio16::script(COUNTING);
    let guest = vm.guest(&script).device(&device).device(&counting).boot();
    idio16::drive(&mut device, guest, Some("inputs count"));
    device.end();
    counting.end();
    replay(&recording);
    if env::var_os("VFIO_USER_BLESS").is_some() {
        fs::copy(&recording, RECORDING).unwrap();
    }
}
