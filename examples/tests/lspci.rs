//! Configuration spaces of the examples, decoded by pciutils.

use std::process::Command;

use vfio_user_tests::lspci;

/// What the example is for.
#[test]
fn pciutils_read_the_example() {
    let output = Command::new(env!("CARGO_BIN_EXE_lspci")).output().expect("the example runs");
    assert!(output.status.success(), "{output:?}");
    let dump = String::from_utf8(output.stdout).expect("it writes text");
    let Some(decoded) = lspci::decode(&dump) else { return };
    decoded.holds(&[
        "00:00.0 1200: 1234:1105",
        "Subsystem: 1234:0001",
        "Region 0: Memory at <unassigned> (64-bit, prefetchable)",
        "Power Management version 3",
        "D1+ D2- AuxCurrent=0mA PME(D0+,D1-,D2-,D3hot+,D3cold-)",
        "MSI: Enable- Count=1/8 Maskable+ 64bit+",
        "MSI-X: Enable- Count=32 Masked-",
        "Vector table: BAR=0 offset=00002000",
        "Express (v2) Endpoint",
        "FLReset+",
        "Vital Product Data",
        "Advanced Error Reporting",
        "Vendor Specific Information: Len=16",
        "Device Serial Number 00-11-22-ff-ff-33-44-55",
        "Vendor Specific Information: ID=0001 Rev=2 Len=00c",
        "Latency Tolerance Reporting",
    ]);
}

/// For any device program.
#[test]
fn programs_describe_themselves_to_pciutils() {
    let programs = [
        (env!("CARGO_BIN_EXE_trivial"), "1234:cafe"),
        (env!("CARGO_BIN_EXE_edu"), "1234:11e8"),
        (env!("CARGO_BIN_EXE_gpio-pci-idio-16"), "494f:0dc8"),
    ];
    for (path, ids) in programs {
        let output = Command::new(path).arg("--describe=lspci").output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let dump = String::from_utf8(output.stdout).expect("it writes text");
        let Some(decoded) = lspci::decode(&dump) else { return };
        assert!(decoded.text().starts_with("00:00.0 "), "{path}: {}", decoded.text());
        decoded.holds(&[ids]);
    }
}
