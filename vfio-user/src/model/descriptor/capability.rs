//! Capabilities, as a declaration names them.

use super::{Express, ExpressPort, Msi, PowerManagement};
use crate::model::spec::{aer, capability_id, extended_id};
use crate::model::{Block, Register};

/// A capability of a function, and where it lies in configuration space.
///
/// ```
/// use vfio_user::{Capability, ExpressPort};
///
/// const EXPRESS: Capability = Capability::express(ExpressPort::Legacy).at(0x60);
/// const SERIAL: Capability = Capability::serial(0x0011_22ff_ff33_4455);
/// assert!(SERIAL.is_extended() && !EXPRESS.is_extended());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub(crate) kind: CapabilityKind,
    at: Option<u64>,
    /// What follows the fixed part.
    pub(crate) bytes: &'static [u8],
    /// The bits of `bytes` that software may write; none where it is shorter.
    pub(crate) writable: &'static [u8],
    /// The room for registers of the device's own.
    pub(super) room: Option<Room>,
}

/// What blocks of registers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    len: u64,
    pub(super) alignment: u64,
}

/// Which capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapabilityKind {
    /// Power management (PCI Power Management Interface Specification 1.2).
    Pm(PowerManagement),
    /// Vital product data (PCI Local Bus Specification 3.0, appendix I).
    Vpd,
    /// Message signaled interrupts (PCI Local Bus Specification 3.0, 6.8.1).
    Msi(Msi),
    /// Message signaled interrupts by table (6.8.2).
    Msix,
    /// PCI Express (PCI Express Base Specification 5.0, 7.5.3); configuration space has 4096 bytes
    /// instead of 256.
    Express(Express),
    /// Whatever the vendor likes (PCI Local Bus Specification 3.0, 6.7).
    Vendor,
    /// The subsystem's ids once more, as bridges have them.
    Subsystem,
    /// Another one.
    Custom {
        /// Its id.
        id: u8,
    },
    /// The device serial number (PCI Express Base Specification 5.0, 7.9.3), an EUI-64.
    Serial(u64),
    /// Whatever the vendor likes, with an id of the vendor's (7.9.5).
    Vsec {
        /// The vendor's id.
        id: u16,
        /// The vendor's version, 4 bits.
        revision: u8,
    },
    /// The same, of another vendor than the function's (7.9.6).
    Dvsec {
        /// The vendor.
        vendor: u16,
        /// The vendor's id.
        id: u16,
        /// The vendor's version, 4 bits.
        revision: u8,
    },
    /// Advanced error reporting (7.8.4).
    Aer,
    /// Latency tolerance reporting (7.8.2).
    Ltr,
    /// Another extended one.
    Extended {
        /// Its id.
        id: u16,
        /// Its version, 4 bits.
        version: u8,
    },
}

/// Naming one.
impl Capability {
    const fn new(kind: CapabilityKind) -> Self {
        Capability { kind, at: None, bytes: &[], writable: &[], room: None }
    }

    /// Power management: D0 and D3.
    pub const fn pm() -> Self {
        Self::pm_with(PowerManagement::new())
    }

    /// Power management.
    pub const fn pm_with(power: PowerManagement) -> Self {
        Self::new(CapabilityKind::Pm(power))
    }

