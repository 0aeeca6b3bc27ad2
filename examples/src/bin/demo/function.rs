//! The PCI function, in the words of lspci.

use indicatif::HumanBytes;
use vfio_user::client::{BarDetails, ConfigCapability, PciView};
use vfio_user::declaration::BarKind;
use vfio_user::pci::spec::capability_id;

use crate::Result;
use crate::screen::line;

/// Prints ids, BARs and capabilities.
pub(crate) fn print(view: &PciView) -> Result<()> {
    let header = view.header();
    line(format_args!(
        "{:04x}:{:04x}, class {:06x}, revision {}",
        header.vendor, header.device, header.class, header.revision
    ));
    for number in 0..6 {
        if let Ok(BarDetails { kind, size, address, .. }) = view.bar_details(number) {
            let kind = match kind {
                BarKind::Io => "I/O ports",
                BarKind::Mem32 => "32-bit memory",
                BarKind::Mem64 => "64-bit memory",
            };
            line(format_args!("BAR {number}: {kind} at {address:#x}, {}", HumanBytes(size)));
        }
    }
    let capabilities = view.capabilities().iter();
    let capabilities: Result<Vec<_>> = capabilities.map(|one| capability(view, *one)).collect();
    line(format_args!("capabilities: {}", capabilities?.join(", ")));
    Ok(())
}

fn capability(view: &PciView, capability: ConfigCapability) -> Result<String> {
    let control: u16 = view.config().read(u64::from(capability.offset) + 2)?;
    Ok(match capability.id {
        capability_id::PM => "power management".to_owned(),
        capability_id::MSIX => format!("MSI-X with {} vectors", (control & 0x7ff) + 1),
        capability_id::EXPRESS => format!("PCI Express {}", control & 0xf),
        id => format!("id {id:#04x}"),
    })
}
