//! Accesses to a device that is stopped.
//!
//! The guest does not run in that state, so every access comes from the VMM. The VMM may restore
//! configuration space and the MSI-X table in every state (`VFIO_DEVICE_STATE_STOP` of Linux); the
//! device itself does not change.

use super::{CONFIG, PciDevice, PciFunction};
use crate::bus::{AccessKind, Attempt, Refusal};
use crate::layout;
use crate::model::byte_enable;
use crate::protocol::{Errno, RegionIndex};

impl<D: PciDevice> PciFunction<D> {
    /// Reads from a device that is stopped, without side effects.
    pub(super) fn read_held(
        &self,
        region: RegionIndex,
        offset: u64,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        if self.is_resetting() {
            data.fill(0xff);
            return Ok(());
        }
        match (region, bar_number(region)) {
            (_, Some(bar)) => {
                self.peek_at(bar, offset, data).map_err(|_| Errno::EINVAL)?;
            }
            (RegionIndex::Config, _) => {
                let start = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
                self.read_own_config(start, data);
                let mut at = start;
                while let Some(part) = self.config_map.first_part(at..start + data.len()) {
                    let bytes = &mut data[part.start - start..part.end - start];
                    let peeked = self.peek_at(layout::CONFIG, part.start as u64, bytes);
                    peeked.map_err(|_| Errno::EINVAL)?;
                    at = part.end;
                }
            }
            (RegionIndex::Rom, _) => {
                self.read_rom(usize::try_from(offset).unwrap_or(usize::MAX), data);
            }
            // Only the author knows the effect of a read.
            _ => data.fill(0),
        }
        Ok(())
    }

    /// Writes to a device that is stopped. No hook runs, nothing is reset, and interrupts wait
    /// until the device runs.
    pub(super) fn write_held(&mut self, region: RegionIndex, offset: u64, data: &[u8]) {
        match (region, bar_number(region)) {
            _ if self.is_resetting() => {
                tracing::debug!(%region, offset, "write ignored: the function is not ready");
            }
            (RegionIndex::Config, _) => self.write_config_held(offset, data),
            (_, Some(bar)) if self.is_msix_table(bar, offset, data.len()) => {
                // The table lies in a BAR that exists.
                let _ = self.bus(bar.into(), |bus| bus.write(offset, data));
            }
            _ => self.refuse_held(region, offset, data.len()),
        }
    }

    fn write_config_held(&mut self, offset: u64, data: &[u8]) {
        let Ok(start) = usize::try_from(offset) else { return };
        // The device is about to be loaded, or has stopped in its current state, so a requested
        // reset is dropped.
        let _ = self.config.write(start, data);
        self.follow_config();
        let end = start + data.len();
        let mut at = start;
        while let Some(part) = self.config_map.first_part(at..end) {
            let (offset, bytes) = (part.start as u64, &data[part.start - start..part.end - start]);
            if !self.store_held(offset, bytes) {
                self.refuse_held(RegionIndex::Config, offset, bytes.len());
            }
            at = part.end;
        }
    }

    /// Writes a part of one of the device's own registers of configuration space, if a write only
    /// stores; returns whether it does.
    fn store_held(&mut self, offset: u64, data: &[u8]) -> bool {
        let write = AccessKind { is_write: true, size: data.len() };
        for (at, byte) in (offset..).zip(data) {
            let Some((slot, first)) = self.slot_at(layout::CONFIG, at, write) else { return false };
            let register = self.descriptor.register(slot);
            if register.store_only().is_none() {
                return false;
            }
            let mask = byte_enable(first as u64, 1) & register.access().writable();
            let old = self.device.load(slot);
            let new = (old & !mask) | (u64::from(*byte) << (first * 8) & mask);
            self.device.store(slot, new);
        }
        true
    }

    fn is_msix_table(&self, bar: u8, offset: u64, len: usize) -> bool {
        let msix = self.descriptor.msix_layout().filter(|msix| msix.bar == bar);
        msix.is_some_and(|msix| {
            let (table, bytes) = (msix.table_extent(), u64::from(msix.vectors) * 16);
            let end = offset.checked_add(len as u64);
            table.offset <= offset && end.is_some_and(|end| end <= table.offset + bytes)
        })
    }

    /// Logs and ignores a write that changes the device.
    fn refuse_held(&mut self, region: RegionIndex, offset: u64, len: usize) {
        let bar = region.bar().unwrap_or(CONFIG);
        let map = self.maps.get(self.origin(bar)).unwrap_or(&self.config_map);
        let attempt = Attempt { is_write: true, bar, offset, len };
        self.refusals.log_access(Refusal::Stopped, attempt, &self.descriptor, map);
    }
}

fn bar_number(region: RegionIndex) -> Option<u8> {
    region.bar().and_then(|bar| u8::try_from(bar).ok())
}
