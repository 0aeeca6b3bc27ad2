//! From the first status bit to a running device, and back (3.1, 4.1.4.3).

use std::sync::atomic::Ordering;

use tracing::{error, warn};
use vfio_user::{Cx, InterruptMode};

use super::queues::QUEUES_BLOCK;
use super::registers::{Isr, Status};
use super::{NO_VECTOR, VIRTIO, VirtioPci};
use crate::{Error, VirtioDevice, features};

impl<D: VirtioDevice> VirtioPci<D> {
    /// Returns 32 of the features that the device offers.
    pub(super) fn offer(&mut self, _: &mut Cx<'_, Self>, word: usize) -> u32 {
        let words = [self.offered(), self.offered() >> 32];
        let word = words.get(word).map_or(0, |word| word & 0xffff_ffff);
        u32::try_from(word).unwrap_or_default()
    }

    pub(super) fn offered(&self) -> u64 {
        features::TRANSPORT | self.device.features()
    }

    pub(super) fn count_queues(&mut self, _: &mut Cx<'_, Self>) -> u16 {
        u16::try_from(self.sizes.len()).unwrap_or(u16::MAX)
    }

    pub(super) fn map_config_vector(&mut self, _: &mut Cx<'_, Self>, vector: u16) {
        self.config_msix_vector = self.vector(vector);
    }

    /// Returns a vector if it exists. The driver reads back whether it does (4.1.5.1.2.1).
    pub(super) fn vector(&self, vector: u16) -> u16 {
        if usize::from(vector) <= self.sizes.len() { vector } else { NO_VECTOR }
    }

    pub(super) fn set_status(&mut self, cx: &mut Cx<'_, Self>, new: Status) {
        if u8::from(new) == 0 {
            return cx.soft_reset(self, VIRTIO);
        }
        let old = self.device_status;
        // Bits are cleared by a reset alone; the device sets its own.
        let set = u8::from(old) | u8::from(Status { needs_reset: false, ..new });
        self.device_status = set.into();
        if !old.features_ok && self.device_status.features_ok {
            self.device_status.features_ok = self.accepts_features();
        }
        if !old.driver_ok && self.device_status.driver_ok {
            self.activate(cx, false);
        }
    }

    /// Returns whether the driver has accepted what is offered, and not less than it has to (2.2).
    fn accepts_features(&self) -> bool {
        let (accepted, offered) = (self.accepted(), self.offered());
        let is_fine = accepted & !offered == 0
            && accepted & features::VERSION_1 != 0
            && self.driver_feature[2..] == [0; 2];
        if !is_fine && let Some(count) = self.faults.hit() {
            let kind = self.device.device_type().0;
            warn!(
                kind,
                accepted = format_args!("{accepted:#x}"),
                offered = format_args!("{offered:#x}"),
                count,
                "features refused: the driver accepts some that are not offered, or not VERSION_1"
            );
        }
        is_fine
    }

    /// Stops all queues, because the driver has made one unusable (2.1.2).
    pub(super) fn fail(&mut self, cx: &mut Cx<'_, Self>, queue: Option<u16>, error: &Error) {
        if let Some(count) = self.faults.hit() {
            let kind = self.device.device_type().0;
            error!(kind, queue, %error, count, "the virtio device needs a reset");
        }
        self.stop_queues();
        self.device_status.needs_reset = true;
        self.notify_config(cx);
    }

    pub(super) fn stop_queues(&mut self) {
        for worker in &self.workers {
            worker.state().running = None;
        }
    }

    /// Memory of a queue has not been mapped for long enough: the next attempt is the last one.
    pub(super) fn give_up(&mut self, _: &mut Cx<'_, Self>) {
        for worker in &self.workers {
            if let Some(running) = &mut worker.state().running {
                running.give_up();
            }
            worker.wake();
        }
    }

    /// Interrupts the driver because of the configuration, or because of `needs_reset`.
    pub(super) fn notify_config(&mut self, cx: &mut Cx<'_, Self>) {
        self.isr.config = true;
        match cx.interrupt_mode() {
            InterruptMode::Msix(_) if self.config_msix_vector == NO_VECTOR => {}
            InterruptMode::Msix(_) => cx.irq(self.config_msix_vector).raise(),
            _ => cx.irq(0).set(true),
        }
    }

    /// Interrupts the driver because of a queue that has no vector: by the line, if the driver uses
    /// that.
    pub(super) fn notify_used(&mut self, cx: &mut Cx<'_, Self>) {
        if !matches!(cx.interrupt_mode(), InterruptMode::Msix(_)) {
            self.isr.queue = true;
            cx.irq(0).set(true);
        }
    }

    /// The driver has read why the line is asserted, and the bits are being cleared.
    pub(super) fn acknowledged(&mut self, cx: &mut Cx<'_, Self>, _: Isr) {
        if !self.is_live() || !matches!(cx.interrupt_mode(), InterruptMode::Msix(_)) {
            cx.irq(0).set(false);
        }
    }

    /// Forgets what the driver has set up. Registers have been reset.
    pub(super) fn forget(&mut self, cx: &mut Cx<'_, Self>) {
        // First, so that no turn waits for this thread.
        cx.end_session();
        self.stop_queues();
        self.device.reset();
        self.positions.clear();
        self.state = D::State::default();
        cx.irq(0).set(false);
        for vector in &self.vectors {
            vector.store(NO_VECTOR, Ordering::Relaxed);
        }
    }

    /// Resets one queue (2.6.1).
    pub(super) fn reset_one(&mut self, cx: &mut Cx<'_, Self>, index: usize) {
        if let Some(worker) = self.workers.get(index) {
            worker.state().running = None;
            self.vectors[index].store(NO_VECTOR, Ordering::Relaxed);
            cx.reset_block(self, QUEUES_BLOCK, index);
        }
    }
}
