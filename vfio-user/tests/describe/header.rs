//! The C header, compiled.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use vfio_user::{Device, PciDevice, Register, RegisterBlock, Virtual, describe};

use crate::everything;

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

/// Whose names collide once they are in upper case, end like those of others, or are words of C.
///
/// */ #error "a comment ends" /* ??/
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x0001, name = "int")]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem64, size = 0x4_0000_0000)]
#[allow(non_snake_case, reason = "names that differ in case alone")]
struct Int {
    #[reg(0x00, reset = 1)]
    max: Int1,
    #[reg(0x04, reset = 2)]
    max_reset: u32,
    #[reg(0x08)]
    Max: u32,
    #[reg(0x0c)]
    r#struct: u32,
    #[reg(0x10)]
    bar0_size: u32,
    #[reg(0x14)]
    list: [u16; 3],
    #[reg(0x1c)]
    list_count: u16,
    #[reg(0x20)]
    vendor_id: u32,
    #[reg(0x24)]
    get: u32,
    /// Ends here: \
    #[reg(0x28)]
    registers_h: u32,
    #[block(0x40)]
    blocks: [Inner; 2],
    #[reg(0x60)]
    blocks_inner: u32,
    #[reg(0x3_ffff_fff8, bar = 2)]
    far: Virtual<u64>,
    #[reg(0x00, bar = 2, stride = 0x8000_0000)]
    spread: [u32; 7],
}

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Int1 {
    #[field(bits = 0..=3)]
    mask: u8,
    #[field(bits = 4..=7)]
    mask_mask: u8,
    #[field(bits = 8..=11)]
    mask_shift: u8,
    #[field(bits = 16..=17)]
    default: Goto,
}

#[derive(Clone, Copy, Default, Register)]
enum Goto {
    #[default]
    Mask,
    Shift,
    While,
    #[allow(clippy::upper_case_acronyms, reason = "names that differ in case alone")]
    WHILE,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Inner {
    #[reg(0x00)]
    inner: u64,
}

impl Device for Int {
    type Event = ();
}

#[test]
fn the_header_compiles_in_c_and_in_cpp() {
    let program = r#"
        #include "everything.h"
        #include "everything.h"
        #define CHECK(name, what) typedef char check_##name[(what) ? 1 : -1]
        CHECK(vendor, EVERYTHING_VENDOR_ID == 0x1234);
        CHECK(control, EVERYTHING_CONTROL == 0 && EVERYTHING_CONTROL_RESET == 0x12000010);
        CHECK(get, EVERYTHING_GET(EVERYTHING_CONTROL_VERSION, EVERYTHING_CONTROL_RESET) == 0x12);
        CHECK(prep, EVERYTHING_PREP(EVERYTHING_CONTROL_MODE, EVERYTHING_CONTROL_MODE_FAST) == 0x50);
        CHECK(ring, EVERYTHING_RING(3) == 0x58 && EVERYTHING_RING_COUNT == 4);
        CHECK(queues, EVERYTHING_QUEUES_DOORBELLS(7, 1) == 0x800ee);
        CHECK(vector, EVERYTHING_QUEUES_STATUS_VECTOR(7) == 8 && EVERYTHING_STATUS_VECTOR == 2);
        CHECK(size, EVERYTHING_BAR2_SIZE == 0x100000000);
        int main(void) { return 0; }
    "#;
    compile("everything", &describe::c_header(&everything()), program);
}

#[test]
fn every_name_is_defined_once() {
    let program = r#"
        #include <limits.h>
        #include <stdint.h>
        #include "int.h"
        #define CHECK(name, what) typedef char check_##name[(what) ? 1 : -1]
        CHECK(limit, INT_MAX > 0x100);
        CHECK(reset, DEV_INT_MAX_RESET == 1 && DEV_INT_MAX_RESET_2 == 4 && DEV_INT_MAX_2 == 8);
        CHECK(mask, DEV_INT_MAX_MASK_MASK == 0xf && DEV_INT_MAX_MASK_MASK_MASK == 0xf0);
        CHECK(words, DEV_INT_MAX_DEFAULT_MASK_2 == 0 && DEV_INT_MAX_DEFAULT_WHILE_2 == 3);
        CHECK(inner, DEV_INT_BLOCKS_INNER == 0x60 && DEV_INT_BLOCKS_INNER_2(1) == 0x48);
        CHECK(far, DEV_INT_FAR == 0x3fffffff8 && DEV_INT_SPREAD(6) == 0x300000000);
        int main(void) { return 0; }
    "#;
    let header = describe::c_header(&Int::DESCRIPTOR);
    compile("int", &header, program);
    let mut names: Vec<_> =
        header.lines().filter_map(|line| line.strip_prefix("#define ")).collect();
    for line in &mut names {
        *line = line.split([' ', '(']).next().unwrap_or_default();
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() == count && names.iter().all(|name| name.starts_with("DEV_INT_")));
}

/// A header without a register is a header.
#[test]
fn an_empty_header_compiles() {
    let header = describe::c_header(&crate::Nothing::DESCRIPTOR);
    compile("nothing", &header, "#include \"nothing.h\"\nint main(void) { return 0; }\n");
}

#[track_caller]
fn compile(name: &str, header: &str, program: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("{name}.h")), header).unwrap();
    let source = folder.path().join("main.c");
    fs::write(&source, program).unwrap();
    run("cc", &["-std=c99"], &source);
    run("c++", &["-std=c++11", "-x", "c++"], &source);
}

#[track_caller]
fn run(compiler: &str, language: &[&str], source: &Path) {
    let mut command = Command::new(compiler);
    command.args(WARNINGS).args(language).arg("-fsyntax-only").arg(source);
    match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("SKIPPED: there is no `{compiler}`");
        }
        output => {
            let output = output.unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{compiler}: {errors}");
        }
    }
}
