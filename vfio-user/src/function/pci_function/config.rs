//! Configuration space and its effects.

use tracing::{debug, warn};

use super::{CONFIG, Method, PciDevice, PciFunction};
use crate::layout::BarKind;
use crate::log_throttle::LogThrottle;
use crate::model::spec::express;
use crate::model::{CommandBits, ResetKind};
use crate::monitor::Elsewhere;
use crate::protocol::{Errno, RegionIndex};

/// The VGA ranges have memory and ports, and therefore two bits.
const VGA_PORTS: u32 = 9;
/// A bit for each BAR.
const ALL_BARS: u16 = 0x3f;
/// The offset of the VGA memory.
const VGA_MEMORY: u64 = 0xa_0000;

/// Accesses to regions that the guest has disabled.
#[derive(Debug, Default)]
pub(super) struct DisabledRegions {
    /// A bit for each region.
    regions: u16,
    /// A bit for each BAR without a fast path: because it is disabled, or accesses are counted.
    slow: u16,
    log_throttle: LogThrottle,
}

impl DisabledRegions {
    /// Returns whether accesses to a BAR cannot use the fast path.
    #[inline]
    pub(super) fn is_slow(&self, bar: usize) -> bool {
        self.slow & 1 << bar != 0
    }

    pub(super) fn hides_bar(&self, bar: usize) -> bool {
        self.regions & 1 << bar != 0
    }

    pub(super) fn hides(&self, region: RegionIndex, offset: u64) -> bool {
        let bit = match region {
            RegionIndex::Vga if offset < VGA_MEMORY => VGA_PORTS,
            // Only the author knows what disables it.
            RegionIndex::Specific(_) => u32::MAX,
            region => region.into(),
        };
        u32::from(self.regions).checked_shr(bit).unwrap_or(0) & 1 != 0
    }

    #[cold]
    fn log(&mut self, region: RegionIndex, is_write: bool, offset: u64) {
        if let Some(count) = self.log_throttle.hit() {
            warn!(%region, offset, is_write, count, "access ignored: the guest has disabled this region");
        }
    }
}

impl<D: PciDevice> PciFunction<D> {
    /// Returns the bits of a byte of configuration space that a reset keeps.
    pub(crate) fn config_bits_kept(&self, at: usize, kind: ResetKind) -> u8 {
        self.config.kept(at, kind)
    }

    /// Reads the function's own configuration space, without registers of the device's own.
    pub(super) fn read_own_config(&self, offset: usize, data: &mut [u8]) {
        self.config.read(offset, data, self.runtime.interrupts.signals());
        let dma = &self.runtime.dma;
        if let Some(index) = self.config.transactions_in(offset, data.len())
            && (dma.has_holders() || !dma.transfers().is_idle())
        {
            data[index] |= express::TRANSACTIONS_PENDING;
        }
    }

    pub(super) fn read_config(&mut self, offset: usize, data: &mut [u8]) -> Result<(), Errno> {
        self.read_own_config(offset, data);
        let mut at = offset;
        while let Some(part) = self.config_map.first_part(at..offset + data.len()) {
            let bytes = &mut data[part.start - offset..part.end - offset];
            self.bus(CONFIG, |bus| bus.read(part.start as u64, bytes))?;
            at = part.end;
        }
        self.note_config(offset, false, data);
        Ok(())
    }

    /// Counts an access to configuration space.
    fn note_config(&self, offset: usize, is_write: bool, data: &[u8]) {
        if let Some(observer) = &self.runtime.observer {
            observer.elsewhere(Elsewhere::Config, (CONFIG, offset as u64), is_write, data);
        }
    }

    pub(super) fn write_config(&mut self, offset: usize, data: &[u8]) -> Result<(), Errno> {
        self.note_config(offset, true, data);
        // The function itself has nothing to write where registers lie.
        let command = self.config.command();
        let reset = self.config.write(offset, data);
        // Once all bytes of an access have arrived. Interrupts that a reset drops must not be sent
        // before.
        if reset.is_none() {
            self.follow_config();
            self.report_command(command);
            if self.config.starts_self_test(offset, data) {
                let code = self.call(Method::SelfTest, D::self_test);
                self.config.end_self_test(code);
            }
        }
        let mut at = offset;
        while let Some(part) = self.config_map.first_part(at..offset + data.len()) {
            let bytes = &data[part.start - offset..part.end - offset];
            self.bus(CONFIG, |bus| bus.write(part.start as u64, bytes))?;
            at = part.end;
        }
        if let Some(kind) = reset {
            self.wanted_reset = Some(kind);
        }
        Ok(())
    }

    /// Runs the device's hook if software has changed the command register.
    fn report_command(&mut self, before: CommandBits) {
        let after = self.config.command();
        if after != before {
            self.call(Method::CommandChanged, |device, cx| {
                device.command_changed(cx, before, after);
            });
        }
    }

    /// Updates interrupts, BARs and memory from configuration space.
    pub(super) fn follow_config(&mut self) {
        self.runtime.interrupts.apply_controls(self.config.interrupt_controls());
        self.follow_enables();
    }

    /// Updates BARs and memory alone.
    pub(super) fn follow_enables(&mut self) {
        let enables = self.config.enables();
        self.runtime.command.set(self.config.command());
        self.runtime.dma.set_bus_master(enables.master);
        let hidden = |(bit, is_port): (u32, bool)| {
            let is_enabled = if is_port { enables.ports } else { enables.memory };
            u16::from(!is_enabled) << bit
        };
        let bars = (0..).zip(self.descriptor.bars());
        let bars = bars.filter_map(|(bit, bar)| Some((bit, (*bar)?.kind() == BarKind::Io)));
        let memory = [RegionIndex::Rom, RegionIndex::Vga].map(|region| (region.into(), false));
        let others = memory.into_iter().chain([(VGA_PORTS, true)]);
        let regions = bars.chain(others).map(hidden).fold(0, |all, one| all | one);
        self.disabled_regions.regions = regions;
        let counted = if self.runtime.observer.is_some() { ALL_BARS } else { 0 };
        self.disabled_regions.slow = regions | counted;
    }

    /// Returns whether the guest has disabled a region, and logs that. Reads return ones in that
    /// case.
    #[inline]
    pub(super) fn is_off(&mut self, region: RegionIndex, is_write: bool, offset: u64) -> bool {
        let is_off = self.disabled_regions.hides(region, offset);
        if is_off {
            self.disabled_regions.log(region, is_write, offset);
            self.config.refuse(is_write);
        }
        is_off
    }

    /// Shows the reports of hooks in configuration space.
    pub(super) fn apply_reports(&mut self) {
        if !self.runtime.reports.take_any() {
            return;
        }
        self.config.report(self.runtime.reports.take_bus_errors());
        for report in self.runtime.reports.take_errors() {
            debug!(?report, "the device reports an error");
            if self.config.report_error(report) {
                self.runtime.interrupts.signal_err();
            }
        }
        if self.runtime.reports.take_wake() && !self.config.wake() {
            debug!("the function does not signal power management events in this state");
        }
    }
}
