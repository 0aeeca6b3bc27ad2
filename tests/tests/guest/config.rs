//! What a guest does to configuration space, with the tools of an administrator.

use std::path::Path;

use vfio_user_tests::vm::{Program, Vm};

/// The first words of every script.
const TOOLS: &str = r#"
set -e
bdf=$(lspci -Dn -d 1234:e0e0 | cut -d' ' -f1)
poke() { setpci -s $bdf "$@"; }
same() { local got=$(setpci -s $bdf $1); [ $got = $2 ] || { echo "$1 is $got, not $2"; exit 1; }; }
config=/sys/bus/pci/devices/$bdf/config
"#;

fn everything() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_everything")), &[])
}

#[track_caller]
fn holds(text: &str, expected: &[&str]) {
    for one in expected {
        assert!(text.contains(one), "no {one:?} in: {text}");
    }
}

/// What `lspci` says of the extended space.
const EXTENDED: [&str; 5] = [
    "[100 v1] Device Serial Number 00-11-22-ff-ff-33-44-55",
    "[10c v1] Vendor Specific Information: ID=0042 Rev=1 Len=00c",
    "[118 v1] Designated Vendor-Specific: Vendor=1af4 ID=0003 Rev=0 Len=17",
    "[12c v1] Latency Tolerance Reporting",
    "[134 v2] Advanced Error Reporting",
];

/// All capabilities are found by their ids, and hold what was declared.
const CAPABILITIES: &str = "
lspci -vvvn -s $bdf
[ $(wc -c <$config) = 4096 ]
same CAP_VNDR+2.b 0c
same CAP06+2.w 1234
same ECAP0003+4.l ff334455
same ECAP0003+8.l 001122ff
same ECAP000B+4.l 00c10042
same ECAP000B+8.l 64726163
same ECAP0023+8.w 0003
grep -q everything /sys/bus/pci/devices/$bdf/vpd
poke ECAP0018+4.l=ffffffff
same ECAP0018+4.l 1fff1fff
echo capabilities: done
";

/// Registers in a capability are registers.
const WINDOW: &str = "
pci-drive $bdf w 0 0x48 4 0x1234
poke CAP_VNDR+4.l=fffffff9
same CAP_VNDR+4.l 00000001
same CAP_VNDR+8.l 00001234
poke CAP_VNDR+8.l=cafe0001
pci-drive $bdf r 0 0x48 4 eq 0xcafe0001
poke CAP_VNDR+4.b=2 CAP_VNDR+8.l=2
pci-drive $bdf r 0 0x50 4 eq 2 r 0 0x48 4 eq 0xcafe0001
echo window: done
";

/// Nothing else changes, whatever is written.
const READ_ONLY: &str = "
cp $config before
for at in 00 02 08 0a 0e 28 2a 2c 2e 34 36 38 3a; do poke $at.w=ffff $at.w=0; done
poke CAP_PM+0.l=ffffffff CAP_EXP+0.l=ffffffff CAP_EXP+4.l=ffffffff CAP_EXP+c.l=ffffffff
poke CAP_VNDR+0.l=ffffffff CAP06+0.l=ffffffff CAP_MSI+0.w=ffff CAP_MSIX+0.w=ffff
poke CAP_MSIX+4.l=ffffffff CAP_MSIX+8.l=ffffffff
for id in 0003 000B 0023; do
    for at in 0 4 8; do poke ECAP$id+$at.l=ffffffff ECAP$id+$at.l=0; done
done
cmp $config before
echo read-only: done
";

const ROM: &str = "
cd /sys/bus/pci/devices/$bdf
echo 1 >rom
[ $(wc -c <rom) = 1536 ]
grep -q 'an expansion ROM' rom
sed -n 7p resource
cd - >/dev/null
echo rom: done
";

/// The level is seen whether INTx is disabled or not.
const STATUS: &str = "
line() { echo $((0x$(setpci -s $bdf 06.w) >> 3 & 1)); }
[ $(line) = 0 ]
pci-drive $bdf w 0 0xc 4 1
[ $(line) = 1 ]
poke 04.w=0400:0400
[ $(line) = 1 ]
same 06.w 0018
pci-drive $bdf w 0 0xc 4 0
[ $(line) = 0 ]
poke 04.w=0000:0400
echo status: done
";

