//! A guest drives a device from user space: registers, memory, and, through `vfio-pci`, interrupts
//! of every kind.

use std::path::Path;

use vfio_user_tests::vm::{Program, Vm};

/// Accesses of every size, also across registers and to parts of them; writes to memory BARs are
/// not waited for by QEMU, but ordered before what is read afterwards.
const REGISTERS: &str = r"
set -e
bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
pci-drive $bdf info
pci-drive $bdf r 0 0 4 eq 0x65766572 \
    w 0 0x40 8 0x1122334455667788 r 0 0x40 8 eq 0x1122334455667788 \
    r 0 0x40 4 eq 0x55667788 r 0 0x42 2 eq 0x5566 r 0 0x47 1 eq 0x11 \
    w 0 0x43 1 0 w 0 0x44 2 0xabcd w 0 0x40 4 0x01020304 r 0 0x40 8 eq 0x1122abcd01020304 \
    w 0 0 4 0 r 0 0 4 eq 0x65766572 r 0 0xff8 8 eq 0
pci-drive $bdf w 1 0 4 0x12345678 r 1 0 4 eq 0x12345678 r 1 1 1 eq 0x56 w 1 2 2 0 r 1 0 4 eq 0x5678
pci-drive $bdf w 2 0x0ffffff8 8 42 r 2 0x0ffffff8 8 eq 42 w 4 0x10000 2 0x55 r 4 0x10000 2 eq 0x55
echo registers: done
";

/// The device copies memory: an odd number of bytes, and not one more.
const MEMORY: &str = r"
pci-drive $bdf map 0x100000 0x4000 fill 0x100000 0x2000 0x5a \
    wa 0 0x10 0x100001 wa 0 0x18 0x102001 w 0 0x20 4 0x1ffd r 0 0x24 4 eq 0 \
    all 0x102000 1 0 all 0x102001 0x1ffd 0x5a all 0x103ffe 2 0
echo memory: done
";

const INTERRUPTS: &str = r"
pci-drive $bdf irq 2 8 w 0 8 4 7 wait 7 quiet 0 w 0 8 4 0 wait 0 quiet 7 noirq 2
pci-drive $bdf irq 1 4 w 0 8 4 3 wait 3 w 0 8 4 6 wait 2 quiet 3 noirq 1
pci-drive $bdf irq 0 1 w 0 0xc 4 1 wait 0 quiet 0 unmask wait 0 w 0 0xc 4 0 unmask quiet 0
echo interrupts: done
";

/// Memory comes and goes page by page; of what is not mapped the device gets nothing.
const MAPPINGS: &str = r"
pci-drive $bdf map 0x100000 0x1000 map 0x200000 0x1000 map 0x201000 0x1000 \
    fill 0x100000 0x1000 0x11 wa 0 0x10 0x100000 w 0 0x18 8 0x200800 w 0 0x20 4 0x1000 \
    r 0 0x24 4 eq 0 all 0x200800 0x800 0x11 all 0x201000 0x800 0x11 all 0x201800 0x800 0 \
    unmap 0x201000 w 0 0x20 4 0x1000 r 0 0x24 4 eq 1 \
    unmap 0x100000 w 0 0x18 8 0x200000 w 0 0x20 4 1 r 0 0x24 4 eq 2 \
    map 0x100000 0x1000 fill 0x100000 0x1000 0x22 w 0 0x20 4 16 r 0 0x24 4 eq 2 \
    all 0x200000 16 0x22 all 0x200010 16 0
echo mappings: done
";

