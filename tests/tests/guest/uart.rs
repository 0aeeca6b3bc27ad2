//! The kernel's own driver finds a 16550A, and what it sends comes back.

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r#"
set -e
device=$(readlink -f /sys/bus/pci/devices/0000:00:01.0)
readlink $device/driver
port=$(basename $device/*:0/*/tty/ttyS* 2>/dev/null || basename $device/tty/ttyS*)
# PORT_16550A of linux/serial_core.h.
echo "type $(cat /sys/class/tty/$port/type)"
stty -F /dev/$port raw -echo 115200
exec 3<>/dev/$port
timeout 20 head -c 3000 <&3 >/tmp/back &
head -c 2979 /dev/zero | tr '\0' x >/tmp/sent
printf '\nfrom the guest\n1234\n' >>/tmp/sent
head -c 3000 /tmp/sent >&3
wait $!
ls -l /tmp/sent /tmp/back
cmp /tmp/sent /tmp/back && echo "all has come back"
cat /tmp/back | tr -d x
dmesg | grep $port
exec 3>&-
"#;

#[test]
fn a_serial_port_leads_back_what_is_sent() {
    let Some(vm) = Vm::find() else { return };
    let mut device = Program::example("uart", &[]);
    let mut guest = vm.guest(SCRIPT).device(&device).boot();
    guest.hear("drivers/serial");
    guest.hear("type 4");
    device.hear("from the guest");
    guest.hear("all has come back");
    guest.hear("is a 16550A");
    guest.finish();
    device.end();
}
