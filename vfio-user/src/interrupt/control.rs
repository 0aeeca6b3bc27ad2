//! Eventfds by which the client, or its hypervisor, masks and unmasks vectors.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::resample::Resample;
use super::{Interrupts, State, adopt_all};
use crate::eventfd::EventFd;
use crate::fds::PeerFds;
use crate::protocol::{Errno, IrqAction, IrqIndex};

/// A control eventfd, and the action that its signal triggers.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    index: IrqIndex,
    action: IrqAction,
    vector: u32,
    signal: Signal,
}

#[derive(Clone, Debug)]
enum Signal {
    Eventfd(Arc<EventFd>),
    Resample(Arc<Resample>),
}

impl Control {
    fn new(index: IrqIndex, action: IrqAction, vector: u32, eventfd: EventFd) -> io::Result<Self> {
        let signal = match (index, action) {
            (IrqIndex::Intx, IrqAction::Unmask) => {
                Signal::Resample(Arc::new(Resample::new(eventfd)?))
            }
            _ => Signal::Eventfd(Arc::new(eventfd)),
        };
        Ok(Control { index, action, vector, signal })
    }

    pub(super) fn index(&self) -> IrqIndex {
        self.index
    }

    fn is(&self, index: IrqIndex, action: IrqAction, vectors: Range<u32>) -> bool {
        self.index == index && self.action == action && vectors.contains(&self.vector)
    }

    /// Takes the signal. Returns whether there was one that requires the action.
    fn take(&self) -> bool {
        match &self.signal {
            Signal::Eventfd(eventfd) => eventfd.take().is_some(),
            Signal::Resample(resample) => resample.take(),
        }
    }

    fn resample(&self) -> Option<&Arc<Resample>> {
        match &self.signal {
            Signal::Resample(resample) => Some(resample),
            Signal::Eventfd(_) => None,
        }
    }
}

/// Readable when the eventfd may have been signalled.
impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.signal {
            Signal::Eventfd(eventfd) => eventfd.as_fd(),
            Signal::Resample(resample) => resample.as_fd(),
        }
    }
}

impl Interrupts {
    /// Registers eventfds that do `action` on vectors `start..`, and replaces earlier ones.
    pub(crate) fn listen(
        &self,
        index: IrqIndex,
        action: IrqAction,
        start: u32,
        fds: PeerFds,
    ) -> Result<(), Errno> {
        let eventfds = (start..).zip(adopt_all(fds)?);
        let controls =
            eventfds.map(|(vector, eventfd)| Control::new(index, action, vector, eventfd));
        let controls = controls.collect::<io::Result<Vec<_>>>()?;
        let end = start + u32::try_from(controls.len()).unwrap_or(u32::MAX - start);
        let mut state = self.state();
        state.controls.retain(|control| !control.is(index, action, start..end));
        state.controls.extend(controls);
        self.note_controls(&mut state);
        Ok(())
    }

    /// Removes the eventfds of `action` for `count` vectors from `start` on.
    pub(crate) fn ignore(&self, index: IrqIndex, action: IrqAction, start: u32, count: u32) {
        let range = start..start + count;
        self.retain_controls(&mut self.state(), |control| {
            !control.is(index, action, range.clone())
        });
    }

    /// Returns the eventfds to wait for.
    pub(crate) fn controls(&self) -> Vec<Control> {
        self.state().controls.clone()
    }

    /// Returns a count that changes whenever [`Interrupts::controls`] does.
    pub(crate) fn control_changes(&self) -> u64 {
        self.control_changes.load(Ordering::Relaxed)
    }

    /// Handles an eventfd that may have been signalled.
    pub(crate) fn poll_control(&self, control: &Control) {
        let mut state = self.state();
        if control.take() {
            state.mask(control.index, control.vector, control.action == IrqAction::Mask);
        }
    }

    pub(super) fn retain_controls(&self, state: &mut State, keep: impl FnMut(&Control) -> bool) {
        let before = state.controls.len();
        state.controls.retain(keep);
        if state.controls.len() != before {
            self.note_controls(state);
        }
    }

    fn note_controls(&self, state: &mut State) {
        let resample = state.controls.iter().find_map(Control::resample).cloned();
        state.vectors[IrqIndex::Intx as usize].unmask_by(0, resample);
        self.control_changes.fetch_add(1, Ordering::Relaxed);
    }
}
