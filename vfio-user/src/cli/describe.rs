//! A device, described for people.

use std::fmt::{self, Display, Formatter};

use crate::device::{Bar, Descriptor, Unmapped};
use crate::layout::{self, BarKind};
use crate::register::Register;

/// A descriptor as text.
pub(super) struct Text<'a>(pub(super) &'a Descriptor);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Text(descriptor) = self;
        identity(descriptor, f)?;
        interrupts(descriptor, f)?;
        for (index, bar) in (0..).zip(descriptor.bars()) {
            if let Some(bar) = bar {
                writeln!(f, "\nBAR {index}: {}", summary(bar))?;
                registers(descriptor, index, f)?;
            }
        }
        if descriptor.declared_registers().iter().any(|one| one.bar_index() == layout::CONFIG) {
            writeln!(f, "\nconfiguration space: {}", Size(descriptor.config_size() as u64))?;
            registers(descriptor, layout::CONFIG, f)?;
        }
        match descriptor.rom() {
            Some(_) => writeln!(f, "\nROM: {}", Size(descriptor.rom_size())),
            None => Ok(()),
        }
    }
}

fn identity(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let ids = descriptor.ids();
    let kind = if descriptor.is_express() { "PCI Express" } else { "conventional PCI" };
    writeln!(f, "{}: {:04x}:{:04x}, {kind}", descriptor.name(), ids.vendor, ids.device)?;
    writeln!(f, "  class      {:06x}, revision {:02x}", ids.class, ids.revision)?;
    writeln!(f, "  subsystem  {:04x}:{:04x}", ids.subsystem_vendor, ids.subsystem)
}

fn interrupts(descriptor: &Descriptor, f: &mut Formatter<'_>) -> fmt::Result {
    let mut kinds = Vec::new();
    if descriptor.has_intx() {
        kinds.push("INTA".to_owned());
    }
    match descriptor.msi_vectors() {
        0 => {}
        vectors => kinds.push(format!("MSI ({vectors})")),
    }
    if let Some(msix) = descriptor.msix_layout() {
        let (vectors, bar, table, pba) = (msix.vectors, msix.bar, msix.table, msix.pba);
        kinds.push(format!("MSI-X ({vectors}; BAR {bar}, table {table:#x}, PBA {pba:#x})"));
    }
    if kinds.is_empty() {
        kinds.push("none".to_owned());
    }
    writeln!(f, "  interrupts {}", kinds.join(", "))
}

fn summary(bar: &Bar) -> String {
    let kind = match bar.kind() {
        BarKind::Mem32 => "32-bit memory",
        BarKind::Mem64 => "64-bit memory",
        BarKind::Io => "I/O ports",
    };
    let prefetchable = if bar.is_prefetchable() { ", prefetchable" } else { "" };
    let unmapped = match bar.unmapped_policy() {
        Unmapped::Zero => "",
        Unmapped::Ones => ", unmapped bytes read ones",
        Unmapped::Refuse => ", unmapped bytes are refused",
    };
    format!("{}, {kind}{prefetchable}{unmapped}", Size(bar.size()))
}

fn registers(descriptor: &Descriptor, bar: u8, f: &mut Formatter<'_>) -> fmt::Result {
    let own = descriptor.declared_registers().iter().filter(|one| one.bar_index() == bar);
    for register in in_order(own) {
        self::register(register, "", f)?;
    }
    let blocks = descriptor.declared_blocks().iter().filter(|one| one.bar_index() == bar);
    for block in blocks {
        let extent = block.extent();
        write!(f, "  {:#06x}  block {}", extent.offset, extent.name)?;
        if block.count() > 1 {
            write!(f, "[{}], every {:#x}", extent.count, extent.stride)?;
        }
        writeln!(f)?;
        for register in in_order(block.declared_registers().iter()) {
            self::register(register, "+ ", f)?;
        }
    }
    Ok(())
}

fn in_order<'r>(registers: impl Iterator<Item = &'r Register>) -> Vec<&'r Register> {
    let mut registers: Vec<_> = registers.collect();
    registers.sort_by_key(|register| register.extent().offset);
    registers
}

fn register(register: &Register, indent: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let extent = register.extent();
    let (offset, bits) = (extent.offset, register.width() * 8);
    let policy = register.access_policy().name();
    write!(f, "  {indent}{offset:#06x}  u{bits:<3} {policy:<5} {}", register.name())?;
    if register.count() > 1 {
        write!(f, "[{}], every {:#x}", extent.count, extent.stride)?;
    }
    match register.reset_value() {
        Some(value) => writeln!(f, ", reset {value:#x}")?,
        None => writeln!(f)?,
    }
    for field in register.declared_fields() {
        let (first, last) = (field.shift, field.shift + field.width - 1);
        let policy = field.policy.unwrap_or(register.access_policy()).name();
        writeln!(f, "  {indent}          {last:>2}:{first:<2} {policy:<5} {}", field.name)?;
    }
    Ok(())
}

/// A number of bytes.
struct Size(u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            size if size >= 1 << 30 && size.is_multiple_of(1 << 30) => {
                write!(f, "{} GiB", size >> 30)
            }
            size if size >= 1 << 20 && size.is_multiple_of(1 << 20) => {
                write!(f, "{} MiB", size >> 20)
            }
            size if size >= 1 << 10 && size.is_multiple_of(1 << 10) => {
                write!(f, "{} KiB", size >> 10)
            }
            size => write!(f, "{size} bytes"),
        }
    }
}
