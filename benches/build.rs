//! Generates devices with many registers, derived and hand-written, since their source is too long
//! to keep.

use std::fmt::{self, Write};
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var_os("OUT_DIR").expect("cargo sets it");
    for count in [16, 1024] {
        let path = Path::new(&folder).join(format!("registers_{count}.rs"));
        fs::write(path, source(count).expect("a string takes everything")).expect("it is writable");
    }
}

/// A derived device and a hand-written function with `count` read-write registers of 4 bytes.
fn source(count: usize) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let size = (count * 4).next_power_of_two().max(16);
    writeln!(text, "/// {count} registers, derived.")?;
    writeln!(text, "#[derive(Default, PciDevice)]")?;
    writeln!(text, "#[pci(vendor = 0x1234, device = 0x0001)]")?;
    writeln!(text, "#[bar(0: mem32, size = {size})]")?;
    writeln!(text, "pub struct Derived {{")?;
    for n in 0..count {
        writeln!(text, "    #[reg({})]\n    r{n}: u32,", n * 4)?;
    }
    writeln!(text, "}}")?;
    writeln!(text, "/// {count} registers, by hand.")?;
    writeln!(text, "#[derive(Default)]")?;
    writeln!(text, "pub struct Registers {{")?;
    for n in 0..count {
        writeln!(text, "    r{n}: u32,")?;
    }
    writeln!(text, "}}")?;
    writeln!(text, "impl super::ByHand for Registers {{")?;
    writeln!(text, "    const SIZE: u64 = {size};")?;
    writeln!(text, "    fn load(&self, offset: u64) -> u32 {{\n        match offset {{")?;
    for n in 0..count {
        writeln!(text, "            {} => self.r{n},", n * 4)?;
    }
    writeln!(text, "            _ => 0,\n        }}\n    }}")?;
    writeln!(text, "    fn store(&mut self, offset: u64, value: u32) {{\n        match offset {{")?;
    for n in 0..count {
        writeln!(text, "            {} => self.r{n} = value,", n * 4)?;
    }
    writeln!(text, "            _ => {{}}\n        }}\n    }}\n}}")?;
    Ok(text)
}
