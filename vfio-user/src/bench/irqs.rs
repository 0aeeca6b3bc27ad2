//! The interrupts of a bench.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::Bench;
use crate::device::PciDevice;
use crate::error::{Error, Result};
use crate::eventfd::EventFd;
use crate::function::{BackgroundWork as _, Function, PciFunction};
use crate::protocol::{IrqAction, IrqIndex};
use crate::wait::{FOR_EVER, wait_for};

impl<D: PciDevice> Bench<D> {
    pub(super) fn assign_all(&mut self) -> Result<()> {
        (self.mode, self.irqs) = assign_interrupts(&self.function)?;
        self.error = assign(&self.function, IrqIndex::Err)?.pop();
        Ok(())
    }

    /// Returns how often interrupt `n` was sent since the last call. INTx counts as one interrupt;
    /// this call unmasks it.
    ///
    /// # Panics
    ///
    /// If the device has no such interrupt.
    #[track_caller]
    pub fn take_irq(&mut self, n: u16) -> u64 {
        let count = self.irqs[usize::from(n)].take().unwrap_or(0);
        if self.mode == IrqIndex::Intx {
            self.function.interrupts().act(IrqIndex::Intx, IrqAction::Unmask, [0]);
        }
        count
    }

    /// Returns how often the device signalled an error since the last call; see
    /// [`Cx::signal_err`](crate::Cx::signal_err).
    pub fn take_errors(&mut self) -> u64 {
        self.error.as_ref().and_then(EventFd::take).unwrap_or(0)
    }

    /// Waits until interrupt `n` is sent, and handles the device's events meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] (timed out) if that takes longer than `timeout`.
    ///
    /// # Panics
    ///
    /// If the device has no such interrupt.
    pub fn wait_irq(&mut self, n: u16, timeout: Duration) -> Result<u64> {
        let start = Instant::now();
        loop {
            self.handle_events();
            match self.take_irq(n) {
                0 if start.elapsed() >= timeout => {
                    return Err(Error::Io(std::io::ErrorKind::TimedOut.into()));
                }
                0 => self.pause(n, timeout.saturating_sub(start.elapsed()))?,
                count => return Ok(count),
            }
        }
    }

    /// Waits for the interrupt, or for other work of the device, for at most `left`.
    fn pause(&self, n: u16, left: Duration) -> Result<()> {
        let mut fds = vec![PollFd::new(self.irqs[usize::from(n)].as_fd(), PollFlags::POLLIN)];
        let transfers = self.function.dma().transfers().wake().map(AsFd::as_fd);
        let wakes = [self.function.wake(), transfers].into_iter().flatten();
        fds.extend(wakes.map(|wake| PollFd::new(wake, PollFlags::POLLIN)));
        wait_for(&mut fds, left.min(self.until_next_poll())).map_err(Error::system)?;
        Ok(())
    }

    /// Returns how long the device has nothing to do unless something wakes it. Nothing wakes it
    /// when a guest stores to memory, or when a reset can proceed that waits until no memory is
    /// held.
    fn until_next_poll(&self) -> Duration {
        if self.function.has_work() {
            return Duration::ZERO;
        }
        let polls = [self.function.next_poll(), self.function.next_reset_poll()];
        let next = polls.into_iter().flatten().min();
        next.map_or(FOR_EVER, |next| next.saturating_duration_since(Instant::now()))
    }
}

/// Assigns eventfds to all interrupts of the first kind that the device declares.
fn assign_interrupts<D: PciDevice>(function: &PciFunction<D>) -> Result<(IrqIndex, Vec<EventFd>)> {
    let modes = [IrqIndex::Msix, IrqIndex::Msi, IrqIndex::Intx];
    let mode = modes.into_iter().find(|mode| function.interrupts().count(*mode) > 0);
    let Some(mode) = mode else { return Ok((IrqIndex::Intx, Vec::new())) };
    Ok((mode, assign(function, mode)?))
}

/// Assigns an eventfd to each vector.
fn assign<D: PciDevice>(function: &PciFunction<D>, index: IrqIndex) -> Result<Vec<EventFd>> {
    let interrupts = function.interrupts();
    let irqs: Vec<_> =
        (0..interrupts.count(index)).map(|_| EventFd::new()).collect::<Result<_, _>>()?;
    let fds = irqs.iter().map(|irq| irq.try_clone().map(OwnedFd::from));
    let fds = fds.collect::<Result<Vec<_>, _>>()?;
    interrupts.assign(index, 0, fds.into()).map_err(std::io::Error::from)?;
    Ok(irqs)
}