    /// Vital product data: a memory of up to 32 KiB behind the capability, which no reset changes.
    /// [`writable`](Self::writable) lets software write some of it.
    pub const fn vpd(bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Vpd).bytes(bytes)
    }

    /// Where MSI lies. The function needs [`Descriptor::msi`] as well.
    ///
    /// [`Descriptor::msi`]: crate::Descriptor::msi
    pub const fn msi() -> Self {
        Self::msi_with(Msi::new())
    }

    /// The same, with what else it has.
    pub const fn msi_with(msi: Msi) -> Self {
        Self::new(CapabilityKind::Msi(msi))
    }

    /// Where MSI-X lies. The function needs [`Descriptor::msix`] as well.
    ///
    /// [`Descriptor::msix`]: crate::Descriptor::msix
    pub const fn msix() -> Self {
        Self::new(CapabilityKind::Msix)
    }

    /// PCI Express.
    pub const fn express(port: ExpressPort) -> Self {
        Self::express_with(Express::new(port))
    }

    /// PCI Express, with what else the function can do.
    pub const fn express_with(express: Express) -> Self {
        Self::new(CapabilityKind::Express(express))
    }

    /// Vendor specific: `bytes` follow id, next pointer and length.
    pub const fn vendor(bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Vendor).bytes(bytes)
    }

    /// The subsystem's ids once more.
    pub const fn subsystem() -> Self {
        Self::new(CapabilityKind::Subsystem)
    }

    /// Any capability that has no name here: `bytes` follow id and next pointer.
    pub const fn custom(id: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Custom { id }).bytes(bytes)
    }

    /// The device serial number.
    pub const fn serial(number: u64) -> Self {
        Self::new(CapabilityKind::Serial(number))
    }

    /// Vendor specific, extended: `bytes` follow the header of the vendor's.
    pub const fn vsec(id: u16, revision: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Vsec { id, revision }).bytes(bytes)
    }

    /// Designated vendor specific: `bytes` follow the two headers of the vendor's.
    pub const fn dvsec(vendor: u16, id: u16, revision: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Dvsec { vendor, id, revision }).bytes(bytes)
    }

    /// Advanced error reporting, of what [`Cx::uncorrectable_error`] and [`Cx::correctable_error`]
    /// report.
    ///
    /// [`Cx::uncorrectable_error`]: crate::Cx::uncorrectable_error
    /// [`Cx::correctable_error`]: crate::Cx::correctable_error
    pub const fn aer() -> Self {
        Self::new(CapabilityKind::Aer)
    }

    /// Latency tolerance reporting.
    pub const fn ltr() -> Self {
        Self::new(CapabilityKind::Ltr)
    }

    /// Any extended capability that has no name here: `bytes` follow the header.
    pub const fn extended(id: u16, version: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Extended { id, version }).bytes(bytes)
    }

    /// At a fixed offset instead of the next free one.
    #[must_use]
    pub const fn at(mut self, offset: u64) -> Self {
        self.at = Some(offset);
        self
    }

    /// Lets software write the ones of `mask` in the capability's bytes.
    #[must_use]
    pub const fn writable(mut self, mask: &'static [u8]) -> Self {
        self.writable = mask;
        self
    }

    /// With room for `count` blocks of registers instead of bytes.
    #[doc(hidden)]
    #[must_use]
    pub const fn holding(mut self, registers: &'static [Register], count: u32) -> Self {
        let block = Block::new("", 0, registers).array(count);
        let len = match block.extent().end() {
            Some(end) => end,
            None => u64::MAX,
        };
        self.room = Some(Room { len, alignment: block.alignment() });
        self
    }

    const fn bytes(mut self, bytes: &'static [u8]) -> Self {
        self.bytes = bytes;
        self
    }

    /// With bytes that only run time knows, for [`Descriptor::add_capability`].
    ///
    /// [`Descriptor::add_capability`]: crate::Descriptor::add_capability
    pub fn with_bytes(self, bytes: impl Into<Vec<u8>>) -> OwnedCapability {
        let writable = self.writable.to_vec();
        OwnedCapability { capability: self, bytes: bytes.into(), writable }
    }
}

/// Reading.
impl Capability {
    /// Which one.
    pub const fn kind(&self) -> CapabilityKind {
        self.kind
    }

    /// The offset that was asked for.
    pub const fn declared_offset(&self) -> Option<u64> {
        self.at
    }

    /// Whether it lies behind the first 256 bytes, where only PCI Express functions have any.
    pub const fn is_extended(&self) -> bool {
        matches!(
            self.kind,
            CapabilityKind::Serial(_)
                | CapabilityKind::Vsec { .. }
                | CapabilityKind::Dvsec { .. }
                | CapabilityKind::Aer
                | CapabilityKind::Ltr
                | CapabilityKind::Extended { .. }
        )
    }

