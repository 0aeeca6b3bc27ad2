//! The kernel's own driver drives the ACCES PCI-IDIO-16.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use vfio_user_tests::vm::{Program, Vm};

/// The recording that `examples/tests/record/gpio.rs` replays.
const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tests/recordings/gpio-boot.rec");

/// All inputs are watched, though one would do: for every interrupt the driver (of Linux 7.2) calls
/// the handlers of all sixteen, and falls over one that no driver has requested.
const SCRIPT: &str = r#"
set -e
modprobe gpio-pci-idio-16
readlink /sys/bus/pci/devices/0000:00:01.0/driver
chip=$(gpiodetect | sed -n 's/ .*0000:00:01.0.*32 lines.*//p')

# Output 3 on, output 15 on, output 3 off.
gpioset -t0 -c "$chip" 3=1
gpioset -t0 -c "$chip" 15=1
gpioset -t0 -c "$chip" 3=0

echo inputs, please
until [ "$(gpioget --numeric -c "$chip" 16 17 31)" = "1 0 1" ]; do :; done
echo "inputs read"

counting=$(gpiodetect | sed -n 's/ .*0000:00:02.0.*32 lines.*//p')
until [ "$(gpioget --numeric -c "$counting" 19)" = 1 ]; do :; done
until [ "$(gpioget --numeric -c "$counting" 19)" = 0 ]; do :; done
echo "inputs count"

gpiomon --banner --num-events=16 -c "$chip" $(seq 16 31)
gpioget --numeric -c "$chip" 16 17 31
rmmod gpio-pci-idio-16
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
    let mut guest = vm.guest(SCRIPT).device(&device).device(&counting).boot();
    guest.hear("drivers/pci-idio-16");
    for outputs in ["0008", "8008", "8000"] {
        device.hear(outputs);
    }
    guest.hear("inputs, please");
    device.say("8001");
    guest.hear("inputs read");
    guest.hear("inputs count");
    guest.hear("Monitoring lines");
    device.say("0002");
    guest.hear("falling\tgpiochip");
    let output = guest.finish();
    assert!(output.contains("rising\tgpiochip0 17 \"IIN1\""), "{output}");
    assert!(output.contains("falling\tgpiochip0 31 \"IIN15\""), "{output}");
    assert!(output.contains("\n0 1 0\n"), "{output}");
    device.end();
    counting.end();
    replay(&recording);
    if env::var_os("VFIO_USER_BLESS").is_some() {
        fs::copy(&recording, RECORDING).unwrap();
    }
}
