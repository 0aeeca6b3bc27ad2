//! The kernel's own drivers use virtio devices.

use std::io::Read as _;

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r#"
set -e
modprobe virtio_pci
modprobe virtio_blk
modprobe virtio-rng
modprobe virtio_net
for device in 1 2 3 4; do
    echo "driver: $(basename $(readlink /sys/bus/pci/devices/0000:00:0$device.0/driver))"
done
disk=/dev/vda
while [ ! -b $disk ]; do sleep 0.1; done
echo "sectors: $(cat /sys/class/block/vda/size), serial: $(cat /sys/class/block/vda/serial)"
echo "queues: $(ls /sys/class/block/vda/mq | wc -l)"
dd if=/dev/urandom of=/tmp/pattern bs=1M count=1 2>/dev/null
dd if=/tmp/pattern of=$disk bs=1M seek=3 conv=fsync 2>/dev/null
echo 3 > /proc/sys/vm/drop_caches
dd if=$disk bs=4k skip=768 count=256 2>/dev/null | cmp - /tmp/pattern
dd if=$disk bs=1M skip=3 count=1 iflag=direct 2>/dev/null | cmp - /tmp/pattern
echo "read back"
for round in 1 2 3; do
    echo virtio0 > /sys/bus/virtio/drivers/virtio_blk/unbind
    echo virtio0 > /sys/bus/virtio/drivers/virtio_blk/bind
    while [ ! -b $disk ]; do sleep 0.1; done
done
dd if=$disk bs=16k skip=192 count=64 iflag=direct 2>/dev/null | cmp - /tmp/pattern
echo "bound again and read back"
blkdiscard -o 3145728 -l 524288 $disk 2>/dev/null || echo "no blkdiscard"
echo "source: $(cat /sys/class/misc/hw_random/rng_current)"
[ $(dd if=/dev/hwrng bs=1k count=16 2>/dev/null | gzip | wc -c) -gt 16000 ]
echo "random"
# The second card has a network of its own, so that frames take the wire.
unshare -n sleep 60 &
other=$!
in_other() { nsenter -t $other -n "$@"; }
a=$(basename /sys/bus/pci/devices/0000:00:03.0/virtio*/net/*)
b=$(basename /sys/bus/pci/devices/0000:00:04.0/virtio*/net/*)
echo "addresses: $(cat /sys/class/net/$a/address) $(cat /sys/class/net/$b/address)"
ip link set $b netns $other
ip address add 10.0.0.1/24 dev $a
ip link set $a up
in_other ip address add 10.0.0.2/24 dev $b
in_other ip link set $b up
while [ "$(cat /sys/class/net/$a/operstate)" != up ]; do sleep 0.1; done
ping -c 5 -i 0.05 -s 1400 10.0.0.2
dd if=/dev/urandom of=/tmp/bulk bs=1M count=4 2>/dev/null
in_other httpd -p 5000 -h /tmp
wget -q -O /tmp/received http://10.0.0.2:5000/bulk
cmp /tmp/bulk /tmp/received
echo "transferred"
kill $other
"#;

#[test]
fn a_guest_uses_a_disk_random_numbers_and_a_network() {
    let Some(vm) = Vm::find() else { return };
    let mut disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(16 << 20).unwrap();
    let path = format!("--disk={}", disk.path().display());
    let blk = Program::example("virtio-blk", &[&path, "--queues=2"]);
    let rng = Program::example("virtio-rng", &[]);
    let folder = tempfile::tempdir().unwrap();
    let wire = folder.path().join("wire");
    let [listen, connect] = ["listen", "connect"].map(|end| format!("--{end}={}", wire.display()));
    let a = Program::example("virtio-net", &[&listen]);
    let b = Program::example("virtio-net", &[&connect, "--mac=52:54:00:12:34:57"]);
    let mut guest = vm.guest(SCRIPT).device(&blk).device(&rng).device(&a).device(&b).boot();
    guest.hear("driver: virtio-pci");
    guest.hear("driver: virtio-pci");
    guest.hear("sectors: 32768, serial: vfio-user-virtio-blk");
    guest.hear("read back");
    guest.hear("bound again and read back");
    guest.hear("source: virtio_rng");
    guest.hear("random");
    guest.hear("addresses: 52:54:00:12:34:56 52:54:00:12:34:57");
    guest.hear("5 packets transmitted, 5 packets received, 0% packet loss");
    guest.hear("transferred");
    guest.finish();
    [blk, rng, a, b].into_iter().for_each(Program::end);
    let mut bytes = Vec::new();
    disk.read_to_end(&mut bytes).unwrap();
    assert!(bytes[7 << 19..4 << 20].iter().any(|byte| *byte != 0), "the file has the data");
    assert!(bytes[..3 << 20].iter().all(|byte| *byte == 0));
}

const TAP_SCRIPT: &str = r#"
set -e
modprobe virtio_pci
modprobe virtio_net
card=$(basename /sys/bus/pci/devices/0000:00:01.0/virtio*/net/*)
ip address add 10.0.1.2/24 dev $card
ip link set $card up
ping -c 5 -i 0.05 -s 1400 10.0.1.1
seq 1 500000 > /tmp/bulk
nc -l -p 5000 < /tmp/bulk > /tmp/received &
echo "listens"
wait
cmp /tmp/bulk /tmp/received
echo "transferred"
"#;

/// The other end is an interface of the host, in a network of its own.
#[test]
fn a_guest_uses_a_tap_interface() {
    let Some(vm) = Vm::find() else { return };
    let setup = "ip tuntap add tap0 mode tap; ip address add 10.0.1.1/24 dev tap0
        ip link set tap0 up";
    let net = Program::example_in_network("virtio-net", setup, &["--tap=tap0"]);
    let Some(net) = net else { return };
    let mut guest = vm.guest(TAP_SCRIPT).device(&net).boot();
    guest.hear("5 packets transmitted, 5 packets received, 0% packet loss");
    guest.hear("listens");
    // Returns what the guest sends.
    let connect = "for attempt in {1..50}; do
            if exec 3<>/dev/tcp/10.0.1.2/5000; then break; fi; sleep 0.1
        done 2>/dev/null
        seq 1 500000 >&3 & cat <&3; wait";
    let received = net.run_in_network(connect);
    let expected = (1..=500_000).flat_map(|n: u32| format!("{n}\n").into_bytes());
    assert!(received.iter().copied().eq(expected), "{} bytes", received.len());
    guest.hear("transferred");
    guest.finish();
    net.end();
}
