//! Configuration space: its bytes, and the effects of accesses on each bit.

use super::config_layout::ConfigLayout;
use super::decode_enables::{self, DecodeEnables};
use super::errors::{ErrorRegisters, ErrorReport};
use super::interrupts::{InterruptControls, InterruptRegisters, Signals};
use super::power::Power;
use super::vpd::Vpd;
use super::{capability, header};
use crate::model::spec::{bist, cfg, command, express};
use crate::model::{BusErrors, CommandBits};
use crate::model::{CapabilityKind, Descriptor, ResetKind};

/// The configuration space of one function.
///
/// It is read and written in bytes, at any size and alignment: the behaviour of a bit never depends
/// on the size of the access. No write is an error; bits that software may not change keep their
/// value.
#[derive(Debug)]
pub(crate) struct ConfigSpace {
    state: ConfigState,
    /// The initial contents, and the bits that software may change.
    layout: ConfigLayout,
    interrupts: InterruptRegisters,
    power: Option<Power>,
    vpd: Option<Vpd>,
    errors: ErrorRegisters,
    /// The offset of the bit for a function-level reset, in the upper byte of device control.
    flr: Option<usize>,
    /// Whether the command register is plain storage.
    ignores_command: bool,
    /// Whether bus master is in use from the first moment.
    needs_bus_master: bool,
}

/// The changing part of a configuration space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigState {
    pub(crate) bytes: Box<[u8]>,
    /// The bits of the command register in use since the last reset, or since the client attached;
    /// see [`decode_enables::used_by`].
    pub(crate) used: u16,
    /// Vital product data.
    pub(crate) vpd: Box<[u8]>,
}

impl ConfigSpace {
    /// Lays out the space of a function: header, then capabilities.
    pub(crate) fn new(descriptor: &Descriptor) -> Self {
        let mut layout = ConfigLayout::new(descriptor.config_size());
        header::lay_out(&mut layout, descriptor);
        capability::lay_out(&mut layout, descriptor);
        let vpd = Vpd::of(descriptor);
        let memory = vpd.as_ref().map(Vpd::initial).unwrap_or_default();
        ConfigSpace {
            interrupts: InterruptRegisters::of(descriptor),
            power: Power::of(descriptor),
            flr: flr(descriptor),
            ignores_command: descriptor.ignores_command(),
            needs_bus_master: descriptor.needs_bus_master(),
            state: ConfigState { bytes: layout.bytes.clone().into(), used: 0, vpd: memory },
            vpd,
            errors: ErrorRegisters::of(descriptor),
            layout,
        }
    }

    /// Returns the size in bytes: 256 or 4096.
    pub(crate) fn size(&self) -> usize {
        self.state.bytes.len()
    }

    /// Returns the bits of a byte that a reset keeps.
    pub(crate) fn kept(&self, at: usize, kind: ResetKind) -> u8 {
        self.layout.kept(at, kind)
    }

    /// Reads from `offset` on; the range is inside the space.
    pub(crate) fn read(&self, offset: usize, data: &mut [u8], signals: Signals) {
        data.copy_from_slice(&self.state.bytes[offset..offset + data.len()]);
        self.interrupts.show(offset, data, signals);
    }

    /// Returns the position of *Transactions Pending* of device status in an access, if the access
    /// covers it.
    pub(crate) fn transactions_in(&self, offset: usize, len: usize) -> Option<usize> {
        let place = self.errors.device_status()?.checked_sub(offset)?;
        (place < len).then_some(place)
    }

