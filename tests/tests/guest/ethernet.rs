//! The kernel's own driver sends and receives frames by a network adapter.

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r#"
set -e
modprobe ne2k-pci
device=/sys/bus/pci/devices/0000:00:01.0
readlink $device/driver
name=$(ls $device/net)
echo "address: $(cat /sys/class/net/$name/address)"
ip address add 10.0.0.2/24 dev $name
ip link set $name up
# Long enough for the ring to wrap, and for frames of all lengths.
ping -c 3 -i 0.1 10.0.0.1
ping -c 20 -i 0.05 -s 1472 10.0.0.1
cat /proc/net/arp
for count in rx_packets rx_errors tx_errors; do
    echo "$count: $(cat /sys/class/net/$name/statistics/$count)"
done
rmmod ne2k-pci
"#;

#[test]
fn an_adapter_sends_and_receives_frames() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::example("ne2k", &[]);
    let mut guest = vm.guest(SCRIPT).device(&device).boot();
    guest.hear("drivers/ne2k-pci");
    guest.hear("address: 52:54:00:12:34:56");
    guest.hear("3 packets transmitted, 3 packets received, 0% packet loss");
    guest.hear("20 packets transmitted, 20 packets received, 0% packet loss");
    guest.hear("52:54:00:65:43:21");
    guest.hear("rx_packets: 24");
    guest.hear("rx_errors: 0");
    guest.hear("tx_errors: 0");
    guest.finish();
    device.end();
}
