//! Guests come and go, and so do servers.

use std::path::Path;

use vfio_user_tests::vm::{Program, Vm};

/// The first words of every script.
const FIND: &str = "set -e; bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)\n";

fn everything() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_everything")), &[])
}

/// QEMU resets a device when it starts, so each guest finds the registers reset, and one reset
/// more.
#[test]
fn one_server_serves_three_guests() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    for resets in 1..=3 {
        let drive = format!("pci-drive $bdf r 0 4 4 eq {resets} r 0 0x40 8 eq 0 w 0 0x40 8 42");
        vm.guest(&[FIND, &drive].concat()).device(&device).run();
    }
    device.end();
}

/// The guest reads all ones from a device whose server is gone, and goes on. It pauses while the
/// server is killed: QEMU 11.1 aborts if a request is unread in the socket at that moment.
#[test]
fn a_server_that_crashes_takes_no_guest_with_it_and_can_be_started_again() {
    let Some(vm) = Vm::find() else { return };
    let mut device = everything();
    let script = "
        pci-drive $bdf r 0 0 4 eq 0x65766572
        echo crash, please
        sleep 2
        until pci-drive $bdf r 0 0 4 eq 0xffffffff 2>/dev/null; do :; done
        pci-drive $bdf w 0 0x40 4 1 r 0 0x40 4 eq 0xffffffff
        lspci -n | grep 00:1f.0
        echo going on";
    let mut guest = vm.guest(&[FIND, script].concat()).device(&device).boot();
    guest.hear("crash, please");
    device.crash();
    let output = guest.finish();
    assert!(output.contains("going on"), "{output}");

    device.restart();
    vm.guest(&[FIND, "pci-drive $bdf r 0 4 4 eq 1"].concat()).device(&device).run();
    device.end();
}

#[test]
fn a_reboot_resets_the_device() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let script = "
        if pci-drive $bdf r 0 4 4 eq 1; then
            echo first
            pci-drive $bdf w 0 0x40 8 42 w 0 0xc 4 1
            reboot -f
        fi
        echo second
        pci-drive $bdf r 0 0x40 8 eq 0 r 0 0xc 4 eq 0";
    let guest = vm.guest(&[FIND, script].concat()).device(&device).option("--reboot");
    let output = guest.run();
    assert!(output.contains("first") && output.contains("second"), "{output}");
    device.end();
}
