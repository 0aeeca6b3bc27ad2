//! Two guests share memory, and one interrupts the other.

use vfio_user_tests::vm::{Program, Vm};

/// Peer 0 waits for an interrupt, then finds what peer 1 has written before, and acknowledges it.
const RECEIVER: &str = r"
set -e
bdf=$(lspci -Dn -d 1af4:1110 | cut -d' ' -f1)
pci-drive $bdf r 0 8 4 eq 0
until pci-drive $bdf irq 2 8 wait 3 r 2 0x2000 4 eq 0x12345678 w 2 0x3000 4 1; do :; done
echo received
";

const SENDER: &str = r"
set -e
bdf=$(lspci -Dn -d 1af4:1110 | cut -d' ' -f1)
pci-drive $bdf r 0 8 4 eq 1 w 2 0x2000 4 0x12345678
until pci-drive $bdf w 0 0xc 4 3 r 2 0x3000 4 eq 1 2>/dev/null; do sleep 0.2; done
echo acknowledged
";

#[test]
fn a_guest_interrupts_another_one_that_shares_its_memory() {
    let Some(vm) = Vm::find() else { return };
    let second = tempfile::tempdir().unwrap();
    let second = second.path().join("second.sock");
    let path = format!("--socket-path={}", second.display());
    let device = Program::example("ivshmem", &[&path]);
    let receiver = vm.guest(RECEIVER).device(&device).option("--iommu").boot();
    let sender = vm.guest(SENDER).option("--device").option(&second.display().to_string());
    let sender = sender.boot_beside(&receiver);
    assert!(sender.finish().contains("acknowledged"));
    assert!(receiver.finish().contains("received"));
    device.end();
}
