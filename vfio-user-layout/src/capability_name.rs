//! The capabilities by name.

/// Capability ids (PCI Code and ID Assignment Specification).
pub mod capability_id {
    /// Power management.
    pub const PM: u8 = 0x01;
    /// Vital product data.
    pub const VPD: u8 = 0x03;
    /// Message signaled interrupts.
    pub const MSI: u8 = 0x05;
    /// Vendor specific.
    pub const VENDOR: u8 = 0x09;
    /// Subsystem ids.
    pub const SUBSYSTEM: u8 = 0x0d;
    /// PCI Express.
    pub const EXPRESS: u8 = 0x10;
    /// Message signaled interrupts by table.
    pub const MSIX: u8 = 0x11;
}

/// Extended capability ids.
pub mod extended_id {
    /// Advanced error reporting.
    pub const AER: u16 = 0x0001;
    /// Device serial number.
    pub const SERIAL: u16 = 0x0003;
    /// Vendor specific.
    pub const VSEC: u16 = 0x000b;
    /// Latency tolerance reporting.
    pub const LTR: u16 = 0x0018;
    /// Designated vendor specific.
    pub const DVSEC: u16 = 0x0023;
}

/// A capability, by its name in `#[capability(..)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapabilityName {
    /// Power management.
    Pm,
    /// Vital product data.
    Vpd,
    /// Message signaled interrupts.
    Msi,
    /// Message signaled interrupts by table.
    Msix,
    /// PCI Express.
    Express,
    /// Vendor specific data.
    Vendor,
    /// The subsystem's ids.
    Subsystem,
    /// A capability without a name.
    Custom,
    /// The device serial number.
    Serial,
    /// Vendor specific data, extended.
    Vsec,
    /// Vendor specific data of another vendor.
    Dvsec,
    /// Advanced error reporting.
    Aer,
    /// Latency tolerance reporting.
    Ltr,
    /// An extended capability without a name.
    Extended,
}

/// The id of a capability, in one of the two spaces.
#[derive(Clone, Copy)]
enum Id {
    Conventional(u8),
    Extended(u16),
    /// The author gives it.
    Given {
        is_extended: bool,
    },
}

impl CapabilityName {
    /// Every capability, in the order of declaration.
    pub const ALL: [CapabilityName; 14] = [
        CapabilityName::Pm,
        CapabilityName::Vpd,
        CapabilityName::Msi,
        CapabilityName::Msix,
        CapabilityName::Express,
        CapabilityName::Vendor,
        CapabilityName::Subsystem,
        CapabilityName::Custom,
        CapabilityName::Serial,
        CapabilityName::Vsec,
        CapabilityName::Dvsec,
        CapabilityName::Aer,
        CapabilityName::Ltr,
        CapabilityName::Extended,
    ];

    /// The name, the id, and whether the author gives the contents.
    const fn row(self) -> (&'static str, Id, bool) {
        match self {
            CapabilityName::Pm => ("pm", Id::Conventional(capability_id::PM), false),
            CapabilityName::Vpd => ("vpd", Id::Conventional(capability_id::VPD), false),
            CapabilityName::Msi => ("msi", Id::Conventional(capability_id::MSI), false),
            CapabilityName::Msix => ("msix", Id::Conventional(capability_id::MSIX), false),
            CapabilityName::Express => ("express", Id::Conventional(capability_id::EXPRESS), false),
            CapabilityName::Vendor => ("vendor", Id::Conventional(capability_id::VENDOR), true),
            CapabilityName::Subsystem => {
                ("subsystem", Id::Conventional(capability_id::SUBSYSTEM), false)
            }
            CapabilityName::Custom => ("custom", Id::Given { is_extended: false }, true),
            CapabilityName::Serial => ("serial", Id::Extended(extended_id::SERIAL), false),
            CapabilityName::Vsec => ("vsec", Id::Extended(extended_id::VSEC), true),
            CapabilityName::Dvsec => ("dvsec", Id::Extended(extended_id::DVSEC), true),
            CapabilityName::Aer => ("aer", Id::Extended(extended_id::AER), false),
            CapabilityName::Ltr => ("ltr", Id::Extended(extended_id::LTR), false),
            CapabilityName::Extended => ("extended", Id::Given { is_extended: true }, true),
        }
    }

    /// Returns the name as it is written.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns the capability with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        CapabilityName::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Returns the id in the capability's header; `None` if the author gives it.
    pub const fn id(self) -> Option<u16> {
        match self.row().1 {
            Id::Conventional(id) => Some(id as u16),
            Id::Extended(id) => Some(id),
            Id::Given { .. } => None,
        }
    }

    /// Returns the capability that has an id.
    pub const fn with_id(id: u16, is_extended: bool) -> Option<Self> {
        let mut index = 0;
        while index < CapabilityName::ALL.len() {
            let known = CapabilityName::ALL[index];
            if let Some(own) = known.id()
                && own == id
                && known.is_extended() == is_extended
            {
                return Some(known);
            }
            index += 1;
        }
        None
    }

    /// Returns whether it lies behind the first 256 bytes, which only PCI Express functions have.
    pub const fn is_extended(self) -> bool {
        matches!(self.row().1, Id::Extended(_) | Id::Given { is_extended: true })
    }

    /// Returns whether the author gives the contents, so that a function may have several.
    pub const fn has_bytes(self) -> bool {
        self.row().2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_lead_back_to_their_capability() {
        for (index, name) in CapabilityName::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, index);
            assert_eq!(CapabilityName::from_name(name.name()), Some(name));
            let by_id = name.id().and_then(|id| CapabilityName::with_id(id, name.is_extended()));
            assert_eq!(by_id, name.id().map(|_| name));
        }
        assert_eq!(CapabilityName::with_id(extended_id::DVSEC, false), None);
    }
}
