//! What the runtime calls.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use vfio_user::declaration::{Descriptor, Ids, Watching};
use vfio_user::pci::CommandBits;
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Access, Cx, Device, Error, ResetKind, Result, Resumed};

use super::{
    CONFIG, CONFIG_LEN, Event, GRACE, Notice, Position, QUEUES, VirtioPci, device_cfg, notify_cfg,
};
use crate::VirtioDevice;
use crate::work::{Running, check};

impl<D: VirtioDevice> Device for VirtioPci<D> {
    type Event = Event;

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let count = self.check_device()?;
        let kind = self.device.device_type();
        let device = 0x1040 + kind.0;
        let ids = Ids { device, class: kind.class(), subsystem: device, ..descriptor.ids() };
        descriptor.set_ids(ids);
        descriptor.set_block_count("queues", count.into())?;
        descriptor.set_block_count("doorbells", count.into())?;
        descriptor.set_msix(count + 1)?;
        let watching = if self.polls { Watching::ByThreads } else { Watching::ByMessages };
        Ok(descriptor.set_watching(2, watching)?)
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, Event(notice): Event) {
        match notice {
            Notice::Used => self.notify_used(cx),
            Notice::ConfigChanged => {
                self.config_generation = self.config_generation.wrapping_add(1);
                self.notify_config(cx);
            }
            Notice::Unmapped if self.grace.is_armed() => {}
            Notice::Unmapped => self.grace.arm(cx, GRACE),
            Notice::Broken { queue, error } => self.fail(cx, Some(queue), &error),
        }
    }

    /// The configuration of the device.
    fn access(
        &mut self,
        _: &mut Cx<'_, Self>,
        _: RegionIndex,
        offset: u64,
        access: Access<'_>,
    ) -> Result<(), Errno> {
        let offset = usize::try_from(offset - u64::from(CONFIG)).unwrap_or(usize::MAX);
        let rest = self.device.config_len().saturating_sub(offset);
        match access {
            Access::Read(data) => {
                data.fill(0);
                let len = data.len().min(rest);
                if len > 0 {
                    self.device.read_config(offset, &mut data[..len]);
                }
            }
            Access::Write(data) if rest > 0 => {
                self.device.write_config(offset, &data[..data.len().min(rest)]);
            }
            Access::Write(_) => {}
        }
        Ok(())
    }

    fn reset(&mut self, cx: &mut Cx<'_, Self>, _: ResetKind) {
        self.forget(cx);
    }

    fn dma_mapped(&mut self, _: &mut Cx<'_, Self>, _: RangeInclusive<u64>) {
        self.wake_all();
    }

    /// The guest may have set bus master again.
    fn command_changed(&mut self, _: &mut Cx<'_, Self>, _: CommandBits, _: CommandBits) {
        self.wake_all();
    }

    fn saving(&mut self, _: &mut Cx<'_, Self>) {
        let positions = self.workers.iter().map(|worker| {
            let state = worker.state();
            let (available, used) = state.running.as_ref().map_or((0, 0), Running::position);
            Position { available, used }
        });
        self.positions = positions.collect();
        self.state = self.device.save();
    }

    fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        self.check_state()?;
        self.stop_queues();
        for (vector, queue) in self.vectors.iter().zip(&self.queues) {
            vector.store(queue.vector, Ordering::Relaxed);
        }
        let state = std::mem::take(&mut self.state);
        self.device.load(state).map_err(|error| Error::device(error.to_string()))?;
        self.state = self.device.save();
        Ok(())
    }

    fn resume(&mut self, cx: &mut Cx<'_, Self>, resumed: Resumed) {
        if resumed == Resumed::Loaded && self.is_live() {
            self.activate(cx, true);
        }
        // A worker that was woken while the device was stopped has not taken its turn.
        self.wake_all();
    }
}

impl<D: VirtioDevice> VirtioPci<D> {
    /// Checks what the author of the device has declared. Returns the number of queues.
    fn check_device(&self) -> Result<u16> {
        let is_size = |size: &u16| size.is_power_of_two() && *size <= 1 << 15;
        if self.sizes.len() > usize::from(QUEUES) || !self.sizes.iter().all(is_size) {
            return Err(Error::device(format!(
                "queues of {:?} entries; there are up to {QUEUES}, each of a power of two up to \
                 32768",
                self.sizes
            )));
        }
        let len = self.device.config_len();
        if len > CONFIG_LEN as usize {
            return Err(Error::device(format!("{len} bytes of configuration, of {CONFIG_LEN}")));
        }
        Ok(u16::try_from(self.sizes.len()).unwrap_or(0))
    }

    /// Checks a loaded state against this device.
    fn check_state(&self) -> Result<()> {
        let accepted = self.accepted();
        if self.device_status.features_ok && accepted & !self.offered() != 0 {
            let offered = self.offered();
            let text = format!("the driver uses features {accepted:#x}, of {offered:#x}");
            return Err(Error::device(text));
        }
        if self.notify_cfg != notify_cfg(self.polls) || self.device_cfg != device_cfg(&*self.device)
        {
            return Err(Error::device("the structures of the transport lie elsewhere"));
        }
        if !self.positions.is_empty() && self.positions.len() != self.sizes.len() {
            return Err(Error::device("the state has another number of queues"));
        }
        if self.is_live() {
            for index in (0..self.sizes.len()).filter(|index| self.queues[*index].enable == 1) {
                let state = self.queue_state(index, accepted, Position::default());
                check(state).map_err(|error| Error::device(error.to_string()))?;
            }
        }
        Ok(())
    }
}