    /// Writes from `offset` on; the range is inside the space. Returns the reset that the write
    /// requests, which the whole function has to perform.
    #[must_use]
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) -> Option<ResetKind> {
        let before = self.power.as_ref().map_or(0, |power| power.state(&self.state.bytes));
        let command = command_of(&self.state.bytes);
        for (at, value) in (offset..).zip(data) {
            let (writable, one_clears) = (self.layout.writable[at], self.layout.one_clears[at]);
            let merged = (self.state.bytes[at] & !writable) | (value & writable);
            self.state.bytes[at] = merged & !(value & one_clears);
        }
        self.state.used |=
            decode_enables::used_by(offset, data.len(), command, command_of(&self.state.bytes));
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

    /// Returns whether a write starts the self-test of a function that has one.
    pub(crate) fn starts_self_test(&self, offset: usize, data: &[u8]) -> bool {
        let is_capable = self.layout.bytes[cfg::BIST] & bist::CAPABLE != 0;
        let written = cfg::BIST.checked_sub(offset).and_then(|at| data.get(at));
        is_capable && written.is_some_and(|written| written & bist::START != 0)
    }

    /// Shows how a self-test has ended, in the bits that there are for it.
    pub(crate) fn end_self_test(&mut self, code: u8) {
        self.state.bytes[cfg::BIST] = bist::CAPABLE | code.min(bist::CODE);
    }

    /// Returns the accesses that the guest enables.
    pub(crate) fn enables(&self) -> DecodeEnables {
        self.gates_of(&self.state)
    }

    /// Returns the command register.
    pub(crate) fn command(&self) -> CommandBits {
        CommandBits::from_bits_truncate(command_of(&self.state.bytes))
    }

    fn gates_of(&self, state: &ConfigState) -> DecodeEnables {
        let always = if self.needs_bus_master { command::BUS_MASTER } else { 0 };
        let used = if self.ignores_command { 0 } else { state.used | always };
        DecodeEnables::of(command_of(&state.bytes), used, self.is_awake(state))
    }

    fn is_awake(&self, state: &ConfigState) -> bool {
        self.power.as_ref().is_none_or(|power| power.is_awake(&state.bytes))
    }

    /// Returns the guest's settings of interrupts.
    pub(crate) fn interrupt_controls(&self) -> InterruptControls {
        self.interrupt_controls_of(&self.state)
    }

    /// Returns the settings of interrupts in a state that is to be loaded.
    pub(crate) fn interrupt_controls_of(&self, state: &ConfigState) -> InterruptControls {
        self.interrupts.controls(&state.bytes, self.gates_of(state), self.is_awake(state))
    }

    /// Signals a power management event if the function does so in its state; returns whether it
    /// did.
    pub(crate) fn wake(&mut self) -> bool {
        self.power.as_ref().is_some_and(|power| power.wake(&mut self.state.bytes))
    }

    /// Sets those error bits of the status register that are enabled.
    pub(crate) fn report(&mut self, errors: BusErrors) {
        let shown = errors & BusErrors::shown(command_of(&self.state.bytes));
        let [_, high] = shown.bits().to_le_bytes();
        self.state.bytes[cfg::STATUS + 1] |= high;
    }

    /// Shows an error of PCI Express; returns whether it has to be signalled.
    pub(crate) fn report_error(&mut self, report: ErrorReport) -> bool {
        self.errors.report(&mut self.state.bytes, report)
    }

    /// Shows that an access was not answered, because its region is disabled.
    pub(crate) fn refuse(&mut self, is_write: bool) {
        self.errors.refuse(&mut self.state.bytes, is_write);
    }

    /// Handles a new client, which may use the command register or not.
    pub(crate) fn connected(&mut self) {
        self.state.used = 0;
    }

    /// Returns the state that migrates: all that changes.
    pub(crate) fn save(&self) -> &ConfigState {
        &self.state
    }

    /// Returns the first byte that differs in a bit that nothing can change, or that has an
    /// impossible value; `0` if the size differs.
    pub(crate) fn cannot_be(&self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() != self.size() {
            return Some(0);
        }
        let differs =
            |at: &usize| (bytes[*at] ^ self.layout.bytes[*at]) & !self.layout.changeable(*at) != 0;
        let impossible = self.power.as_ref().filter(|power| !power.is_possible(bytes));
        (0..self.size()).find(differs).or_else(|| impossible.map(Power::control))
    }

    /// Returns whether the function can have this vital product data.
    pub(crate) fn can_have_vpd(&self, memory: &[u8]) -> bool {
        self.vpd.as_ref().map_or(memory.is_empty(), |vpd| vpd.can_hold(memory))
    }

    /// Exchanges the contents, and the other state, with `state`.
    pub(crate) fn exchange(&mut self, state: &mut ConfigState) {
        std::mem::swap(&mut self.state, state);
    }

    /// Returns a digest of everything that nothing can change: ids, the kinds and sizes of BARs,
    /// capabilities.
    pub(crate) fn layout_digest(&self) -> u32 {
        let fixed = |(at, bits): (usize, &u8)| {
            let can = self.layout.changeable(at);
            [bits & !can, can]
        };
        let fixed: Vec<_> = self.layout.bytes.iter().enumerate().flat_map(fixed).collect();
        crc32c::crc32c(&fixed)
    }

    /// Returns the doublewords that matter to a guest: the offset, the bits that cannot change, and
    /// the bits that can. Doublewords without either are left out.
    pub(crate) fn guest_words(&self) -> Vec<(u16, u32, u32)> {
        let word = |at: usize, of: &dyn Fn(usize) -> u8| {
            u32::from_le_bytes([of(at), of(at + 1), of(at + 2), of(at + 3)])
        };
        let can = |at: usize| self.layout.changeable(at);
        let fixed = |at: usize| self.layout.bytes[at] & !self.layout.changeable(at);
        let words = (0_u16..).step_by(4).zip((0..self.size()).step_by(4));
        let words = words.map(|(offset, at)| (offset, word(at, &fixed), word(at, &can)));
        words.filter(|(_, fixed, can)| fixed | can != 0).collect()
    }

    /// Resets the contents, except for the bits that survive this kind of reset.
    pub(crate) fn reset(&mut self, kind: ResetKind) {
        for (at, byte) in self.state.bytes.iter_mut().enumerate() {
            let kept = self.layout.kept(at, kind);
            *byte = (*byte & kept) | (self.layout.bytes[at] & !kept);
        }
        self.state.used = 0;
    }
}

/// Returns the offset of the reset bit of a function that can be reset alone.
fn flr(descriptor: &Descriptor) -> Option<usize> {
    descriptor.capabilities_at().find_map(|(capability, at)| match capability.kind() {
        CapabilityKind::Express(can) if can.has_flr() => {
            Some(usize::from(at) + express::DEVICE_CONTROL + 1)
        }
        _ => None,
    })
}

fn command_of(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[cfg::COMMAND], bytes[cfg::COMMAND + 1]])
}
