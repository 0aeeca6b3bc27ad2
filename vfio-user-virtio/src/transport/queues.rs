//! Queues: set up by the driver, handed to their workers.

use std::sync::atomic::Ordering;
use std::task::Waker;

use vfio_user::{Cx, Worker};
use virtio_queue::QueueState;

use super::registers::{DoorbellHost, PageHost, QueueHost};
use super::{MULTIPLIER, NOTIFY, Position, VirtioPci};
use crate::work::{Running, uses_event_idx};
use crate::{Activation, Error, VirtioDevice, features};

/// The block of the registers of queues. Its index does not depend on the device.
pub(super) const QUEUES_BLOCK: usize = 0;

impl<D: VirtioDevice> QueueHost for VirtioPci<D> {
    fn map_vector(&mut self, _: &mut Cx<'_, Self>, index: usize, vector: u16) {
        let vector = self.vector(vector);
        self.queues[index].vector = vector;
        self.vectors[index].store(vector, Ordering::Relaxed);
    }

    fn enabled(&mut self, cx: &mut Cx<'_, Self>, index: usize, old: u16, new: u16) {
        // Queues that are enabled before the device runs start with it.
        if (old, new) == (0, 1) && self.is_live() {
            let (features, position) = (self.accepted(), Position::default());
            if let Err(error) = self.start_queue(cx, index, (features, position, false)) {
                self.fail(cx, u16::try_from(index).ok(), &error);
            }
        }
    }

    fn reset_queue(&mut self, cx: &mut Cx<'_, Self>, index: usize, reset: u16) {
        if reset == 1 && self.accepted() & features::RING_RESET != 0 {
            self.reset_one(cx, index);
        }
    }
}

impl<D: VirtioDevice> DoorbellHost for VirtioPci<D> {
    fn rung(&mut self, _: &mut Cx<'_, Self>, index: usize) {
        self.wake(index);
    }
}

impl<D: VirtioDevice> PageHost for VirtioPci<D> {
    fn stored(&mut self, _: &mut Cx<'_, Self>, index: usize, _: u16) {
        self.wake(index);
    }
}

impl<D: VirtioDevice> VirtioPci<D> {
    pub(super) fn wake(&self, index: usize) {
        if let Some(worker) = self.workers.get(index) {
            worker.wake();
        }
    }

    pub(super) fn wake_all(&self) {
        self.workers.iter().for_each(Worker::wake);
    }

    /// Starts the device and its queues. `is_loaded` if another device has run with this state.
    pub(super) fn activate(&mut self, cx: &mut Cx<'_, Self>, is_loaded: bool) {
        if let Err((queue, error)) = self.try_activate(cx, is_loaded) {
            self.fail(cx, queue, &error);
        }
    }

    fn try_activate(
        &mut self,
        cx: &mut Cx<'_, Self>,
        is_loaded: bool,
    ) -> Result<(), (Option<u16>, Error)> {
        if !self.device_status.features_ok {
            return Err((None, Error::Request("DRIVER_OK before FEATURES_OK")));
        }
        let (features, remote) = (self.accepted(), cx.session_remote());
        let wakers: Vec<Waker> = self.workers.iter().map(Worker::waker).collect();
        let activation = Activation { features, wakers, remote };
        self.device.activate(&activation).map_err(|error| (None, error))?;
        for index in 0..self.sizes.len() {
            if self.queues[index].enable == 1 {
                let position = self.positions.get(index).copied().unwrap_or_default();
                self.start_queue(cx, index, (features, position, is_loaded))
                    .map_err(|error| (u16::try_from(index).ok(), error))?;
            }
        }
        Ok(())
    }

    fn start_queue(
        &mut self,
        cx: &mut Cx<'_, Self>,
        index: usize,
        (features, position, is_loaded): (u64, Position, bool),
    ) -> Result<(), Error> {
        let state = self.queue_state(index, features, position);
        let running = Running::new(state, features, cx.session_remote(), self.polls, is_loaded)?;
        let worker = &mut self.workers[index];
        worker.state().running = Some(running);
        let run = if self.polls {
            worker.run_polling(cx)
        } else {
            worker.run(cx).and_then(|()| worker.take_doorbell(cx, 0, place(index)))
        };
        run.map_err(|error| Error::Io(std::io::Error::other(error)))
    }

    /// Returns a queue as the driver has set it up.
    pub(super) fn queue_state(&self, index: usize, features: u64, at: Position) -> QueueState {
        let queue = &self.queues[index];
        QueueState {
            max_size: self.sizes[index],
            next_avail: at.available,
            next_used: at.used,
            event_idx_enabled: uses_event_idx(features),
            size: queue.size,
            ready: true,
            desc_table: queue.desc,
            avail_ring: queue.driver,
            used_ring: queue.device,
        }
    }
}

/// Returns where in BAR 0 a queue is notified.
fn place(index: usize) -> u64 {
    u64::from(NOTIFY) + u64::from(MULTIPLIER) * index as u64
}
