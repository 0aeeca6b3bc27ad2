//! The kernel's own driver takes interrupts by message, without an IOMMU.

use std::path::Path;

use vfio_user_tests::vm::{Program, Vm};

/// Finds the port of the device, sends through it, and looks at what came back and how.
const SCRIPT: &str = r"
set -e
head -c 1000 /dev/urandom >/tmp/sent
for bdf in $(lspci -Dn -d 125b:9100 | cut -d' ' -f1); do
    device=/sys/bus/pci/devices/$bdf
    port=$(basename $device/$bdf:0/*/tty/ttyS*)
    stty -F /dev/$port raw -echo
    # While nothing is open the driver would throw away what comes back.
    exec 3<>/dev/$port
    timeout 20 head -c 1000 <&3 >/tmp/back &
    cat /tmp/sent >&3
    # While the port is open its interrupts are there to be looked at.
    wait $!
    cmp /tmp/sent /tmp/back
    for irq in $(ls $device/msi_irqs); do
        echo $(cat $device/msi_irqs/$irq): $(grep ^.*$irq: /proc/interrupts)
    done
    lspci -vvn -s $bdf | grep Enable+
    exec 3>&-
done
";

/// How many interrupts the guest has counted for the vector of a mode.
fn count(output: &str, mode: &str) -> Option<u64> {
    let line = output.lines().find(|line| line.starts_with(&format!("{mode}: ")))?;
    line.split_whitespace().nth(2)?.parse().ok()
}

#[test]
fn a_serial_port_by_msi_and_by_msix() {
    let Some(vm) = Vm::find() else { return };
    let uart =
        |interrupt| Program::start(Path::new(env!("CARGO_BIN_EXE_message_uart")), &[interrupt]);
    let (msi, msix) = (uart("msi"), uart("msix"));
    let output = vm.guest(SCRIPT).device(&msi).device(&msix).run();
    for (mode, enabled) in [("msi", "MSI: Enable+"), ("msix", "MSI-X: Enable+")] {
        assert!(count(&output, mode).is_some_and(|count| count > 0), "{mode}: {output}");
        assert!(output.contains(enabled), "{enabled}: {output}");
    }
    msi.end();
    msix.end();
}
