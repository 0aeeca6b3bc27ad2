//! Capabilities of a declaration.

use super::{Express, ExpressPort, Msi, PowerManagement};
use crate::layout::CapabilityName;
use crate::model::spec::aer;
use crate::model::{Block, BlockContents, Register};

/// A capability of a function, and its place in configuration space.
///
/// ```
/// use vfio_user::declaration::{Capability, ExpressPort};
///
/// const EXPRESS: Capability = Capability::express(ExpressPort::Legacy).with_offset(0x60);
/// const SERIAL: Capability = Capability::serial(0x0011_22ff_ff33_4455);
/// assert!(SERIAL.is_extended() && !EXPRESS.is_extended());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    pub(crate) kind: CapabilityKind,
    at: Option<u64>,
    /// The bytes behind the fixed part.
    pub(crate) bytes: &'static [u8],
    /// The bits of `bytes` that software may write; bytes beyond the end of this mask are
    /// read-only.
    pub(crate) writable: &'static [u8],
    /// The space for registers of the device's own.
    pub(super) room: Option<Room>,
}

/// The space that blocks of registers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    len: u64,
    pub(super) alignment: u64,
    /// The offset of the first register.
    first: u64,
    /// Whether offsets count from the start of the capability.
    is_whole: bool,
}

/// The kind of a capability.
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
    /// Vendor specific data (PCI Local Bus Specification 3.0, 6.7).
    Vendor,
    /// The subsystem's ids again, as bridges have them.
    Subsystem,
    /// A capability without a name here.
    Custom {
        /// Its id.
        id: u8,
    },
    /// The device serial number (PCI Express Base Specification 5.0, 7.9.3), an EUI-64.
    Serial(u64),
    /// Vendor specific data, with an id that the vendor chooses (7.9.5).
    Vsec {
        /// The id that the vendor chose.
        id: u16,
        /// The revision that the vendor chose, 4 bits.
        revision: u8,
    },
    /// The same, from a vendor other than the function's (7.9.6).
    Dvsec {
        /// The vendor that defines the data.
        vendor: u16,
        /// The id that the vendor chose.
        id: u16,
        /// The revision that the vendor chose, 4 bits.
        revision: u8,
    },
    /// Advanced error reporting (7.8.4).
    Aer,
    /// Latency tolerance reporting (7.8.2).
    Ltr,
    /// An extended capability without a name here.
    Extended {
        /// Its id.
        id: u16,
        /// Its version, 4 bits.
        version: u8,
    },
}

/// Constructors.
impl Capability {
    const fn new(kind: CapabilityKind) -> Self {
        Capability { kind, at: None, bytes: &[], writable: &[], room: None }
    }

    /// Power management: D0 and D3.
    pub const fn pm() -> Self {
        Self::pm_with(PowerManagement::new())
    }

    /// Power management, with options.
    pub const fn pm_with(power: PowerManagement) -> Self {
        Self::new(CapabilityKind::Pm(power))
    }

