//! The kernel's own drivers use virtio devices.

use std::io::Read as _;

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r#"
set -e
modprobe virtio_pci
modprobe virtio_blk
modprobe virtio-rng
for device in 1 2; do
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
"#;

#[test]
fn a_guest_uses_a_disk_and_random_numbers() {
    let Some(vm) = Vm::find() else { return };
    let mut disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(16 << 20).unwrap();
    let path = format!("--disk={}", disk.path().display());
    let blk = Program::example("virtio-blk", &[&path, "--queues=2"]);
    let rng = Program::example("virtio-rng", &[]);
    let mut guest = vm.guest(SCRIPT).device(&blk).device(&rng).boot();
    guest.hear("driver: virtio-pci");
    guest.hear("driver: virtio-pci");
    guest.hear("sectors: 32768, serial: vfio-user-virtio-blk");
    guest.hear("read back");
    guest.hear("bound again and read back");
    guest.hear("source: virtio_rng");
    guest.hear("random");
    guest.finish();
    blk.end();
    rng.end();
    let mut bytes = Vec::new();
    disk.read_to_end(&mut bytes).unwrap();
    assert!(bytes[7 << 19..4 << 20].iter().any(|byte| *byte != 0), "the file has the data");
    assert!(bytes[..3 << 20].iter().all(|byte| *byte == 0));
}
