//! A guest drives the teaching device: registers, DMA both ways, both kinds of interrupt.

use vfio_user_tests::vm::{Program, Vm};

const FIND: &str = "
set -e
bdf=$(lspci -Dn -d 1234:11e8 | cut -d' ' -f1)
lspci -n -s $bdf
";

const REGISTERS: &str = r"
pci-drive $bdf r 0 0 4 eq 0x010000ed w 0 4 4 0x12345678 r 0 4 4 eq 0xedcba987 \
    r 0 0 1 eq 0xff r 0 0x40000 8 eq 0xffffffffffffffff
echo registers: done
";

/// A number, an interrupt of a factorial, one that the guest raises itself; the line stays up until
/// all is acknowledged.
const LINE: &str = r"
pci-drive $bdf irq 0 1 w 0 0x20 4 0x80 w 0 8 4 10 wait 0 \
    r 0 8 4 eq 3628800 r 0 0x20 4 eq 0x80 r 0 0x24 4 eq 1 \
    w 0 0x60 4 0x20 w 0 0x64 4 1 r 0 0x24 4 eq 0x20 unmask wait 0 \
    w 0 0x64 4 0x20 unmask quiet 0
echo line: done
";

const MESSAGES: &str = r"
pci-drive $bdf irq 1 1 w 0 0x20 4 0x80 w 0 8 4 12 wait 0 r 0 8 4 eq 479001600 w 0 0x64 4 1 \
    w 0 0x60 4 2 wait 0 w 0 0x60 4 2 quiet 0 w 0 0x64 4 2 w 0 0x60 4 2 wait 0 w 0 0x64 4 2
echo messages: done
";

/// 100 bytes to the buffer and back, at the end of it the last byte too, and not one more.
const TRANSFERS: &str = r"
pci-drive $bdf map 0x100000 0x3000 fill 0x100000 0x1000 0x5a irq 1 1 \
    wa 0 0x80 0x100000 w 0 0x88 8 0x40f9c w 0 0x90 8 100 w 0 0x98 8 5 wait 0 \
    r 0 0x98 8 eq 4 r 0 0x24 4 eq 0x100 w 0 0x64 4 0x100 \
    w 0 0x80 8 0x40f9c wa 0 0x88 0x101001 w 0 0x98 8 7 wait 0 w 0 0x64 4 0x100 \
    all 0x101000 1 0 all 0x101001 100 0x5a all 0x101065 0xf9b 0 \
    wa 0 0x88 0x102000 w 0 0x90 8 101 w 0 0x98 8 7 wait 0 all 0x102000 0x1000 0
echo transfers: done
";

/// Without interrupts, the guest asks again and again. (`pci-drive` finds memory by its address.)
const POLLING: &str = r"
pci-drive $bdf w 0 8 4 5
until pci-drive $bdf r 0 0x20 4 eq 0 2>/dev/null; do :; done
pci-drive $bdf r 0 8 4 eq 120
pci-drive $bdf map 0x100000 0x2000 fill 0x100000 0x1000 0xa5 \
    wa 0 0x80 0x100000 w 0 0x88 8 0x40000 w 0 0x90 4 0x1000 w 0 0x98 4 1 r 0 0x98 8 eq 0 \
    w 0 0x80 4 0x40000 wa 0 0x88 0x101000 w 0 0x98 4 3 r 0 0x98 8 eq 2 all 0x101000 0x1000 0xa5
echo polling: done
";

#[test]
fn interrupts_and_transfers_reach_a_driver() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::example("edu", &[]);
    let script = [FIND, REGISTERS, LINE, MESSAGES, TRANSFERS].concat();
    let output = vm.guest(&script).device(&device).option("--iommu").run();
    assert!(output.contains("00ff: 1234:11e8 (rev 10)"), "{output}");
    for done in ["registers", "line", "messages", "transfers"] {
        assert!(output.contains(&format!("{done}: done")), "{output}");
    }
    device.end();
}

#[test]
fn a_driver_may_poll() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::example("edu", &[]);
    let output = vm.guest(&[FIND, REGISTERS, POLLING].concat()).device(&device).run();
    assert!(output.contains("polling: done"), "{output}");
    device.end();
}

/// QEMU is asked for the guest's memory.
#[test]
fn transfers_reach_memory_that_is_not_shared() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::example("edu", &[]);
    let guest = vm.guest(&[FIND, TRANSFERS].concat()).device(&device);
    let output = guest.option("--iommu").option("--private-mem").run();
    assert!(output.contains("transfers: done"), "{output}");
    device.end();
}
