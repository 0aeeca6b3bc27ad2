//! Configuration space: bytes, and what software may do to each bit of them.

use super::config_layout::ConfigLayout;
use super::{capability, header};
use crate::device::Descriptor;
use crate::pci::spec::{capability_id, cfg, command, msi, msix, status};

/// The configuration space of one function.
///
/// It is read and written in bytes, at any size and alignment: what a bit does never depends on the
/// access that reaches it. Nothing that is written is an error; bits that software may not change
/// stay as they are.
#[derive(Debug)]
pub(crate) struct ConfigSpace {
    bytes: Box<[u8]>,
    /// Bits that take what is written.
    writable: Box<[u8]>,
    /// Bits that a written one clears.
    one_clears: Box<[u8]>,
    /// What reset brings back.
    initial: Box<[u8]>,
    /// Where the control words of MSI and MSI-X are.
    msi_control: Option<usize>,
    msix_control: Option<usize>,
}

/// What the control word of MSI or MSI-X says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageControl {
    /// How many messages are enabled.
    pub(crate) enabled: u32,
    /// Whether all of them are masked.
    pub(crate) masked: bool,
}

/// The same, of bytes that are no configuration space yet.
pub(crate) fn is_interrupt_disabled(bytes: &[u8]) -> bool {
    let command = u16::from_le_bytes([bytes[cfg::COMMAND], bytes[cfg::COMMAND + 1]]);
    command & command::INTERRUPT_DISABLE != 0
}

/// Bits of the status register that say what interrupts are.
const DERIVED_STATUS: u8 = status::INTERRUPT.to_le_bytes()[0];

impl ConfigSpace {
    /// Lays out the space of a function: header, then capabilities.
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let mut layout = ConfigLayout::new(descriptor.config_size());
        header::lay_out(&mut layout, descriptor);
        capability::lay_out(&mut layout, descriptor);
        let control = |id| find(&layout.bytes, id).map(|offset| offset + 2);
        ConfigSpace {
            msi_control: control(capability_id::MSI),
            msix_control: control(capability_id::MSIX),
            initial: layout.bytes.clone().into(),
            bytes: layout.bytes.into(),
            writable: layout.writable.into(),
            one_clears: layout.one_clears.into(),
        }
    }

    /// In bytes: 256 or 4096.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Reads from `offset` on; the range is inside.
    pub(crate) fn read(&self, offset: usize, data: &mut [u8]) {
        data.copy_from_slice(&self.bytes[offset..offset + data.len()]);
    }

    /// Writes from `offset` on; the range is inside.
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) {
        for (at, value) in (offset..).zip(data) {
            let (writable, one_clears) = (self.writable[at], self.one_clears[at]);
            let merged = (self.bytes[at] & !writable) | (value & writable);
            self.bytes[at] = merged & !(value & one_clears);
        }
    }

    /// Whether the guest does not want INTx.
    pub(crate) fn is_interrupt_disabled(&self) -> bool {
        is_interrupt_disabled(&self.bytes)
    }

    /// The control words of MSI and MSI-X. A capability that is not there is not enabled.
    pub(crate) fn message_controls(&self) -> [MessageControl; 2] {
        self.message_controls_of(&self.bytes)
    }

    /// The same, of bytes that are to be the configuration space.
    pub(crate) fn message_controls_of(&self, bytes: &[u8]) -> [MessageControl; 2] {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let msi = self.msi_control.map(|at| msi_control(word(at)));
        let msix = self.msix_control.map(|at| msix_control(word(at)));
        [msi.unwrap_or_default(), msix.unwrap_or_default()]
    }

    /// Sets bit 3 of the status register: INTx is asserted.
    pub(crate) fn set_interrupt_status(&mut self, asserted: bool) {
        let [low, _] = status::INTERRUPT.to_le_bytes();
        let status = &mut self.bytes[cfg::STATUS];
        *status = if asserted { *status | low } else { *status & !low };
    }

    /// What migrates: all of it but for what is derived from elsewhere.
    pub(crate) fn save(&self) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        bytes[cfg::STATUS] &= !DERIVED_STATUS;
        bytes
    }

    /// The first byte that differs in a bit that nothing can change; `0` if the size differs.
    pub(crate) fn cannot_be(&self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() != self.size() {
            return Some(0);
        }
        (0..self.size()).find(|at| {
            let differs = bytes[*at] ^ self.initial[*at];
            differs & !(self.writable[*at] | self.one_clears[*at]) != 0
        })
    }

    /// Exchanges what it holds and other bytes that can be there.
    pub(crate) fn exchange(&mut self, bytes: &mut Box<[u8]>) {
        std::mem::swap(&mut self.bytes, bytes);
    }

    /// A digest of all that nothing can change: ids, the kinds and sizes of BARs, capabilities.
    pub(crate) fn layout_digest(&self) -> u32 {
        let changeable = self.writable.iter().zip(&self.one_clears).map(|(one, other)| one | other);
        let fixed: Vec<_> = self
            .initial
            .iter()
            .zip(changeable)
            .flat_map(|(bits, can)| [bits & !can, can])
            .collect();
        crc32c::crc32c(&fixed)
    }

    /// Back to power-on.
    pub(crate) fn reset(&mut self) {
        self.bytes.copy_from_slice(&self.initial);
    }
}

fn msi_control(word: u16) -> MessageControl {
    let messages = 1 << (word >> 4 & 0b111);
    let enabled = if word & msi::ENABLE != 0 { messages } else { 0 };
    MessageControl { enabled, masked: false }
}

fn msix_control(word: u16) -> MessageControl {
    let vectors = u32::from(word & msix::TABLE_SIZE) + 1;
    let enabled = if word & msix::ENABLE != 0 { vectors } else { 0 };
    MessageControl { enabled, masked: word & msix::FUNCTION_MASK != 0 }
}

/// Where a capability is in a list that we have laid out.
fn find(bytes: &[u8], id: u8) -> Option<usize> {
    let mut offset = usize::from(bytes[cfg::CAPABILITIES_POINTER]);
    while offset != 0 && bytes[offset] != id {
        offset = bytes[offset + 1].into();
    }
    (offset != 0).then_some(offset)
}
