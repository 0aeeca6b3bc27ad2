//! The kernel's own driver pats a watchdog, and then lets it expire.

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r#"
set -e
watchdog=/sys/class/watchdog/watchdog0
modprobe i6300esb heartbeat=2
readlink /sys/bus/pci/devices/0000:00:01.0/driver
echo "boot status: $(cat $watchdog/bootstatus)"
exec 3>/dev/watchdog0
for second in 1 2 3 4; do sleep 1; printf 1 >&3; done
echo "patted"
sleep 4
echo "not patted"
printf V >&3
exec 3>&-
rmmod i6300esb
modprobe i6300esb
echo "boot status: $(cat $watchdog/bootstatus)"
"#;

#[test]
fn a_watchdog_expires_once_nothing_pats_it() {
    let Some(vm) = Vm::find() else { return };
    let mut device = Program::example("i6300esb", &[]);
    let mut guest = vm.guest(SCRIPT).device(&device).boot();
    guest.hear("drivers/i6300ESB");
    guest.hear("boot status: 0");
    guest.hear("patted");
    device.hear("the watchdog has expired");
    guest.hear("not patted");
    // The card has caused a reset: WDIOF_CARDRESET.
    guest.hear("boot status: 32");
    guest.finish();
    device.end();
}
