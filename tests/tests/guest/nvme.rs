//! The kernel's own driver uses an NVMe controller.

use std::io::Read as _;

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r#"
set -e
modprobe nvme
readlink /sys/bus/pci/devices/0000:00:01.0/driver
disk=/dev/nvme0n1
while [ ! -b $disk ]; do sleep 0.1; done
echo "sectors: $(cat /sys/class/block/nvme0n1/size)"
nvme id-ctrl /dev/nvme0 | grep -E '^(mn|mdts|nn|oncs|vwc) '
dd if=/dev/urandom of=/tmp/pattern bs=1M count=1 2>/dev/null
dd if=/tmp/pattern of=$disk bs=1M seek=3 conv=fsync 2>/dev/null
echo 3 > /proc/sys/vm/drop_caches
dd if=$disk bs=4k skip=768 count=256 2>/dev/null | cmp - /tmp/pattern
echo "read back"
nvme smart-log /dev/nvme0 | grep -i spare
nvme flush $disk -n 1
for round in 1 2 3; do
    echo 1 > /sys/class/nvme/nvme0/reset_controller
done
dd if=$disk bs=16k skip=192 count=64 iflag=direct 2>/dev/null | cmp - /tmp/pattern
echo "reset and read back"
dd if=$disk of=/dev/null bs=1M count=8 iflag=direct 2>/dev/null &
echo 1 > /sys/class/nvme/nvme0/reset_controller
wait
echo "reset under load"
"#;

#[test]
fn a_guest_uses_a_disk() {
    let Some(vm) = Vm::find() else { return };
    let mut disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(16 << 20).unwrap();
    let path = format!("--disk={}", disk.path().display());
    let device = Program::example("nvme", &[&path]);
    let mut guest = vm.guest(SCRIPT).device(&device).boot();
    guest.hear("drivers/nvme");
    guest.hear("sectors: 32768");
    guest.hear("vfio-user NVMe controller");
    guest.hear("read back");
    guest.hear("reset and read back");
    guest.hear("reset under load");
    guest.finish();
    device.end();
    let mut bytes = Vec::new();
    disk.read_to_end(&mut bytes).unwrap();
    assert!(bytes[3 << 20..4 << 20].iter().any(|byte| *byte != 0), "the file has the data");
    assert!(bytes[..3 << 20].iter().all(|byte| *byte == 0));
}
