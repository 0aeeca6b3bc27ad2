//! What each capability may say.

use CapabilityName::{Custom, Dvsec, Express, Extended, Msi, Pm, Serial, Vendor, Vpd, Vsec};

use crate::layout::CapabilityName;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Port {
    #[default]
    Endpoint,
    Integrated,
    Legacy,
}

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

/// How a capability is written.
pub(crate) trait Syntax {
    /// What its id is called in messages.
    fn id_name(self) -> &'static str;

    /// The same, of its version or revision.
    fn version_name(self) -> &'static str;

    /// How its value is written, if it has one.
    fn value(self) -> Option<&'static str>;

    /// What may be given besides, flags last.
    fn keys(self) -> &'static [&'static str];

    /// The keys that it cannot do without.
    fn required(self) -> &'static [&'static str];
}

impl Syntax for CapabilityName {
    fn id_name(self) -> &'static str {
        match self {
            Vsec => "VSEC id",
            Dvsec => "DVSEC id",
            _ => "capability id",
        }
    }

    fn version_name(self) -> &'static str {
        match self {
            Vsec => "VSEC revision",
            Dvsec => "DVSEC revision",
            _ => "capability version",
        }
    }

    fn value(self) -> Option<&'static str> {
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

    fn keys(self) -> &'static [&'static str] {
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

    fn required(self) -> &'static [&'static str] {
        match self {
            Custom | Vsec | Extended => &["id"],
            Dvsec => &["vendor", "id"],
            _ => &[],
        }
    }
}
