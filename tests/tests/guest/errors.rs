//! Errors that a device reports, as a guest and QEMU see them.

use std::path::Path;

use vfio_user_tests::vm::{Monitor, Program, Vm};

/// The first words of every script.
const FIND: &str = "
set -e
bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
same() { local got=$(setpci -s $bdf $1); [ $got = $2 ] || { echo \"$1 is $got, not $2\"; exit 1; }; }
report() { pci-drive $bdf w 0 0x30 4 $1; }
";

/// The guest masks the errors, and polls their status.
const LOOKS: &str = "
setpci -s $bdf CAP_EXP+8.w=0:f 04.w=0:100
same CAP_EXP+a.w 0000
same ECAP_AER+4.l 00000000
same ECAP_AER+10.l 00000000
report 18
report 12
same ECAP_AER+4.l 00041000
same ECAP_AER+18.l 00000012
same ECAP_AER+1c.l 00001111
same ECAP_AER+28.l 00004444
same CAP_EXP+a.w 0006
report 0
same ECAP_AER+10.l 00000001
same CAP_EXP+a.w 0007
lspci -vvv -s $bdf
";

/// What it has seen it clears, and nothing else; what it masks is not logged.
const CLEARS: &str = "
setpci -s $bdf ECAP_AER+4.l=00001000
same ECAP_AER+4.l 00040000
setpci -s $bdf ECAP_AER+4.w=ffff
same ECAP_AER+4.l 00040000
setpci -s $bdf ECAP_AER+4.l=ffffffff ECAP_AER+10.l=ffffffff CAP_EXP+a.w=000f
same ECAP_AER+4.l 00000000
same ECAP_AER+10.l 00000000
same CAP_EXP+a.w 0000
setpci -s $bdf ECAP_AER+8.l=1000:1000
report 12
same ECAP_AER+4.l 00001000
same ECAP_AER+18.l 00000012
echo errors: done
";

#[test]
fn a_guest_finds_reported_errors_and_clears_them() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let script = [FIND, LOOKS, CLEARS].concat();
    let output = vm.guest(&script).device(&device).option("--port").run();
    assert!(output.contains("errors: done"), "{output}");
    let line = |name: &str| {
        let mut lines = output.lines().map(str::trim);
        lines.find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {output}"))
    };
    for set in ["TLP+", "MalfTLP+"] {
        assert!(line("UESta:").contains(set), "{output}");
    }
    assert!(line("CESta:").contains("RxErr+"), "{output}");
    assert!(line("DevSta:").contains("CorrErr+ NonFatalErr+ FatalErr+ UnsupReq-"), "{output}");
    assert!(line("HeaderLog:").ends_with("00001111 00002222 00003333 00004444"), "{output}");
    device.end();
}

/// Linux has enabled the reports of the device; QEMU stops the guest when it cannot deliver one.
#[test]
fn an_error_that_the_guest_enables_stops_it() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let folder = tempfile::tempdir().unwrap();
    let monitor = folder.path().join("qmp.sock");
    let script = [FIND, "setpci -s $bdf CAP_EXP+8.w=4:4\necho ready\nreport 18\nsleep 60"].concat();
    let mut guest = vm
        .guest(&script)
        .device(&device)
        .option("--port")
        .option("--")
        .option("-qmp")
        .option(&format!("unix:{},server=on,wait=off", monitor.display()))
        .boot();
    guest.hear("ready");
    let mut monitor = Monitor::connect(&monitor);
    if !monitor.run("query-status").contains("internal-error") {
        monitor.hear("\"STOP\"");
        assert!(monitor.run("query-status").contains("internal-error"));
    }
    drop(guest);
    device.end();
}

fn everything() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_everything")), &[])
}
