//! A guest drives the DMA engine: a ring of descriptors in its memory, done by a thread of the
//! device.

use vfio_user_tests::vm::{Program, Vm};

/// Descriptor `n` copies so many bytes from one place to another; they are not done yet.
const TOOLS: &str = r#"
set -e
bdf=$(lspci -Dn -d 1234:d3a0 | cut -d' ' -f1)
ring=0x100000
status() { echo $((ring + $1 * 24 + 20)); }
describe() {
    local at=$((ring + $1 * 24))
    echo ma $at $2 ma $((at + 8)) $3 m $((at + 16)) 4 $4 m $(status $1) 4 0
}
begin="map $ring 0x1000 map 0x200000 0x20000 fill 0x200000 0x10000 0x5a wa 0 0 $ring w 0 8 4 4"
# A check that fails ends the script: without that, what is said at the end would say nothing.
fails() { if pci-drive $bdf "$@"; then echo "accepted: $*"; exit 1; fi; }
fails $begin all 0x200000 0x10000 0x5b
fails $begin all 0x200000 0x10001 0x5a
fails $begin r 0 8 4 eq 5
fails $begin quiet 0 r 0 0xc 4 eq 1
echo checks: fail
"#;

/// Some at once, around the end of the ring: all of it, as it was when it was described.
const RING: &str = r"
pci-drive $bdf $begin $(describe 0 0x200000 0x210000 0x1000) $(describe 1 0x210000 0x211000 0x1000) \
    $(describe 2 0x211000 0x212000 0x1000) $(describe 3 0x212000 0x213000 0x1000) \
    w 0 0xc 4 3 soon $(status 0) 1 1 soon $(status 1) 1 1 soon $(status 2) 1 1 all $(status 3) 1 0 \
    all 0x210000 0x3000 0x5a all 0x213000 0x1000 0 fill 0x200000 0x1000 0xa5 \
    $(describe 0 0x200000 0x214000 0x1000) w 0 0xc 4 1 soon $(status 0) 1 1 \
    all $(status 3) 1 1 all 0x213000 0x1000 0x5a all 0x214000 0x1000 0xa5 r 0 0x14 4 eq 0
echo ring: done
";

/// Then one at a time: an odd number of bytes, and not one more; then a target that is nowhere.
/// (VFIO knows no way to reset this function, so it is where it was.)
const INTERRUPTS: &str = r"
pci-drive $bdf irq 2 1 $begin $(describe 1 0x200001 0x210003 0x8001) \
    w 0 0xc 4 2 wait 0 r 0 0x10 4 eq 2 all $(status 1) 1 1 \
    all 0x210000 3 0 all 0x210003 0x8001 0x5a all 0x218004 0x7ffc 0 \
    $(describe 2 0x200000 0x210000 8) m $((ring + 56)) 8 0x7000000000 \
    w 0 0xc 4 3 wait 0 r 0 0x10 4 eq 3 all $(status 2) 1 2 r 0 0x14 4 eq 1 r 0 0x14 4 eq 0 quiet 0
echo interrupts: done
";

/// The guest has said these lines, each alone, in this order.
#[track_caller]
fn assert_said(output: &str, expected: &[&str]) {
    let said = output.lines().map(str::trim).filter(|line| expected.contains(line));
    assert_eq!(said.collect::<Vec<_>>(), expected, "{output}");
}

fn copies_and_interrupts(options: &[&str]) {
    let Some(vm) = Vm::find() else { return };
    let device = Program::example("dma-engine", &[]);
    let script = [TOOLS, RING, INTERRUPTS].concat();
    let guest = vm.guest(&script).device(&device).option("--iommu");
    let output = options.iter().fold(guest, |guest, option| guest.option(option)).run();
    assert_said(&output, &["checks: fail", "ring: done", "interrupts: done"]);
    device.end();
}

#[test]
fn with_an_iommu_the_engine_copies_and_interrupts() {
    copies_and_interrupts(&[]);
}

/// The thread waits for what QEMU reads and writes for it.
#[test]
fn memory_that_is_not_shared_is_copied_as_well() {
    copies_and_interrupts(&["--private-mem"]);
}

/// The ring, and what it points to, are physical addresses.
#[test]
fn without_an_iommu_the_guest_looks_at_its_ring() {
    let Some(vm) = Vm::find() else { return };
    let device = Program::example("dma-engine", &[]);
    let output = vm.guest(&[TOOLS, RING].concat()).device(&device).run();
    assert_said(&output, &["checks: fail", "ring: done"]);
    device.end();
}