/// Thousands of pages, scattered, each a map of its own; the device copies across two of them, and
/// finds none of them afterwards. (Vfio has reset it when it was opened.)
const MANY: &str = r#"
each() { for i in $(seq 0 1500); do printf "$1" $((0x10000000 + i * 0x3000)) $((0x10001000 + i * 0x3000)); done; }
last=$((0x10000000 + 1500 * 0x3000))
pci-drive $bdf $(each 'map %d 0x1000 map %d 0x1000 ') \
    fill 0x10000ff0 0x10 0x11 fill 0x10001000 0x10 0x22 \
    wa 0 0x10 0x10000ff0 w 0 0x18 8 $((last + 0xff0)) w 0 0x20 4 0x20 r 0 0x24 4 eq 0 \
    all $((last + 0xff0)) 0x10 0x11 all $((last + 0x1000)) 0x10 0x22 \
    $(each 'unmap %d unmap %d ') w 0 0x20 4 0x20 r 0 0x24 4 eq 1
echo many: done
"#;

fn everything() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_everything")), &[])
}

#[test]
fn with_an_iommu() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let script = [REGISTERS, MEMORY, INTERRUPTS, MAPPINGS, MANY].concat();
    let output = vm.guest(&script).device(&device).option("--iommu").run();
    for done in ["registers", "memory", "interrupts", "mappings", "many"] {
        assert!(output.contains(&format!("{done}: done")), "{output}");
    }
    device.end();
}

/// Vfio needs an IOMMU, and there is no other way to interrupts in user space.
#[test]
fn without_an_iommu() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let output = vm.guest(&[REGISTERS, MEMORY].concat()).device(&device).run();
    assert!(output.contains("memory: done"), "{output}");
    device.end();
}

/// QEMU is asked for memory that it shares no descriptor of, by a hook and by a thread; each
/// interrupt says that all is there. What is not mapped is refused, by us and by QEMU.
const MESSAGES: &str = r"
bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
pci-drive $bdf irq 2 8 map 0x100000 0x80000 fill 0x100000 0x40000 0x5a \
    wa 0 0x10 0x100001 wa 0 0x18 0x140001 w 0 0x20 4 0x3ffd1 wait 0 r 0 0x24 4 eq 0 \
    all 0x140000 1 0 all 0x140001 0x3ffd1 0x5a all 0x17ffd2 0x2e 0 \
    fill 0x100000 0x40000 0xa5 w 0 0x28 4 0x3ffd1 wait 0 r 0 0x24 4 eq 0 \
    all 0x140000 1 0 all 0x140001 0x3ffd1 0xa5 all 0x17ffd2 0x2e 0 \
    wa 0 0x10 0x17ffff w 0 0x20 4 2 quiet 1 r 0 0x24 4 eq 1 w 0 0x28 4 2 quiet 1 r 0 0x24 4 eq 2 \
    wa 0 0x10 0x100000 w 7 4 2 2 w 0 0x20 4 16 quiet 1 r 0 0x24 4 eq 3 \
    w 0 0x40 8 0x1122334455667788 r 0 0x40 8 eq 0x1122334455667788
echo messages: done
";

#[test]
fn memory_that_cannot_be_mapped_is_reached_by_messages() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let guest = vm.guest(MESSAGES).device(&device).option("--iommu").option("--private-mem");
    let output = guest.run();
    assert!(output.contains("messages: done"), "{output}");
    device.end();
}

/// Without interrupts the guest looks again and again, and has the machine to itself each time.
#[test]
fn a_guest_that_does_not_wait_is_asked_for_memory_all_the_same() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let script = r"
        bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
        look() { for i in $(seq 2000); do printf 'r 0 0x40 4 '; done; }
        pci-drive $bdf map 0x100000 0x2000 fill 0x100000 0x1000 0x5a \
            wa 0 0x10 0x100001 wa 0 0x18 0x101001 \
            w 0 0x20 4 16 $(look) r 0 0x24 4 eq 0 r 0 0x2c 4 eq 1 $(look) all 0x101001 16 0x5a \
            w 0 0x28 4 32 $(look) r 0 0x24 4 eq 0 r 0 0x2c 4 eq 2 all 0x101001 32 0x5a
        echo messages: done";
    let output = vm.guest(script).device(&device).option("--private-mem").run();
    assert!(output.contains("messages: done"), "{output}");
    device.end();
}
