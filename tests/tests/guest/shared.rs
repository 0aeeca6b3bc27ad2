//! A guest maps memory of a device.

use std::fs;
use std::path::Path;

use vfio_user_tests::vm::{Program, Vm};

/// Each side finds what the other has stored, and registers beside the memory are still registers.
const SCRIPT: &str = r"
set -e
bdf=$(lspci -Dn -d 1234:5a5a | cut -d' ' -f1)
pci-drive $bdf info
pci-drive $bdf w 0 0x2000 4 0x11223344 w 0 8 8 0x2000 r 0 0x10 4 eq 0x11223344 \
    w 0 0x10 4 0x55667788 r 0 0x2000 8 eq 0x55667788 w 0 0x2001 1 0 r 0 0x10 4 eq 0x55660088
pci-drive $bdf w 0 0x6ff8 8 42 w 0 8 8 0x6ffc r 0 0x10 4 eq 0 w 0 8 8 0x6ff8 r 0 0x10 4 eq 42
pci-drive $bdf w 0 0x1ffc 4 7 r 0 0x1ffc 4 eq 7 r 0 0x5000 4 eq 0 w 0 0x5000 4 1 r 0 0x5000 4 eq 0 \
    w 0 8 8 0x5000 r 0 0x10 4 eq 0xffffffff
pci-drive $bdf w 2 0x3ffffff8 8 5 r 2 0x3ffffff8 8 eq 5 r 2 0 8 eq 0 w 2 0x20000000 1 9 \
    r 2 0x20000000 4 eq 9
echo shared: done
sleep 1
";

/// What a shared BAR is called in a list of mappings.
const MEMORY: &str = "/memfd:shared-bar";

/// How many processes have mapped a shared BAR of a device: both the device and QEMU are started
/// with the path of its socket.
fn mapped_by(device: &Program) -> usize {
    let socket = device.socket().display().to_string();
    let has = |process: &Path, file: &str, text: &str| {
        fs::read_to_string(process.join(file)).is_ok_and(|read| read.contains(text))
    };
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let paths = processes.map(|process| process.path());
    paths.filter(|process| has(process, "cmdline", &socket) && has(process, "maps", MEMORY)).count()
}

#[test]
fn a_guest_and_its_device_share_memory() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::start(Path::new(env!("CARGO_BIN_EXE_mailbox")), &[]);
    let mut guest = vm.guest(SCRIPT).device(&device).boot();
    guest.hear("shared: done");
    assert_eq!(mapped_by(&device), 2, "QEMU has mapped it as well as the device");
    guest.finish();
    device.end();
}

/// By way of `vfio-pci`, which maps what QEMU has mapped.
#[test]
fn a_driver_in_user_space_maps_it_too() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::start(Path::new(env!("CARGO_BIN_EXE_mailbox")), &[]);
    let output = vm.guest(SCRIPT).device(&device).option("--iommu").run();
    assert!(output.contains("shared: done"), "{output}");
    device.end();
}

/// Doorbells by message, and in a page that the guest has mapped and the device watches.
#[test]
fn a_guest_rings_doorbells() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::example("ioeventfd", &[]);
    let script = r"
        set -e
        bdf=$(lspci -Dn -d 1234:be11 | cut -d' ' -f1)
        pci-drive $bdf w 0 0 4 5 r 0 0x10 4 eq 1 w 0 4 4 5 r 0 0x14 4 eq 1 w 0 8 4 1 w 0 8 4 2 r 0 0x18 4 eq 2
        pci-drive $bdf w 0 0x1000 4 1 r 0 0x1c 4 eq 1 w 0 0x1000 4 2 r 0 0x1c 4 eq 2
        echo doorbells: done";
    let output = vm.guest(script).device(&device).run();
    assert!(output.contains("doorbells: done"), "{output}");
    device.end();
}
