//! The kernel's own driver finds 16550As: what it sends to one comes back, and the other is a
//! console.

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r#"
set -e
port() {
    device=/sys/bus/pci/devices/0000:00:$1.0
    readlink $(readlink -f $device)/driver >&2
    basename $device/*:0/*/tty/ttyS* 2>/dev/null
}
port=$(port 01)
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
dmesg | grep $port
exec 3>&-

console=$(port 02)
stty -F /dev/$console sane -echo
sh </dev/$console >/dev/$console 2>&1
echo "the console has ended"
"#;

#[test]
fn a_serial_port_leads_back_what_is_sent_and_another_is_a_console() {
    let Some(vm) = Vm::find() else { return };
    let plug = Program::example("serial", &[]);
    let mut console = Program::example("serial", &["--line=stdio"]);
    let mut guest = vm.guest(SCRIPT).device(&plug).device(&console).boot();
    guest.hear("type 4");
    guest.hear("all has come back");
    guest.hear("is a 16550A");
    // Opening the port clears its FIFOs.
    console.hear("built-in shell");
    console.say("echo the answer is $((6 * 7))");
    console.hear("the answer is 42");
    console.say("exit");
    guest.hear("the console has ended");
    guest.finish();
    plug.end();
    console.end();
}
