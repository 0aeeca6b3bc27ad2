//! The header of configuration space.

use crate::error::PciError;
use crate::model::spec::cfg;

/// The identity of a function: the constant part of its header (PCI Local Bus Specification 3.0,
/// 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PciHeader {
    /// The vendor id.
    pub vendor: u16,
    /// The device id.
    pub device: u16,
    /// The class code of 24 bits: base class, sub-class, programming interface.
    pub class: u32,
    /// The revision id.
    pub revision: u8,
    /// The vendor id of the subsystem.
    pub subsystem_vendor: u16,
    /// The subsystem id.
    pub subsystem: u16,
    /// The interrupt pin: 0 none, 1 INTA.
    pub interrupt_pin: u8,
}

impl PciHeader {
    /// Decodes the header, which must be that of an endpoint. `config` has at least 64 bytes.
    pub(super) fn decode(config: &[u8]) -> Result<Self, PciError> {
        let vendor = word(config, cfg::VENDOR_ID);
        if vendor == u16::MAX {
            return Err(PciError::NoFunction);
        }
        let header_type = config[HEADER_TYPE] & !MULTI_FUNCTION;
        if header_type != 0 {
            return Err(PciError::HeaderType(header_type));
        }
        Ok(PciHeader {
            vendor,
            device: word(config, cfg::DEVICE_ID),
            class: dword(config, cfg::REVISION_ID) >> 8,
            revision: config[cfg::REVISION_ID],
            subsystem_vendor: word(config, cfg::SUBSYSTEM_VENDOR_ID),
            subsystem: word(config, cfg::SUBSYSTEM_ID),
            interrupt_pin: config[cfg::INTERRUPT_PIN],
        })
    }
}

/// The offset of the header type, whose bit 7 says that the device has several functions.
const HEADER_TYPE: usize = 0x0e;
const MULTI_FUNCTION: u8 = 1 << 7;

/// Returns two bytes of configuration space, which must be inside.
pub(super) fn word(config: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([config[at], config[at + 1]])
}

/// Returns four bytes of configuration space, which must be inside.
pub(super) fn dword(config: &[u8], at: usize) -> u32 {
    u32::from(word(config, at)) | u32::from(word(config, at + 2)) << 16
}
