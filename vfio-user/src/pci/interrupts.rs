//! Interrupts in configuration space.

use super::decode_enables::DecodeEnables;
use crate::model::spec::{capability_id, cfg, command, msi, msix, status};
use crate::model::{CapabilityKind, Descriptor, Msi};

/// The settings of the control word of MSI or MSI-X.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageControl {
    /// The number of enabled messages.
    pub(crate) enabled: u32,
    /// Whether all messages are masked.
    pub(crate) masked: bool,
    /// The masked messages, a bit for each, if the masks are not in a table.
    pub(crate) masks: Option<u32>,
}

/// The guest's settings of interrupts in configuration space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterruptControls {
    /// Whether INTx is disabled.
    pub(crate) line_disabled: bool,
    /// The settings of MSI and MSI-X.
    pub(crate) messages: [MessageControl; 2],
}

/// The state of interrupts that configuration space shows but does not store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signals {
    /// Whether INTx is asserted, disabled or not.
    pub(crate) line: bool,
    /// The pending messages of MSI, a bit for each.
    pub(crate) pending: u64,
}

/// The offsets of the capabilities.
#[derive(Debug)]
pub(super) struct InterruptRegisters {
    msi: Option<(usize, Msi)>,
    msix: Option<usize>,
}

impl InterruptRegisters {
    pub(super) fn of(descriptor: &Descriptor) -> Self {
        let msi =
            descriptor.capabilities_at().find_map(|(capability, at)| match capability.kind() {
                CapabilityKind::Msi(has) => Some((usize::from(at), has)),
                _ => None,
            });
        let msix = descriptor.find_capability(capability_id::MSIX);
        InterruptRegisters { msi, msix: msix.map(usize::from) }
    }

    /// Returns the settings that software has written. A missing capability counts as disabled.
    pub(super) fn controls(
        &self,
        bytes: &[u8],
        enables: DecodeEnables,
        is_awake: bool,
    ) -> InterruptControls {
        let msi = self.msi.map(|(at, has)| msi_control(bytes, at, has)).unwrap_or_default();
        let msix = self.msix.map(|at| msix_control(word(bytes, at + 2))).unwrap_or_default();
        // Messages are writes to memory.
        let hold = |control: MessageControl| MessageControl {
            masked: control.masked || !enables.master,
            ..control
        };
        let is_silent = word(bytes, cfg::COMMAND) & command::INTERRUPT_DISABLE != 0;
        InterruptControls { line_disabled: is_silent || !is_awake, messages: [msi, msix].map(hold) }
    }

    /// Adds the state of interrupts to bytes that have been read from `offset` on.
    pub(super) fn show(&self, offset: usize, data: &mut [u8], signals: Signals) {
        let mut add = |at: usize, bits: u8| {
            if let Some(byte) = at.checked_sub(offset).and_then(|place| data.get_mut(place)) {
                *byte |= bits;
            }
        };
        if signals.line {
            add(cfg::STATUS, status::INTERRUPT.to_le_bytes()[0]);
        }
        if let Some((at, has)) = self.msi.filter(|(_, has)| has.is_maskable()) {
            for (at, bits) in (at + has.pending()..).zip(signals.pending.to_le_bytes()).take(4) {
                add(at, bits);
            }
        }
    }
}

fn msi_control(bytes: &[u8], at: usize, has: Msi) -> MessageControl {
    let control = word(bytes, at + 2);
    let messages = 1 << (control >> 4 & 0b111);
    let enabled = if control & msi::ENABLE != 0 { messages } else { 0 };
    let mask = at + has.mask();
    let masks = || u32::from(word(bytes, mask)) | u32::from(word(bytes, mask + 2)) << 16;
    MessageControl { enabled, masked: false, masks: has.is_maskable().then(masks) }
}

fn msix_control(word: u16) -> MessageControl {
    let vectors = u32::from(word & msix::TABLE_SIZE) + 1;
    if word & msix::ENABLE == 0 {
        return MessageControl::default();
    }
    MessageControl { enabled: vectors, masked: word & msix::FUNCTION_MASK != 0, masks: None }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}
