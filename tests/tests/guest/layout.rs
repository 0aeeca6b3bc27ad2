//! What a guest finds is what was declared.

use std::path::Path;

use vfio_user_tests::vm::{Program, Vm};

const SCRIPT: &str = r"
for id in 1234:e0e0 494f:0dc8 1234:cafe; do
    echo == $id
    lspci -vvn -d $id
    cat /sys/bus/pci/devices/$(lspci -Dn -d $id | cut -d' ' -f1)/resource
done
";

fn everything() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_everything")), &[])
}

/// What the script said of a device.
fn part<'a>(output: &'a str, id: &str) -> &'a str {
    let start = output.find(&format!("== {id}")).unwrap_or_else(|| panic!("no {id}: {output}"));
    let rest = &output[start + 3..];
    rest.split("\n==").next().unwrap_or(rest)
}

#[track_caller]
fn holds(text: &str, expected: &[&str]) {
    for one in expected {
        assert!(text.contains(one), "no {one:?} in: {text}");
    }
}

/// The flags of an assigned BAR, as `resource` shows them (linux/ioport.h).
mod flags {
    pub(super) const IO: &str = "0x0000000000040101";
    pub(super) const MEM32: &str = "0x0000000000040200";
    pub(super) const MEM64: &str = "0x0000000000140204";
    pub(super) const MEM64_PREFETCHABLE: &str = "0x000000000014220c";
}

/// The lines of a `resource` file, BARs 0 to 5: start, end, flags.
fn resources(text: &str) -> Vec<(u64, u64, &str)> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let lines = text.lines().filter(|line| line.starts_with("0x"));
    let parsed = lines.filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [start, end, flags] => Some((number(start)?, number(end)?, flags)),
        _ => None,
    });
    parsed.take(6).collect()
}

#[track_caller]
fn assigned(text: &str, expected: [Option<(u64, &str)>; 6]) {
    let resources = resources(text);
    assert_eq!(resources.len(), 6, "{text}");
    for (index, (start, end, flags)) in resources.into_iter().enumerate() {
        match expected[index] {
            Some((size, expected)) => {
                assert_eq!((end - start + 1, flags), (size, expected), "BAR {index}: {text}");
                assert!(start != 0 && start % size == 0, "BAR {index}: {text}");
            }
            None => assert_eq!((start, end), (0, 0), "BAR {index}: {text}"),
        }
    }
}

const EVERYTHING: [Option<(u64, &str)>; 6] = [
    Some((0x2000, flags::MEM32)),
    Some((0x40, flags::IO)),
    Some((0x1000_0000, flags::MEM64_PREFETCHABLE)),
    None,
    Some((0x2_0000, flags::MEM64)),
    None,
];

#[test]
fn several_devices_on_the_root_bus() {
    let Some(vm) = Vm::find() else { return };
    let everything = everything();
    let gpio = Program::example("gpio-pci-idio-16", &[]);
    let trivial = Program::example("trivial", &[]);
    let output = vm.guest(SCRIPT).device(&everything).device(&gpio).device(&trivial).run();

    let text = part(&output, "1234:e0e0");
    holds(text, &["1200: 1234:e0e0 (rev 07)", "Interrupts: pin "]);
    holds(text, &["[40] Power Management version 3", "[48] Express (v2) Root Complex Integrated"]);
    holds(text, &["MSI: Enable- Count=1/4 Maskable+ 64bit+", "MSI-X: Enable- Count=8 Masked-"]);
    holds(text, &["Vector table: BAR=0 offset=00001000", "PBA: BAR=0 offset=00001080"]);
    assigned(text, EVERYTHING);

    let text = part(&output, "494f:0dc8");
    holds(text, &["ff00: 494f:0dc8", "Region 2: I/O ports at ", "Interrupts: pin "]);
    assert!(!text.contains("Capabilities:"), "{text}");
    assigned(text, [None, None, Some((0x100, flags::IO)), None, None, None]);

    let text = part(&output, "1234:cafe");
    holds(text, &["00ff: 1234:cafe", "MSI-X: Enable- Count=1 Masked-", "Vector table: BAR=1"]);
    assert!(!text.contains("Interrupts:"), "{text}");
    let bar = Some((0x1000, flags::MEM32));
    assigned(text, [bar, bar, None, None, None, None]);

    for device in [everything, gpio, trivial] {
        device.end();
    }
}

/// A reset of the bus below a port reaches the device. (That the port then misses a link is
/// QEMU's doing, and makes the kernel call the reset a failure.)
const BELOW_A_PORT: &str = r"
set -e
bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
echo == 1234:e0e0
lspci -vvn -s $bdf
cat /sys/bus/pci/devices/$bdf/resource
pci-drive $bdf r 0 4 4 eq 1 w 0 0x40 4 42
echo 1 >/sys/bus/pci/devices/$bdf/reset || :
pci-drive $bdf r 0 4 4 eq 2 r 0 0x40 4 eq 0
";

#[test]
fn behind_a_root_port() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let output = vm.guest(BELOW_A_PORT).device(&device).option("--port").run();
    let text = part(&output, "1234:e0e0");
    holds(text, &["01:00.0 1200: 1234:e0e0", "Express (v2) Endpoint"]);
    holds(text, &["LnkSta:\tSpeed 2.5GT/s, Width x1"]);
    assigned(text, EVERYTHING);
    device.end();
}
