//! The lists of capabilities.

use std::collections::BTreeSet;

use super::header::{dword, word};
use crate::error::PciError;
use crate::model::spec::{cfg, status};

/// A capability of a function (PCI Local Bus Specification 3.0, 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigCapability {
    /// Its id; see [`capability_id`](crate::pci::spec::capability_id).
    pub id: u8,
    /// Its offset in configuration space.
    pub offset: u16,
}

/// An extended capability of a function (PCI Express Base Specification 5.0, 7.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtendedCapability {
    /// Its id; see [`extended_id`](crate::pci::spec::extended_id).
    pub id: u16,
    /// Its version.
    pub version: u8,
    /// Its offset in configuration space.
    pub offset: u16,
}

/// Returns the capabilities, in the order of the list. `config` has at least 256 bytes.
pub(super) fn capabilities(config: &[u8]) -> Result<Vec<ConfigCapability>, PciError> {
    let mut list = Vec::new();
    if word(config, cfg::STATUS) & status::CAPABILITIES_LIST == 0 {
        return Ok(list);
    }
    let mut steps = Steps::new(cfg::FIRST_CAPABILITY, cfg::CONVENTIONAL_SIZE);
    let mut next = u16::from(config[cfg::CAPABILITIES_POINTER]);
    while let Some(at) = steps.next(next)? {
        list.push(ConfigCapability { id: config[at], offset: next & !0b11 });
        next = config[at + 1].into();
    }
    Ok(list)
}

/// Returns the extended capabilities, in the order of the list; none if configuration space has
/// only 256 bytes.
pub(super) fn extended(config: &[u8]) -> Result<Vec<ExtendedCapability>, PciError> {
    let mut list = Vec::new();
    let first = config.get(cfg::CONVENTIONAL_SIZE..).filter(|rest| rest.len() >= 4);
    // All zeros or all ones: there is none.
    if first.is_none_or(|rest| matches!(dword(rest, 0), 0 | u32::MAX)) {
        return Ok(list);
    }
    let mut steps = Steps::new(cfg::CONVENTIONAL_SIZE, config.len());
    let mut next = 0x100;
    while let Some(at) = steps.next(next)? {
        let (id, link) = (word(config, at), word(config, at + 2));
        let version = (link & 0xf).to_le_bytes()[0];
        list.push(ExtendedCapability { id, version, offset: next & !0b11 });
        next = link >> 4;
    }
    Ok(list)
}

/// The walk through a list: each step leads to a new place inside the bounds.
struct Steps {
    start: usize,
    end: usize,
    seen: BTreeSet<usize>,
}

impl Steps {
    fn new(start: usize, end: usize) -> Self {
        Steps { start, end, seen: BTreeSet::new() }
    }

    /// Returns the place that a pointer leads to; `None` at the end of the list. The lower two bits
    /// of pointers are reserved.
    fn next(&mut self, pointer: u16) -> Result<Option<usize>, PciError> {
        let offset = pointer & !0b11;
        let at = usize::from(offset);
        if offset == 0 {
            return Ok(None);
        }
        if at < self.start || at + 4 > self.end {
            return Err(PciError::CapabilityOffset(offset));
        }
        if !self.seen.insert(at) {
            return Err(PciError::CapabilityLoop(offset));
        }
        Ok(Some(at))
    }
}
