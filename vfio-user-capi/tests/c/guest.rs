//! A guest's own driver drives a device in C.

use vfio_user_tests::vm::{Program, Vm};

use crate::installation::Installation;

/// All inputs are watched, because the driver (of Linux 7.2) calls the handlers of all sixteen for
/// every interrupt, and fails if there is none.
const SCRIPT: &str = r#"
set -e
modprobe gpio-pci-idio-16
readlink /sys/bus/pci/devices/0000:00:01.0/driver
chip=$(gpiodetect | sed -n 's/ .*0000:00:01.0.*32 lines.*//p')

gpioset -t0 -c "$chip" 3=1
gpioset -t0 -c "$chip" 15=1
gpioset -t0 -c "$chip" 3=0

echo inputs, please
until [ "$(gpioget --numeric -c "$chip" 16 17 31)" = "1 0 1" ]; do :; done
echo inputs read

gpiomon --banner --num-events=16 -c "$chip" $(seq 16 31)
gpioget --numeric -c "$chip" 16 17 31
rmmod gpio-pci-idio-16
"#;

#[test]
fn the_driver_of_linux_drives_a_device_in_c() {
    let Some(vm) = Vm::find() else { return };
    let installation = Installation::new();
    let program = installation.build("cc", "examples/idio16.c");
    let mut device = Program::start_at(&program);
    let mut guest = vm.guest(SCRIPT).device(&device).boot();
    guest.hear("drivers/pci-idio-16");
    for outputs in ["0008", "8008", "8000"] {
        device.hear(outputs);
    }
    guest.hear("inputs, please");
    device.say("8001");
    guest.hear("inputs read");
    guest.hear("Monitoring lines");
    device.say("0002");
    guest.hear("falling\tgpiochip");
    let output = guest.finish();
    assert!(output.contains("rising\tgpiochip0 17 \"IIN1\""), "{output}");
    assert!(output.contains("falling\tgpiochip0 31 \"IIN15\""), "{output}");
    assert!(output.contains("\n0 1 0\n"), "{output}");
    device.end();
}