    /// As it is written in `#[capability(..)]`.
    pub const fn name(&self) -> &'static str {
        match self.kind {
            CapabilityKind::Pm(_) => "pm",
            CapabilityKind::Vpd => "vpd",
            CapabilityKind::Msi(_) => "msi",
            CapabilityKind::Msix => "msix",
            CapabilityKind::Express(_) => "express",
            CapabilityKind::Vendor => "vendor",
            CapabilityKind::Subsystem => "subsystem",
            CapabilityKind::Custom { .. } => "custom",
            CapabilityKind::Serial(_) => "serial",
            CapabilityKind::Vsec { .. } => "vsec",
            CapabilityKind::Dvsec { .. } => "dvsec",
            CapabilityKind::Aer => "aer",
            CapabilityKind::Ltr => "ltr",
            CapabilityKind::Extended { .. } => "extended",
        }
    }

    /// The id in its header.
    pub const fn id(&self) -> u16 {
        match self.kind {
            CapabilityKind::Pm(_) => capability_id::PM as u16,
            CapabilityKind::Vpd => capability_id::VPD as u16,
            CapabilityKind::Msi(_) => capability_id::MSI as u16,
            CapabilityKind::Msix => capability_id::MSIX as u16,
            CapabilityKind::Express(_) => capability_id::EXPRESS as u16,
            CapabilityKind::Vendor => capability_id::VENDOR as u16,
            CapabilityKind::Subsystem => capability_id::SUBSYSTEM as u16,
            CapabilityKind::Custom { id } => id as u16,
            CapabilityKind::Serial(_) => extended_id::SERIAL,
            CapabilityKind::Vsec { .. } => extended_id::VSEC,
            CapabilityKind::Dvsec { .. } => extended_id::DVSEC,
            CapabilityKind::Aer => extended_id::AER,
            CapabilityKind::Ltr => extended_id::LTR,
            CapabilityKind::Extended { id, .. } => id,
        }
    }

    /// The name of the capability that has the same id, of one that has none itself.
    pub(super) const fn namesake(&self) -> Option<&'static str> {
        match self.kind {
            CapabilityKind::Custom { id } => match id {
                capability_id::PM => Some("pm"),
                capability_id::VPD => Some("vpd"),
                capability_id::MSI => Some("msi"),
                capability_id::VENDOR => Some("vendor"),
                capability_id::SUBSYSTEM => Some("subsystem"),
                capability_id::EXPRESS => Some("express"),
                capability_id::MSIX => Some("msix"),
                _ => None,
            },
            CapabilityKind::Extended { id, .. } => match id {
                extended_id::AER => Some("aer"),
                extended_id::SERIAL => Some("serial"),
                extended_id::VSEC => Some("vsec"),
                extended_id::LTR => Some("ltr"),
                extended_id::DVSEC => Some("dvsec"),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it has the same id as another one.
    pub(super) const fn is_another(&self, other: &Capability) -> bool {
        self.is_extended() == other.is_extended() && self.id() == other.id()
    }

    /// Whether the author says what it holds, so that a function may have several.
    pub(super) const fn has_bytes(&self) -> bool {
        matches!(
            self.kind,
            CapabilityKind::Vendor
                | CapabilityKind::Custom { .. }
                | CapabilityKind::Vsec { .. }
                | CapabilityKind::Dvsec { .. }
                | CapabilityKind::Extended { .. }
        )
    }

    /// How many bytes its fixed part has.
    const fn header(&self) -> u64 {
        match self.kind {
            CapabilityKind::Pm(_)
            | CapabilityKind::Vpd
            | CapabilityKind::Subsystem
            | CapabilityKind::Ltr
            | CapabilityKind::Vsec { .. } => 8,
            CapabilityKind::Msi(msi) => msi.size() as u64,
            CapabilityKind::Msix | CapabilityKind::Serial(_) => 12,
            CapabilityKind::Express(_) => 60,
            CapabilityKind::Aer => aer::SIZE as u64,
            CapabilityKind::Vendor => 3,
            CapabilityKind::Custom { .. } => 2,
            CapabilityKind::Dvsec { .. } => 10,
            CapabilityKind::Extended { .. } => 4,
        }
    }

    /// Where what follows the fixed part starts.
    pub(super) const fn body(&self) -> u64 {
        match self.room {
            Some(room) => self.header().next_multiple_of(room.alignment),
            None => self.header(),
        }
    }

    /// How many bytes it has in configuration space, with `len` that follow the fixed part.
    pub(super) const fn size(&self, len: usize) -> u64 {
        let len = match self.room {
            Some(room) => room.len,
            None if self.has_bytes() => len as u64,
            None => 0,
        };
        self.body().saturating_add(len)
    }

    /// Where it may lie.
    pub(super) const fn alignment(&self) -> u64 {
        match self.room {
            Some(Room { alignment: alignment @ 5.., .. }) => alignment,
            _ => 4,
        }
    }
}

/// A capability whose bytes only run time knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedCapability {
    pub(crate) capability: Capability,
    pub(crate) bytes: Vec<u8>,
    pub(crate) writable: Vec<u8>,
}

impl OwnedCapability {
    /// Lets software write the ones of `mask` in the capability's bytes.
    #[must_use]
    pub fn writable(mut self, mask: impl Into<Vec<u8>>) -> Self {
        self.writable = mask.into();
        self
    }
}

impl From<Capability> for OwnedCapability {
    fn from(capability: Capability) -> Self {
        capability.with_bytes(capability.bytes)
    }
}
