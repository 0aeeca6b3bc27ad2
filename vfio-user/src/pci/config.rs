//! Configuration space: bytes, and what software may do to each bit of them.

use super::bus_errors::BusErrors;
use super::config_layout::ConfigLayout;
use super::errors::{ErrorRegisters, ErrorReport};
use super::gates::Gates;
use super::power::Power;
use super::vpd::Vpd;
use super::{capability, header};
use crate::device::{CapabilityKind, Descriptor, Msi, ResetKind};
use crate::pci::spec::{capability_id, cfg, command, express, msi, msix, status};

/// The configuration space of one function.
///
/// It is read and written in bytes, at any size and alignment: what a bit does never depends on the
/// access that reaches it. Nothing that is written is an error; bits that software may not change
/// stay as they are.
#[derive(Debug)]
pub(crate) struct ConfigSpace {
    state: ConfigState,
    /// What it holds at first, and what software may do to it.
    layout: ConfigLayout,
    msi: Option<MsiAt>,
    /// Where the control word of MSI-X is.
    msix_control: Option<usize>,
    power: Option<Power>,
    vpd: Option<Vpd>,
    errors: ErrorRegisters,
    /// Where a function level reset is asked for, in the upper byte of device control.
    flr: Option<usize>,
    /// The command register opens and closes nothing.
    ignores_command: bool,
}

/// What the control word of MSI or MSI-X says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageControl {
    /// How many messages are enabled.
    pub(crate) enabled: u32,
    /// Whether all of them are held back.
    pub(crate) masked: bool,
    /// Which of them are, where that is not in a table: a bit for each.
    pub(crate) masks: Option<u32>,
}

/// What configuration space says of interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterruptControls {
    /// INTx is not asserted, whatever the device does.
    pub(crate) line_disabled: bool,
    /// Of MSI and MSI-X.
    pub(crate) messages: [MessageControl; 2],
}

/// What changes of a configuration space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigState {
    pub(crate) bytes: Box<[u8]>,
    /// The bits of the command register that software has set since the last reset, or since the
    /// client has come.
    pub(crate) used: u16,
    /// Vital product data.
    pub(crate) vpd: Box<[u8]>,
}

/// Bits of the status register that say what interrupts are.
const DERIVED_STATUS: u8 = status::INTERRUPT.to_le_bytes()[0];

