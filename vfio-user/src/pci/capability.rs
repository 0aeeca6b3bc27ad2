//! The capability list (PCI Local Bus Specification 3.0, 6.7).

use super::config_layout::ConfigLayout;
use super::spec::{capability_id, capability_size, cfg, msi, msix, status};
use crate::device::{Capability, Descriptor};
use crate::layout::MsixLayout;

/// Lays out the capabilities: those asked for by name in their order, then MSI, then MSI-X.
pub(super) fn lay_out(layout: &mut ConfigLayout, descriptor: &Descriptor) {
    let mut list = List { layout, link: cfg::CAPABILITIES_POINTER, next: cfg::FIRST_CAPABILITY };
    for capability in descriptor.declared_capabilities() {
        match capability {
            Capability::Pm => power_management(&mut list),
            Capability::Express => express(&mut list),
        }
    }
    if descriptor.msi_vectors() > 0 {
        msi(&mut list, descriptor.msi_vectors());
    }
    if let Some(msix) = descriptor.msix_layout() {
        self::msix(&mut list, &msix);
    }
}

/// The list while it grows.
struct List<'a> {
    layout: &'a mut ConfigLayout,
    /// Where the offset of the next capability is stored.
    link: usize,
    /// Where the next capability goes.
    next: usize,
}

impl List<'_> {
    /// Appends a capability of `size` bytes; its offset.
    fn append(&mut self, id: u8, size: usize) -> usize {
        let offset = self.next;
        // The capabilities that can be asked for fit in 192 bytes, each of them at most once.
        let pointer = u8::try_from(offset).unwrap_or(0);
        let present = self.layout.get_u16(cfg::STATUS) | status::CAPABILITIES_LIST;
        self.layout.set(cfg::STATUS, present.to_le_bytes());
        self.layout.set(self.link, [pointer]);
        self.layout.set(offset, [id, 0]);
        self.link = offset + 1;
        self.next = (offset + size).next_multiple_of(4);
        offset
    }
}

/// PCI Power Management Interface Specification 1.2, 3.2.
fn power_management(list: &mut List<'_>) {
    /// Version 3; D1 and D2 exist, since every state can be written.
    const VERSION_3: u16 = 1 << 10 | 1 << 9 | 3;
    const NO_SOFT_RESET: u16 = 1 << 3;
    const POWER_STATE: u16 = 0b11;
    let offset = list.append(capability_id::PM, capability_size::PM);
    list.layout.set(offset + 2, VERSION_3.to_le_bytes());
    list.layout.set(offset + 4, NO_SOFT_RESET.to_le_bytes());
    list.layout.let_write(offset + 4, POWER_STATE.to_le_bytes());
}

/// PCI Local Bus Specification 3.0, 6.8.1: 64-bit addresses, no masks for single vectors.
fn msi(list: &mut List<'_>, vectors: u16) {
    let offset = list.append(capability_id::MSI, capability_size::MSI);
    let capable = u16::try_from(vectors.ilog2()).unwrap_or(0) << 1;
    list.layout.set(offset + 2, (capable | msi::ADDRESS_64).to_le_bytes());
    list.layout.let_write(offset + 2, (msi::ENABLE | msi::MULTIPLE_MESSAGE_ENABLE).to_le_bytes());
    list.layout.let_write(offset + 4, (!0b11u64).to_le_bytes());
    list.layout.let_write(offset + 12, u16::MAX.to_le_bytes());
}

/// PCI Local Bus Specification 3.0, 6.8.2.
fn msix(list: &mut List<'_>, layout: &MsixLayout) {
    let offset = list.append(capability_id::MSIX, capability_size::MSIX);
    let structure =
        |at: u64| (u32::try_from(at).unwrap_or(0) | u32::from(layout.bar)).to_le_bytes();
    list.layout.set(offset + 2, (layout.vectors - 1).to_le_bytes());
    list.layout.let_write(offset + 2, (msix::ENABLE | msix::FUNCTION_MASK).to_le_bytes());
    list.layout.set(offset + 4, structure(layout.table));
    list.layout.set(offset + 8, structure(layout.pba));
}

/// PCI Express Base Specification 3.0, 7.8: an endpoint behind a link of one lane at 2.5 GT/s.
fn express(list: &mut List<'_>) {
    const VERSION_2_ENDPOINT: u16 = 2;
    const ROLE_BASED_ERRORS: u32 = 1 << 15;
    /// Everything but "initiate function level reset", which reads zero.
    const DEVICE_CONTROL: u16 = 0x7fff;
    /// Relaxed ordering, no snoop, read requests of 512 bytes.
    const DEVICE_CONTROL_DEFAULT: u16 = 1 << 4 | 1 << 11 | 0b010 << 12;
    /// Correctable, non-fatal and fatal errors, and unsupported requests, detected.
    const DEVICE_STATUS_ERRORS: u16 = 0b1111;
    const LINK_GEN1_X1: u16 = 1 << 4 | 1;
    /// ASPM, read completion boundary, common clock, extended synch, clock power management.
    const LINK_CONTROL: u16 = 0b1_1100_1011;
    let offset = list.append(capability_id::EXPRESS, capability_size::EXPRESS);
    list.layout.set(offset + 0x02, VERSION_2_ENDPOINT.to_le_bytes());
    list.layout.set(offset + 0x04, ROLE_BASED_ERRORS.to_le_bytes());
    list.layout.set(offset + 0x08, DEVICE_CONTROL_DEFAULT.to_le_bytes());
    list.layout.let_write(offset + 0x08, DEVICE_CONTROL.to_le_bytes());
    list.layout.let_clear(offset + 0x0a, DEVICE_STATUS_ERRORS.to_le_bytes());
    list.layout.set(offset + 0x0c, u32::from(LINK_GEN1_X1).to_le_bytes());
    list.layout.let_write(offset + 0x10, LINK_CONTROL.to_le_bytes());
    list.layout.set(offset + 0x12, LINK_GEN1_X1.to_le_bytes());
    // Link capabilities 2: 2.5 GT/s; link control 2: that speed is the target.
    list.layout.set(offset + 0x2c, (1u32 << 1).to_le_bytes());
    list.layout.set(offset + 0x30, 1u16.to_le_bytes());
}
