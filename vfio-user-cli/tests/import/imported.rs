//! Files of other formats.

use vfio_user::declaration::{Extent, Register};
use vfio_user::{PciDevice, describe};

use crate::{compare, folder, imported};

#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "a device that is not served")]
#[path = "records/timer.rs"]
#[rustfmt::skip]
mod timer;
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "a device that is not served")]
#[path = "records/uart.rs"]
#[rustfmt::skip]
mod uart;
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "a program's `main`")]
#[path = "records/gpio.rs"]
#[rustfmt::skip]
mod gpio;
#[allow(dead_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "a program's `main`")]
#[path = "records/dma.rs"]
#[rustfmt::skip]
mod dma;

vfio_user::device_tests!(timer::Board, timer::Board::default);

/// The records are compiled with this test, and their generated tests run in it.
#[test]
fn files_become_programs() {
    let module: &[&str] = &["--module"];
    for (arguments, file, record) in [
        (module, "timer.svd", "timer.rs"),
        (module, "uart.svd", "uart.rs"),
        (&[], "gpio.xml", "gpio.rs"),
        (&[], "dma.json", "dma.rs"),
    ] {
        compare(record, &imported(arguments, &folder().join(file)).0);
    }
}

#[test]
fn what_cannot_be_expressed_is_said() {
    let (program, said) = imported(&[], &folder().join("timer.svd"));
    for what in [
        "left out TIMER0.LEVEL_ALT: 0x18 belongs to another register already",
        "COUNT: a read has an effect: it needs `on_read` or `read_with`",
        "CLEAR: written ones clear bits: it needs `write_with` or `on_write`",
        "SCRATCH: the elements are called A,B,C,D",
    ] {
        assert!(said.contains(what), "{said}");
    }
    for what in
        ["// left out TIMER0.LEVEL_ALT", "// a read has an effect", "// the elements are called"]
    {
        assert!(program.contains(what), "{program}");
    }
    let (_, said) = imported(&[], &folder().join("dma.json"));
    assert!(said.contains("left out dma.buffer"), "{said}");
}

/// As files of some vendors have it, which their own tools accept.
#[test]
fn accesses_may_lack_their_only() {
    let register = |name: &str, offset: u32, access: &str| {
        format!(
            "<register><name>{name}</name><addressOffset>{offset}</addressOffset>\
             <size>32</size><access>{access}</access></register>"
        )
    };
    let registers = [register("STATUS", 0, "read"), register("COMMAND", 4, "write")].concat();
    let file = format!(
        "<device><name>d</name><peripherals><peripheral><name>P</name><registers>{registers}\
         </registers></peripheral></peripherals></device>"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.svd");
    std::fs::write(&path, file).unwrap();
    let (module, said) = imported(&["--module"], &path);
    assert!(module.contains("#[reg(0x00, ro)]") && module.contains("#[reg(0x04, wo"), "{module}");
    assert!(said.is_empty(), "{said}");
}

#[test]
fn clusters_that_cannot_be_blocks_are_taken_apart() {
    let register = "<register><name>r</name><addressOffset>4</addressOffset></register>";
    let around = |inner: String, number: u32| {
        format!("<cluster><name>c{number}</name><addressOffset>0</addressOffset>{inner}</cluster>")
    };
    let inner = (1..5).rev().fold(register.to_owned(), around);
    let file = format!(
        "<device><name>d</name><peripherals><peripheral><name>P</name><registers><cluster>\
         <dim>2</dim><dimIncrement>16</dimIncrement><name>c[%s]</name>\
         <addressOffset>0x20</addressOffset>{inner}</cluster></registers></peripheral>\
         </peripherals></device>"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.svd");
    std::fs::write(&path, file).unwrap();
    let (module, said) = imported(&["--module"], &path);
    assert!(
        module.contains("#[reg(0x24, stride = 0x10)]\n    c_c1_c2_c3_c4_r: [u32; 2],"),
        "{module}"
    );
    assert!(
        said.contains(
            "P.c cannot be a block, because it shares its bytes, or contains more than 3"
        )
    );
}

#[test]
fn a_peripheral_can_be_chosen() {
    let timers = folder().join("timer.svd");
    let (module, _) = imported(&["--module", "--peripheral=TIMER1", "--device=0xbeef"], &timers);
    assert!(module.contains("#[pci(vendor = 0x1234, device = 0xbeef"));
    assert!(module.contains("struct Timer1 {") && !module.contains("timer1_"));
    assert!(!module.contains("fn main") && !module.contains("device_tests!"));
}

/// Every register that svd-parser finds is where it says, with its width.
#[test]
fn registers_are_where_another_reader_finds_them() {
    let text = std::fs::read_to_string(folder().join("timer.svd")).unwrap();
    let config = svd_parser::Config::default().expand(true).expand_properties(true);
    let theirs = svd_parser::parse_with_config(&text, &config).unwrap();
    let ours = timer::Board::DESCRIPTOR;
    let mut expected: Vec<(u8, u64, u8)> = Vec::new();
    for (bar, peripheral) in (0..).zip(&theirs.peripherals) {
        for register in peripheral.all_registers() {
            let width = u8::try_from(register.properties.size.unwrap() / 8).unwrap();
            expected.push((bar, register.address_offset.into(), width));
        }
    }
    expected.sort_unstable();
    // What lies where another register lies is left out.
    expected.dedup();
    let mut found = Vec::new();
    for register in ours.registers() {
        found.extend(places(register, register.bar(), 0));
    }
    for block in ours.blocks() {
        for start in (0..block.count() as usize).map(|element| block.offset_of(element)) {
            let registers = block.registers().iter();
            found.extend(registers.flat_map(|one| places(one, block.bar(), start)));
        }
    }
    found.sort_unstable();
    assert_eq!(found, expected);
}

fn starts(extent: &Extent<'_>) -> impl Iterator<Item = u64> + use<> {
    let (offset, stride) = (extent.offset, extent.stride);
    (0..extent.count).map(move |index| offset + index * stride)
}

/// Returns the BAR, the offset and the width of each element.
fn places(register: &Register, bar: u8, block: u64) -> Vec<(u8, u64, u8)> {
    starts(&register.extent()).map(|start| (bar, block + start, register.width())).collect()
}

#[test]
fn policies_survive() {
    let json = describe::json(&uart::Uart::DESCRIPTOR);
    assert!(json.contains("\"policy\": \"w1c\"") && json.contains("\"reset\": \"0x60\""));
}
