//! New versions of a device program take a disk over while a guest uses it.

use std::os::unix::fs::FileExt as _;

use vfio_user_tests::generations::Generations;
use vfio_user_tests::vm::{Program, Vm};

const UPGRADES: usize = 12;
/// Bytes of the disk, whose last sector says when the guest has worked enough.
const SIZE: u64 = 16 << 20;
const SECTOR: u64 = 512;

/// Two workers write and read half a MiB again and again, each time with other data.
const SCRIPT: &str = r#"
set -e
modprobe nvme
disk=/dev/nvme0n1
while [ ! -b $disk ]; do sleep 0.1; done
last=$(($(cat /sys/class/block/nvme0n1/size) - 1))
for n in 0 1 2; do
    dd if=/dev/urandom of=/tmp/$n bs=64k count=8 2>/dev/null
done
work() {
    n=0
    while [ ! -e /tmp/enough ]; do
        n=$(((n + 1) % 3))
        dd if=/tmp/$n of=$disk bs=64k seek=$1 conv=fsync 2>/dev/null
        dd if=$disk bs=64k skip=$1 count=8 iflag=direct 2>/dev/null | cmp - /tmp/$n
        echo "verified"
    done
}
work 0 &
first=$!
work 32 &
second=$!
until dd if=$disk bs=512 skip=$last count=1 iflag=direct 2>/dev/null | grep -q enough; do
    sleep 0.1
done
touch /tmp/enough
wait $first
wait $second
if dmesg | grep -iE 'nvme.*(timeout|abort|reset|error|fail)|I/O error'; then
    exit 1
fi
echo "no error"
"#;

/// Hands a disk over from program to program while a guest uses it, and checks that the guest
/// notices nothing.
fn take_over(options: &[&str]) {
    let Some(vm) = Vm::find() else { return };
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(SIZE).unwrap();
    let file = format!("--disk={}", disk.path().display());
    let options = [&[&file[..]], options].concat();
    let mut programs = Generations::start(Program::example_path("nvme"), &options);
    let mut guest = vm.guest(SCRIPT).socket(&programs.socket()).boot();
    for _ in 0..UPGRADES {
        guest.hear("verified");
        programs.upgrade();
    }
    guest.hear("verified");
    disk.as_file().write_all_at(b"enough", SIZE - SECTOR).unwrap();
    let output = guest.finish();
    println!("{} rounds", output.matches("verified").count());
    assert!(output.contains("no error"), "{output}");
}

#[test]
fn a_guest_uses_a_disk_while_it_is_handed_over_12_times() {
    take_over(&[]);
}

#[test]
fn a_guest_uses_a_disk_while_confined_programs_hand_it_over() {
    take_over(&["--sandbox"]);
}