#[test]
fn an_administrator_finds_and_pokes_everything() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let script = [TOOLS, CAPABILITIES, WINDOW, READ_ONLY, ROM, STATUS].concat();
    let output = vm.guest(&script).device(&device).run();
    holds(&output, &EXTENDED);
    holds(&output, &["Express (v2) Root Complex Integrated Endpoint", "CompactPCI hot-swap"]);
    holds(&output, &["Vendor Specific Information: Len=0c", "Subsystem: 0000:0000"]);
    holds(&output, &["Expansion ROM at", "status: done"]);
    device.end();
}

/// The whole of it, with a link.
#[test]
fn the_extended_space_is_seen_below_a_root_port() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let script = [TOOLS, CAPABILITIES, WINDOW].concat();
    let output = vm.guest(&script).device(&device).option("--port").run();
    holds(&output, &EXTENDED);
    holds(&output, &["01:00.0 ", "Express (v2) Endpoint", "LTR+", "window: done"]);
    device.end();
}

/// QEMU delivers a message of MSI-X as what it is, a write to memory. Vector 0 is masked and pends,
/// vector 1 is not; then both wait for the function.
const MSIX: &str = "
at() { lspci -vn -s $bdf | sed -n \"s/.*\\[\\(..\\)\\] $1: .*/0x\\1/p\"; }
msix=$(($(at MSI-X) + 2))
pci-drive $bdf map 0x100000 0x1000 \\
    wa 0 0x1000 0x100000 w 0 0x1008 4 0x5a5a5a5a w 0 0x100c 4 1 \\
    wa 0 0x1010 0x100100 w 0 0x1018 4 0xa5a5a5a5 w 0 0x101c 4 0 \\
    w 7 $msix 2 0x8000 r 0 0x1080 8 eq 0 \\
    w 0 8 4 0 r 0 0x1080 8 eq 1 \\
    w 0 8 4 1 soon 0x100100 4 0xa5 r 0 0x1080 8 eq 1 all 0x100000 4 0 \\
    w 0 0x100c 4 0 soon 0x100000 4 0x5a r 0 0x1080 8 eq 0 \\
    fill 0x100000 0x1000 0 w 7 $msix 2 0xc000 w 0 8 4 1 w 0 8 4 0 r 0 0x1080 8 eq 3 \\
    all 0x100000 0x1000 0 w 7 $msix 2 0x8000 soon 0x100000 4 0x5a soon 0x100100 4 0xa5 \\
    r 0 0x1080 8 eq 0 w 7 $msix 2 0
echo MSI-X: done
";

/// The same with MSI: one message, then four, of which one is masked.
const MSI: &str = "
msi=$(at MSI)
pci-drive $bdf map 0x100000 0x1000 wa 7 $((msi + 4)) 0x100000 w 7 $((msi + 12)) 2 0x5a58 \\
    w 0 8 4 0 all 0x100000 4 0 w 7 $((msi + 2)) 2 1 w 0 8 4 0 soon 0x100000 1 0x58 \\
    soon 0x100001 1 0x5a fill 0x100000 4 0 w 0 8 4 3 soon 0x100000 1 0x58 \\
    w 7 $((msi + 2)) 2 0 fill 0x100000 4 0 w 7 $((msi + 2)) 2 0x21 \\
    w 0 8 4 3 soon 0x100000 1 0x5b soon 0x100001 1 0x5a fill 0x100000 4 0 \\
    w 7 $((msi + 16)) 4 4 w 0 8 4 2 w 0 8 4 1 soon 0x100000 1 0x59 fill 0x100000 4 0 \\
    w 7 $((msi + 16)) 4 0 soon 0x100000 1 0x5a w 7 $((msi + 2)) 2 0
echo MSI: done
";

/// Without KVM: that would take messages for interrupts of the processor.
#[test]
fn messages_are_written_and_masks_hold_them_back() {
    let Some(vm) = Vm::find() else { return };
    let device = everything();
    let script = [TOOLS, MSIX, MSI].concat();
    let guest = vm.guest(&script).device(&device).option("--accel").option("tcg");
    holds(&guest.run(), &["MSI-X: done", "MSI: done"]);
    device.end();
}
