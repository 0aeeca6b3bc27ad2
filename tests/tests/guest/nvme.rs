//! The kernel's own driver uses an NVMe controller.

use std::fs;

use vfio_user_tests::vm::{Program, Vm};

/// Waits for the namespace, of which the first half is for a file system.
const START: &str = r"
set -e
modprobe ext4
modprobe nvme
disk=/dev/nvme0n1
while [ ! -b $disk ]; do sleep 0.1; done
mkdir -p /mnt
";

const SCRIPT: &str = r#"
readlink /sys/bus/pci/devices/0000:00:01.0/driver
echo "sectors: $(cat /sys/class/block/nvme0n1/size)"
nvme id-ctrl /dev/nvme0 | grep -E '^(sn|mn|mdts|oacs|nn|oncs|vwc|sgls) '
nvme smart-log /dev/nvme0 | grep -i spare
dd if=/dev/urandom of=/tmp/pattern bs=1M count=1 2>/dev/null
dd if=/tmp/pattern of=$disk bs=1M seek=13 conv=fsync 2>/dev/null
echo 3 > /proc/sys/vm/drop_caches
dd if=$disk bs=4k skip=3328 count=256 2>/dev/null | cmp - /tmp/pattern
nvme flush $disk -n 1
nvme set-feature /dev/nvme0 -f 6 --value=0
dd if=/tmp/pattern of=$disk bs=1M seek=14 conv=fsync 2>/dev/null
echo "read back"

blkdiscard -o $((13 * 1048576)) -l 1048576 $disk
dd if=/dev/zero bs=1M count=1 2>/dev/null > /tmp/zeros
dd if=$disk bs=1M skip=13 count=1 iflag=direct 2>/dev/null | cmp - /tmp/zeros
dd if=$disk bs=1M skip=14 count=1 iflag=direct 2>/dev/null | cmp - /tmp/pattern
echo "discarded"

mke2fs $disk 8192 > /dev/null
mount -t ext2 $disk /mnt
cp /tmp/pattern /mnt/kept
umount /mnt
mount -t ext2 $disk /mnt
cmp /mnt/kept /tmp/pattern
echo "file system read back"

while dd if=$disk bs=64k skip=224 count=16 iflag=direct 2>/dev/null | cmp - /tmp/pattern; do
    echo >> /tmp/rounds
    [ ! -e /tmp/enough ] || break
done &
for round in $(seq 100); do
    echo 1 > /sys/class/nvme/nvme0/reset_controller
done
touch /tmp/enough
wait $!
rounds=$(wc -l < /tmp/rounds)
[ "$rounds" -gt 1 ]
echo "100 resets under load, $rounds rounds"

cat /mnt/kept | md5sum > /mnt/sum
sync
echo "sum: $(cat /mnt/sum)"
while dd if=/tmp/pattern of=$disk bs=64k seek=160 conv=fsync 2>/dev/null; do
    echo "writing"
done
"#;

const AFTER: &str = r#"
mount -t ext2 $disk /mnt
md5sum < /mnt/kept | cmp - /mnt/sum
echo "sum: $(cat /mnt/sum)"
umount /mnt
"#;

#[test]
fn a_guest_uses_a_disk_and_finds_its_data_after_a_crash_of_the_server() {
    let Some(vm) = Vm::find() else { return };
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(16 << 20).unwrap();
    let path = format!("--disk={}", disk.path().display());
    let mut device = Program::example("nvme", &[&path, "--serial=GUEST-17"]);
    let mut guest = vm.guest(&[START, SCRIPT].concat()).device(&device).boot();
    guest.hear("drivers/nvme");
    guest.hear("sectors: 32768");
    guest.hear("GUEST-17");
    guest.hear("vfio-user NVMe controller");
    for step in ["read back", "discarded", "file system read back", "100 resets under load"] {
        guest.hear(step);
    }
    let sum = guest.hear("sum: ");
    guest.hear("writing");
    device.crash();
    // QEMU does not reconnect, and the guest would wait for its commands.
    drop(guest);
    device.restart();
    let output = vm.guest(&[START, AFTER].concat()).device(&device).run();
    assert!(output.contains(&sum), "{output}");
    device.end();
    let bytes = fs::read(disk.path()).unwrap();
    assert!(bytes[13 << 20..14 << 20].iter().all(|byte| *byte == 0), "discarded");
    assert!(bytes[14 << 20..15 << 20] == bytes[10 << 20..11 << 20], "the file has the data");
}