impl ConfigSpace {
    /// Lays out the space of a function: header, then capabilities.
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let mut layout = ConfigLayout::new(descriptor.config_size());
        header::lay_out(&mut layout, descriptor);
        capability::lay_out(&mut layout, descriptor);
        let msix = descriptor.find_capability(capability_id::MSIX);
        let vpd = Vpd::of(descriptor);
        let memory = vpd.as_ref().map(Vpd::initial).unwrap_or_default();
        ConfigSpace {
            msi: MsiAt::of(descriptor),
            msix_control: msix.map(|at| usize::from(at) + 2),
            power: Power::of(descriptor),
            flr: flr(descriptor),
            ignores_command: descriptor.ignores_command(),
            state: ConfigState { bytes: layout.bytes.clone().into(), used: 0, vpd: memory },
            vpd,
            errors: ErrorRegisters::of(descriptor),
            layout,
        }
    }

    /// In bytes: 256 or 4096.
    pub(crate) fn size(&self) -> usize {
        self.state.bytes.len()
    }

    /// Reads from `offset` on; the range is inside.
    pub(crate) fn read(&self, offset: usize, data: &mut [u8]) {
        data.copy_from_slice(&self.state.bytes[offset..offset + data.len()]);
    }

    /// Writes from `offset` on; the range is inside. What comes back is the reset that this asks for,
    /// which the whole function has to do.
    #[must_use]
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) -> Option<ResetKind> {
        let before = self.power.as_ref().map_or(0, |power| power.state(&self.state.bytes));
        for (at, value) in (offset..).zip(data) {
            let (writable, one_clears) = (self.layout.writable[at], self.layout.one_clears[at]);
            let merged = (self.state.bytes[at] & !writable) | (value & writable);
            self.state.bytes[at] = merged & !(value & one_clears);
        }
        self.state.used |= command_of(&self.state.bytes);
        if let Some(vpd) = self.vpd.as_ref().filter(|vpd| vpd.is_started_by(offset, data.len())) {
            vpd.transfer(&mut self.state.bytes, &mut self.state.vpd);
        }
        let woken =
            self.power.as_ref().and_then(|power| power.settle(&mut self.state.bytes, before));
        if self.asks_for_flr(offset, data) { Some(ResetKind::FunctionLevel) } else { woken }
    }

    fn asks_for_flr(&self, offset: usize, data: &[u8]) -> bool {
        let [_, initiate] = express::INITIATE_FLR.to_le_bytes();
        let written = self.flr.and_then(|at| data.get(at.checked_sub(offset)?));
        written.is_some_and(|written| written & initiate != 0)
    }

    /// What the guest lets the function do.
    pub(crate) fn gates(&self) -> Gates {
        self.gates_of(&self.state)
    }

    fn gates_of(&self, state: &ConfigState) -> Gates {
        let is_awake = self.power.as_ref().is_none_or(|power| power.is_awake(&state.bytes));
        let used = if self.ignores_command { 0 } else { state.used };
        Gates::of(command_of(&state.bytes), used, is_awake)
    }

    /// What it says of interrupts. A capability that is not there is not enabled.
    pub(crate) fn interrupt_controls(&self) -> InterruptControls {
        self.interrupt_controls_of(&self.state)
    }

    /// The same, of what configuration space is to hold.
    pub(crate) fn interrupt_controls_of(&self, state: &ConfigState) -> InterruptControls {
        let bytes = &state.bytes;
        let msi = self.msi.map(|msi| msi.control(bytes)).unwrap_or_default();
        let msix = self.msix_control.map(|at| msix_control(word(bytes, at))).unwrap_or_default();
        let is_awake = self.power.as_ref().is_none_or(|power| power.is_awake(&state.bytes));
        let is_silent = command_of(&state.bytes) & command::INTERRUPT_DISABLE != 0;
        // Messages are writes to memory.
        let held = !self.gates_of(state).master;
        let messages =
            [msi, msix].map(|control| MessageControl { masked: control.masked || held, ..control });
        InterruptControls { line_disabled: is_silent || !is_awake, messages }
    }

    /// Sets bit 3 of the status register: INTx is asserted.
    pub(crate) fn set_interrupt_status(&mut self, asserted: bool) {
        let [low, _] = status::INTERRUPT.to_le_bytes();
        let status = &mut self.state.bytes[cfg::STATUS];
        *status = if asserted { *status | low } else { *status & !low };
    }

    /// Sets the pending bits of MSI.
    pub(crate) fn set_pending_messages(&mut self, pending: u64) {
        if let Some(at) = self.msi.and_then(MsiAt::pending) {
            let [a, b, c, d, ..] = pending.to_le_bytes();
            self.state.bytes[at..at + 4].copy_from_slice(&[a, b, c, d]);
        }
    }

    /// Signals a power management event, if the function does so in its state; whether it did.
    pub(crate) fn wake(&mut self) -> bool {
        self.power.as_ref().is_some_and(|power| power.wake(&mut self.state.bytes))
    }

    /// Sets the error bits of the status register, those that are to be set.
    pub(crate) fn report(&mut self, errors: BusErrors) {
        let shown = errors & BusErrors::shown(command_of(&self.state.bytes));
        let [_, high] = shown.bits().to_le_bytes();
        self.state.bytes[cfg::STATUS + 1] |= high;
    }

    /// Shows an error of PCI Express; whether it is to be signalled.
    pub(crate) fn report_error(&mut self, report: ErrorReport) -> bool {
        self.errors.report(&mut self.state.bytes, report)
    }

    /// Another client has come, which may use the command register or not.
    pub(crate) fn connected(&mut self) {
        self.state.used = 0;
    }

    /// What migrates: all of it but for what is derived from elsewhere.
    pub(crate) fn save(&self) -> ConfigState {
        let mut state = self.state.clone();
        state.bytes[cfg::STATUS] &= !DERIVED_STATUS;
        if let Some(at) = self.msi.and_then(MsiAt::pending) {
            state.bytes[at..at + 4].fill(0);
        }
        state
    }

    /// The first byte that differs in a bit that nothing can change, or that cannot hold what it
    /// does; `0` if the size differs.
    pub(crate) fn cannot_be(&self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() != self.size() {
            return Some(0);
        }
        let differs =
            |at: &usize| (bytes[*at] ^ self.layout.bytes[*at]) & !self.layout.changeable(*at) != 0;
        let impossible = self.power.as_ref().filter(|power| !power.is_possible(bytes));
        (0..self.size()).find(differs).or_else(|| impossible.map(Power::control))
    }

    /// Whether it can have such vital product data.
    pub(crate) fn can_have_vpd(&self, memory: &[u8]) -> bool {
        self.vpd.as_ref().map_or(memory.is_empty(), |vpd| vpd.can_hold(memory))
    }

    /// Exchanges what it holds and what else it can hold.
    pub(crate) fn exchange(&mut self, state: &mut ConfigState) {
        std::mem::swap(&mut self.state, state);
    }

    /// A digest of all that nothing can change: ids, the kinds and sizes of BARs, capabilities.
    pub(crate) fn layout_digest(&self) -> u32 {
        let fixed = |(at, bits): (usize, &u8)| {
            let can = self.layout.changeable(at);
            [bits & !can, can]
        };
        let fixed: Vec<_> = self.layout.bytes.iter().enumerate().flat_map(fixed).collect();
        crc32c::crc32c(&fixed)
    }

    /// Back to what it was at first, but for what stays over this kind of reset.
    pub(crate) fn reset(&mut self, kind: ResetKind) {
        for (at, byte) in self.state.bytes.iter_mut().enumerate() {
            let kept = self.layout.kept(at, kind);
            *byte = (*byte & kept) | (self.layout.bytes[at] & !kept);
        }
        self.state.used = 0;
    }
}

