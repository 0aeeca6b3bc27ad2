//! Devices that a thread takes over from another program, and hands over to the next one.

use std::mem;

use tracing::warn;

use super::Reactor;
use crate::error::Result;
use crate::server::endpoint::Endpoint;
use crate::server::poller::Poller;
use crate::server::take_over::{Attempt, Shared, TakeOver, adopt, hand_over, wait_for_start};

impl Reactor {
    /// Takes the devices of another program over, if there is one. Has an effect once.
    ///
    /// # Errors
    ///
    /// Why the other program continues with them. No device is left here then.
    pub(in crate::server) fn begin(&mut self) -> Result<()> {
        let has_begun = mem::replace(&mut self.has_begun, true);
        let Some(mut take_over) = self.take_over.take_if(|_| !has_begun) else { return Ok(()) };
        if take_over.has_predecessor() {
            self.apply_commands();
            let mut endpoints: Vec<_> = self.endpoints.iter_mut().flatten().collect();
            if let Err(error) = adopt(&mut take_over, &mut endpoints, &self.shutdown) {
                self.abandon(Endpoint::abandon);
                return Err(error.into());
            }
            if let Err(error) = take_over.watch(&self.queue) {
                warn!(%error, "no other program can take these devices over");
            }
        } else {
            take_over.watch(&self.queue)?;
        }
        self.take_over = Some(take_over);
        Ok(())
    }

    /// Begins, unless it has begun, and lets the other program end.
    pub(super) fn ensure_begun(&mut self) -> Result<()> {
        self.begin()?;
        self.take_over.iter_mut().for_each(TakeOver::dismiss_predecessor);
        Ok(())
    }

    /// Hands the devices over to a program that waits for them, if they can be handed over now.
    pub(super) fn serve_successor(&mut self) {
        if self.successor.is_some() {
            // What handles have requested so far belongs to this program.
            self.apply_commands();
        }
        let Some(take_over) = &mut self.take_over else { return };
        let Some(successor) = self.successor.take() else { return };
        let mut endpoints: Vec<_> = self.endpoints.iter_mut().flatten().collect();
        let server = Shared { shutdown: &self.shutdown, queue: &self.queue };
        match hand_over(take_over, successor, &mut endpoints, server) {
            Attempt::Later(successor) => self.successor = Some(successor),
            Attempt::Failed => self.turn_all(),
            Attempt::Done(successor) => {
                self.abandon(Endpoint::leave_to_successor);
                wait_for_start(successor);
            }
        }
    }

    /// Removes all devices, which another program serves.
    fn abandon(&mut self, abandon: impl Fn(Endpoint, &Poller)) {
        for index in 0..self.endpoints.len() {
            if let Some(endpoint) = self.endpoints[index].take() {
                abandon(endpoint, &self.poller);
                self.forget(index, Ok(()));
            }
        }
    }

    /// Gives every device a turn soon.
    fn turn_all(&mut self) {
        let is_there = |index: &usize| self.endpoints[*index].is_some();
        (0..self.endpoints.len()).filter(is_there).for_each(|index| self.again.push(index));
    }
}