    /// Vital product data: a memory of up to 32 KiB behind the capability, which no reset changes.
    ///
    /// [`with_writable`](Self::with_writable) lets software write parts of it.
    pub const fn vpd(bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Vpd).with_static_bytes(bytes)
    }

    /// The place of MSI. The function needs [`Descriptor::with_msi`] as well.
    ///
    /// [`Descriptor::with_msi`]: crate::declaration::Descriptor::with_msi
    pub const fn msi() -> Self {
        Self::msi_with(Msi::new())
    }

    /// The place of MSI, with options.
    pub const fn msi_with(msi: Msi) -> Self {
        Self::new(CapabilityKind::Msi(msi))
    }

    /// The place of MSI-X. The function needs [`Descriptor::with_msix`] as well.
    ///
    /// [`Descriptor::with_msix`]: crate::declaration::Descriptor::with_msix
    pub const fn msix() -> Self {
        Self::new(CapabilityKind::Msix)
    }

    /// PCI Express.
    pub const fn express(port: ExpressPort) -> Self {
        Self::express_with(Express::new(port))
    }

    /// PCI Express, with options.
    pub const fn express_with(express: Express) -> Self {
        Self::new(CapabilityKind::Express(express))
    }

    /// Vendor specific: `bytes` follow id, next pointer and length.
    pub const fn vendor(bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Vendor).with_static_bytes(bytes)
    }

    /// The subsystem's ids again.
    pub const fn subsystem() -> Self {
        Self::new(CapabilityKind::Subsystem)
    }

    /// A capability without a name here: `bytes` follow id and next pointer.
    pub const fn custom(id: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Custom { id }).with_static_bytes(bytes)
    }

    /// The device serial number.
    pub const fn serial(number: u64) -> Self {
        Self::new(CapabilityKind::Serial(number))
    }

    /// Vendor specific, extended: `bytes` follow the vendor's header.
    pub const fn vsec(id: u16, revision: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Vsec { id, revision }).with_static_bytes(bytes)
    }

    /// Designated vendor specific: `bytes` follow the vendor's two headers.
    pub const fn dvsec(vendor: u16, id: u16, revision: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Dvsec { vendor, id, revision }).with_static_bytes(bytes)
    }

    /// Advanced error reporting, for errors that [`Cx::uncorrectable_error`] and
    /// [`Cx::correctable_error`] report.
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

    /// An extended capability without a name here: `bytes` follow the header.
    pub const fn extended(id: u16, version: u8, bytes: &'static [u8]) -> Self {
        Self::new(CapabilityKind::Extended { id, version }).with_static_bytes(bytes)
    }

    /// Places the capability at a fixed offset instead of the next free one.
    #[must_use]
    pub const fn with_offset(mut self, offset: u64) -> Self {
        self.at = Some(offset);
        self
    }

    /// Lets software write the bits set in `mask` in the capability's bytes.
    #[must_use]
    pub const fn with_writable(mut self, mask: &'static [u8]) -> Self {
        self.writable = mask;
        self
    }

    const fn with_static_bytes(mut self, bytes: &'static [u8]) -> Self {
        self.bytes = bytes;
        self
    }

    /// Replaces the bytes by bytes that are known only at run time, for
    /// [`Descriptor::add_capability`].
    ///
    /// [`Descriptor::add_capability`]: crate::declaration::Descriptor::add_capability
    pub fn with_bytes(self, bytes: impl Into<Vec<u8>>) -> OwnedCapability {
        let writable = self.writable.to_vec();
        OwnedCapability { capability: self, bytes: bytes.into(), writable }
    }
}

/// Getters.
impl Capability {
    /// Returns the kind of the capability.
    pub const fn kind(&self) -> CapabilityKind {
        self.kind
    }

    /// Returns the offset that was declared, if one was.
    pub const fn offset(&self) -> Option<u64> {
        self.at
    }

    /// Returns whether the capability lies behind the first 256 bytes, which only PCI Express
    /// functions have.
    pub const fn is_extended(&self) -> bool {
        self.named().is_extended()
    }