/// Of a function that can be reset alone.
fn flr(descriptor: &Descriptor) -> Option<usize> {
    descriptor.capabilities_at().find_map(|(capability, at)| match capability.kind() {
        CapabilityKind::Express(can) if can.has_flr() => {
            Some(usize::from(at) + express::DEVICE_CONTROL + 1)
        }
        _ => None,
    })
}

/// The MSI capability: where it lies, and what it has.
#[derive(Clone, Copy, Debug)]
struct MsiAt {
    at: usize,
    has: Msi,
}

impl MsiAt {
    fn of(descriptor: &Descriptor) -> Option<Self> {
        descriptor.capabilities_at().find_map(|(capability, at)| match capability.kind() {
            CapabilityKind::Msi(has) => Some(MsiAt { at: at.into(), has }),
            _ => None,
        })
    }

    fn control(self, bytes: &[u8]) -> MessageControl {
        let control = word(bytes, self.at + 2);
        let messages = 1 << (control >> 4 & 0b111);
        let enabled = if control & msi::ENABLE != 0 { messages } else { 0 };
        let at = self.at + self.has.mask();
        let masks = self
            .has
            .is_maskable()
            .then(|| u32::from(word(bytes, at)) | u32::from(word(bytes, at + 2)) << 16);
        MessageControl { enabled, masked: false, masks }
    }

    /// Where the pending bits are.
    fn pending(self) -> Option<usize> {
        self.has.is_maskable().then(|| self.at + self.has.pending())
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn command_of(bytes: &[u8]) -> u16 {
    word(bytes, cfg::COMMAND)
}

fn msix_control(word: u16) -> MessageControl {
    let vectors = u32::from(word & msix::TABLE_SIZE) + 1;
    if word & msix::ENABLE == 0 {
        return MessageControl::default();
    }
    MessageControl { enabled: vectors, masked: word & msix::FUNCTION_MASK != 0, masks: None }
}
