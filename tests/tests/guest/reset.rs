//! Resets of a running guest's device: all at once, and what QEMU sends to the server then.

use std::path::Path;

use vfio_user_tests::tap::{Asked, Tap};
use vfio_user_tests::vm::{Monitor, Program, Vm};
use vfio_user_tests::wire::{self, command, irq, region::CONFIG};

fn everything() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_everything")), &[])
}

/// Every script begins like this; the device has been reset once by QEMU.
const FIND: &str = "
set -e
bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
cd /sys/bus/pci/devices/$bdf
same() { local got=$(setpci -s $bdf $1); [ $got = $2 ] || { echo \"$1 is $got, not $2\"; exit 1; }; }
";

/// Linux saves and restores what it knows of configuration space, and only that.
const FUNCTION: &str = "
pci-drive $bdf r 0 4 4 eq 1 w 0 0x40 8 42 w 0 0xc 4 1
setpci -s $bdf CAP_VNDR+4.l=5 CAP_EXP+8.w=2817 3c.b=55 ECAP0018+4.l=10011001
echo flr >reset_method
echo 1 >reset
same CAP_VNDR+4.l 00000000
same CAP_EXP+8.w 2817
same 3c.b 55
pci-drive $bdf r 0 4 4 eq 2 r 0 0x40 8 eq 0 r 0 0xc 4 eq 0 r 0 0 4 eq 0x65766572
echo function: done
";

/// By way of D3hot, first as Linux does it, then by hand: there the device has nothing but its
/// configuration space.
const POWER: &str = "
pci-drive $bdf w 0 0x40 8 42
echo pm >reset_method
echo 1 >reset
pci-drive $bdf r 0 4 4 eq 3 r 0 0x40 8 eq 0 w 0 0x40 8 42
setpci -s $bdf CAP_PM+4.w=3
same CAP_PM+4.w 0003
same 00.l e0e01234
! pci-drive $bdf r 0 0 4 eq 0x65766572 2>/dev/null
setpci -s $bdf CAP_VNDR+4.l=5
setpci -s $bdf CAP_PM+4.w=0
sleep 0.1
same CAP_PM+4.w 0000
same CAP_VNDR+4.l 00000000
pci-drive $bdf r 0 4 4 eq 4 r 0 0x40 8 eq 0 r 0 0 4 eq 0x65766572
echo power: done
";

#[test]
fn a_guest_resets_the_function_alone_and_by_its_power_state() {
    let Some(vm) = Vm::find() else { return };
    let mut device = everything();
    let output = vm.guest(&[FIND, FUNCTION, POWER].concat()).device(&device).run();
    assert!(output.contains("function: done") && output.contains("power: done"), "{output}");
    for kind in ["Device", "FunctionLevel", "PowerState", "PowerState"] {
        assert_eq!(device.hear("reset: "), format!("reset: {kind}"));
    }
    device.end();
}

/// Before and behind the reset the guest prints what configuration space holds, and in between it
/// changes as much as it can. A device that has been reset more often than once prints which boot
/// it is: its firmware may reset the machine again.
const SCRIPT: &str = r"
set -e
bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
boot=first
pci-drive $bdf r 0 4 4 eq 1 || boot=again
setpci -s $bdf 04.w=0:7
echo == boot $boot
hexdump -C /sys/bus/pci/devices/$bdf/config
[ $boot = first ] || exit 0
setpci -s $bdf 04.w=0546 0c.b=10 3c.b=55
setpci -s $bdf CAP_EXP+8.w=281f ECAP0018+4.l=1fff1fff CAP_VNDR+4.l=5 CAP_VNDR+8.l=cafe
setpci -s $bdf CAP_MSI+2.w=0021 CAP_MSI+4.l=fee01000 CAP_MSI+c.w=4021
setpci -s $bdf CAP_MSIX+2.w=c000
pci-drive $bdf w 0 0x40 8 42 w 0 0xc 4 1
echo ready to be reset
while :; do sleep 1; done
";

/// What the guest said of configuration space in a boot.
fn dump<'a>(output: &'a str, boot: &str) -> &'a str {
    let start = output.find(&format!("== boot {boot}\n")).unwrap_or_else(|| panic!("{output}"));
    let (_, rest) = output[start..].split_once('\n').expect("lines");
    rest.split_once("\n00001000").expect("all of configuration space").0
}

fn writes_config(asked: &Asked, offset: u64) -> bool {
    let Asked { command, payload, .. } = asked;
    *command == command::REGION_WRITE
        && wire::u64_at(payload, 0) == offset
        && wire::u32_at(payload, 8) == CONFIG
}

fn tears_down(asked: &Asked, index: u32) -> bool {
    asked.command == command::SET_IRQS
        && asked.payload[4..] == wire::words(&[irq::NONE | irq::TRIGGER, index, 0, 0])
}

#[test]
fn a_reset_of_the_machine_brings_the_device_back_to_power_on() {
    let Some(vm) = Vm::find() else { return };
    let mut device = everything();
    let folder = tempfile::tempdir().unwrap();
    let monitor = folder.path().join("qmp.sock");
    let tap = Tap::on(&device.socket());
    let mut guest = vm
        .guest(SCRIPT)
        .option("--device")
        .option(&tap.socket().display().to_string())
        .option("--reboot")
        .option("--")
        .option("-qmp")
        .option(&format!("unix:{},server=on,wait=off", monitor.display()))
        .boot();
    guest.hear("ready to be reset");
    let until_now = tap.asked().len();
    Monitor::connect(&monitor).run("system_reset");
    let output = guest.finish();
    assert_eq!(dump(&output, "first"), dump(&output, "again"));

    let asked = &tap.asked()[until_now..];
    // All that QEMU says before a reset and behind it (it may follow the whole once more).
    let reset = asked.iter().position(|one| one.command == command::RESET).expect("a reset");
    let (before, after) = asked.split_at(reset);
    assert!(before.iter().any(|one| tears_down(one, irq::MSIX)), "MSI-X goes: {before:x?}");
    assert!(before.iter().any(|one| writes_config(one, 0x04)), "COMMAND is cleared: {before:x?}");
    let assigns = |one: &Asked| one.command == command::SET_IRQS && one.fds == 1;
    assert!(after.iter().any(assigns), "INTx comes back: {after:x?}");
    for bar in (0x10..0x28).step_by(4) {
        assert!(after.iter().any(|one| writes_config(one, bar)), "BARs are cleared: {after:x?}");
    }
    assert!(after.iter().any(|one| one.command == command::DMA_MAP), "memory comes back");
    device.hear("reset: Device");
    device.hear("reset: Device");
    device.end();
}
