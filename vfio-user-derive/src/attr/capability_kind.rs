//! Which capabilities there are, and what each may say.

use CapabilityKind::{
    Aer, Custom, Dvsec, Express, Extended, Ltr, Msi, Msix, Pm, Serial, Subsystem, Vendor, Vpd, Vsec,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CapabilityKind {
    Pm,
    Vpd,
    Msi,
    Msix,
    Express,
    Vendor,
    Subsystem,
    Custom,
    Serial,
    Vsec,
    Dvsec,
    Aer,
    Ltr,
    Extended,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Port {
    #[default]
    Endpoint,
    Integrated,
    Legacy,
}

/// As they are written.
pub(super) const NAMES: [(&str, CapabilityKind); 14] = [
    ("pm", Pm),
    ("vpd", Vpd),
    ("msi", Msi),
    ("msix", Msix),
    ("express", Express),
    ("vendor", Vendor),
    ("subsystem", Subsystem),
    ("custom", Custom),
    ("serial", Serial),
    ("vsec", Vsec),
    ("dvsec", Dvsec),
    ("aer", Aer),
    ("ltr", Ltr),
    ("extended", Extended),
];

/// As they are written.
pub(super) const PORTS: [(&str, Port); 3] =
    [("endpoint", Port::Endpoint), ("integrated", Port::Integrated), ("legacy", Port::Legacy)];

/// Options without a value.
pub(super) const FLAGS: [&str; 11] = [
    "d1",
    "d2",
    "no_soft_reset",
    "maskable",
    "address_32",
    "endpoint",
    "integrated",
    "legacy",
    "flr",
    "extended_tags",
    "whole",
];

/// The power states from which a function may wake the system.
pub(super) const STATES: [&str; 5] = ["d0", "d1", "d2", "d3hot", "d3cold"];

impl CapabilityKind {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether the author says what it holds, so that a function may have several.
    pub(crate) fn has_bytes(self) -> bool {
        matches!(self, Vendor | Custom | Vsec | Dvsec | Extended)
    }

    /// Whether only PCI Express functions have it.
    pub(crate) fn is_extended(self) -> bool {
        matches!(self, Serial | Vsec | Dvsec | Aer | Ltr | Extended)
    }

    /// What its id is called in messages.
    pub(crate) fn id_name(self) -> &'static str {
        match self {
            Vsec => "VSEC id",
            Dvsec => "DVSEC id",
            _ => "capability id",
        }
    }

    /// The same, of its version or revision.
    pub(crate) fn version_name(self) -> &'static str {
        match self {
            Vsec => "VSEC revision",
            Dvsec => "DVSEC revision",
            _ => "capability version",
        }
    }

    /// How its value is written, if it has one.
    pub(super) fn value(self) -> Option<&'static str> {
        match self {
            Serial => Some("serial = .."),
            Vpd => Some("vpd(b\"..\")"),
            Vendor => Some("vendor(b\"..\")"),
            Custom => Some("custom(b\"..\", id = ..)"),
            Vsec => Some("vsec(b\"..\", id = ..)"),
            Dvsec => Some("dvsec(b\"..\", vendor = .., id = ..)"),
            Extended => Some("extended(b\"..\", id = ..)"),
            _ => None,
        }
    }

    /// What may be given besides, flags last.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Pm => &["at", "wakes_from", "d1", "d2", "no_soft_reset"],
            Vpd => &["at", "writable"],
            Msi => &["at", "maskable", "address_32"],
            Express => &[
                "at",
                "speed",
                "width",
                "payload",
                "endpoint",
                "integrated",
                "legacy",
                "flr",
                "extended_tags",
            ],
            Vendor => &["at", "writable", "first", "vector", "whole"],
            Custom => &["at", "writable", "first", "vector", "id", "whole"],
            Vsec => &["at", "writable", "first", "vector", "id", "revision", "whole"],
            Dvsec => &["at", "writable", "first", "vector", "vendor", "id", "revision", "whole"],
            Extended => &["at", "writable", "first", "vector", "id", "version", "whole"],
            _ => &["at"],
        }
    }

    /// The keys that it cannot do without.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Custom | Vsec | Extended => &["id"],
            Dvsec => &["vendor", "id"],
            _ => &[],
        }
    }
}