    /// Returns the name in `#[capability(..)]`.
    pub const fn name(&self) -> &'static str {
        self.named().name()
    }

    const fn named(&self) -> CapabilityName {
        match self.kind {
            CapabilityKind::Pm(_) => CapabilityName::Pm,
            CapabilityKind::Vpd => CapabilityName::Vpd,
            CapabilityKind::Msi(_) => CapabilityName::Msi,
            CapabilityKind::Msix => CapabilityName::Msix,
            CapabilityKind::Express(_) => CapabilityName::Express,
            CapabilityKind::Vendor => CapabilityName::Vendor,
            CapabilityKind::Subsystem => CapabilityName::Subsystem,
            CapabilityKind::Custom { .. } => CapabilityName::Custom,
            CapabilityKind::Serial(_) => CapabilityName::Serial,
            CapabilityKind::Vsec { .. } => CapabilityName::Vsec,
            CapabilityKind::Dvsec { .. } => CapabilityName::Dvsec,
            CapabilityKind::Aer => CapabilityName::Aer,
            CapabilityKind::Ltr => CapabilityName::Ltr,
            CapabilityKind::Extended { .. } => CapabilityName::Extended,
        }
    }

    /// Returns the id in the capability's header.
    pub const fn id(&self) -> u16 {
        match (self.kind, self.named().id()) {
            (CapabilityKind::Custom { id }, _) => id as u16,
            (CapabilityKind::Extended { id, .. }, _) | (_, Some(id)) => id,
            (_, None) => unreachable!(),
        }
    }

    /// Returns the name of the capability that has the same id, for a capability without a name.
    pub(super) const fn namesake(&self) -> Option<&'static str> {
        match (self.named().id(), CapabilityName::with_id(self.id(), self.is_extended())) {
            (None, Some(named)) => Some(named.name()),
            _ => None,
        }
    }

    /// Returns whether both capabilities have the same id.
    pub(super) const fn is_another(&self, other: &Capability) -> bool {
        self.is_extended() == other.is_extended() && self.id() == other.id()
    }

    /// Returns whether the author gives the contents, so that a function may have several.
    pub(super) const fn has_bytes(&self) -> bool {
        self.named().has_bytes()
    }

    /// The size of the fixed part, in bytes.
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

    /// The offset of the bytes behind the fixed part.
    pub(super) const fn body(&self) -> u64 {
        match self.room {
            Some(Room { is_whole: true, .. }) => 0,
            Some(room) => self.header().next_multiple_of(room.alignment),
            None => self.header(),
        }
    }

    /// Returns the offset of the first register, and the size of the fixed part, if they overlap.
    pub(super) const fn register_in_header(&self) -> Option<(u64, u64)> {
        match self.room {
            Some(Room { first, is_whole: true, .. }) if first < self.header() => {
                Some((first, self.header()))
            }
            _ => None,
        }
    }

    /// The size in configuration space, in bytes, with `len` bytes behind the fixed part.
    pub(super) const fn size(&self, len: usize) -> u64 {
        let len = match self.room {
            Some(room) => room.len,
            None if self.has_bytes() => len as u64,
            None => 0,
        };
        self.body().saturating_add(len)
    }

    /// The alignment of the capability.
    pub(super) const fn alignment(&self) -> u64 {
        match self.room {
            Some(Room { alignment: alignment @ 5.., .. }) => alignment,
            _ => 4,
        }
    }
}

/// Returns a capability with space for `count` blocks of registers in place of its bytes.
pub const fn capability_of_blocks(
    mut capability: Capability,
    registers: &'static [Register],
    blocks: &'static [Block],
    count: u32,
) -> Capability {
    let block = Block::new("", 0, BlockContents::of_blocks(registers, blocks)).with_count(count);
    let len = match block.extent().end() {
        Some(end) => end,
        None => u64::MAX,
    };
    let first = first_register(registers, blocks);
    capability.room = Some(Room { len, alignment: block.alignment(), first, is_whole: false });
    capability
}

/// Returns the offset of the first register, in blocks too. Where a block begins does not matter:
/// its first register may lie behind the fixed part of a capability though the block does not.
const fn first_register(registers: &[Register], blocks: &[Block]) -> u64 {
    let (mut first, mut i) = (first_of(registers), 0);
    while i < blocks.len() {
        if blocks[i].own_count() > 0 {
            let offset = blocks[i].offset_of(0).saturating_add(first_of(blocks[i].registers()));
            first = if offset < first { offset } else { first };
        }
        i += 1;
    }
    first
}

const fn first_of(registers: &[Register]) -> u64 {
    let (mut first, mut i) = (u64::MAX, 0);
    while i < registers.len() {
        let offset = registers[i].extent().offset;
        first = if offset < first { offset } else { first };
        i += 1;
    }
    first
}

/// Counts the offsets of the registers in a capability from its start, as the tables of
/// specifications do, and not from the end of its fixed part.
pub const fn whole_capability(mut capability: Capability) -> Capability {
    if let Some(room) = &mut capability.room {
        room.is_whole = true;
    }
    capability
}

/// A capability whose bytes are known only at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedCapability {
    pub(crate) capability: Capability,
    pub(crate) bytes: Vec<u8>,
    pub(crate) writable: Vec<u8>,
}

impl OwnedCapability {
    /// Lets software write the bits set in `mask` in the capability's bytes.
    #[must_use]
    pub fn with_writable(mut self, mask: impl Into<Vec<u8>>) -> Self {
        self.writable = mask.into();
        self
    }
}

impl From<Capability> for OwnedCapability {
    fn from(capability: Capability) -> Self {
        capability.with_bytes(capability.bytes)
    }
}
