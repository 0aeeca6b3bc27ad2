//! Eventfds by which the client, or its hypervisor, masks and unmasks vectors.

use std::collections::{BTreeMap, BTreeSet};
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

/// The vector of a control eventfd, and its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ControlId(u32);

impl ControlId {
    /// Vectors have numbers of 11 bits.
    const VECTORS: u32 = 1 << 12;

    fn new(index: IrqIndex, action: IrqAction, vector: u32) -> Self {
        let action = u32::from(action == IrqAction::Mask);
        ControlId((index as u32 * 2 + action) * Self::VECTORS + vector)
    }

    fn range(index: IrqIndex, action: IrqAction, vectors: Range<u32>) -> Range<Self> {
        Self::new(index, action, vectors.start)..Self::new(index, action, vectors.end)
    }

    /// Returns all of an index.
    fn of_index(index: IrqIndex) -> Range<Self> {
        let first = Self::new(index, IrqAction::Unmask, 0);
        first..ControlId(first.0 + 2 * Self::VECTORS)
    }

    /// Returns the index, the action and the vector.
    pub(super) fn parts(self) -> (u32, IrqAction, u32) {
        let (kind, vector) = (self.0 / Self::VECTORS, self.0 % Self::VECTORS);
        let action = if kind % 2 == 1 { IrqAction::Mask } else { IrqAction::Unmask };
        (kind / 2, action, vector)
    }

    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        ControlId(bits)
    }
}

/// The control eventfds of a client: at most one for each vector and action.
#[derive(Debug, Default)]
pub(super) struct Controls {
    all: BTreeMap<ControlId, Control>,
    /// Those that were set or removed since [`Interrupts::take_control_changes`].
    changed: BTreeSet<ControlId>,
}

impl Controls {
    fn set(&mut self, id: ControlId, control: Control) {
        self.changed.insert(id);
        self.all.insert(id, control);
    }

    fn remove(&mut self, range: Range<ControlId>) {
        while let Some((id, _)) = self.all.range(range.clone()).next() {
            let id = *id;
            self.all.remove(&id);
            self.changed.insert(id);
        }
    }

    /// Returns all eventfds.
    pub(super) fn eventfds(&self) -> impl Iterator<Item = (ControlId, &EventFd)> {
        self.all.iter().map(|(id, control)| (*id, control.eventfd()))
    }

    /// Returns the eventfd that unmasks INTx.
    fn resample(&self) -> Option<&Arc<Resample>> {
        self.all.get(&ControlId::new(IrqIndex::Intx, IrqAction::Unmask, 0))?.resample()
    }
}

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

    /// Takes the signal. Returns whether there was one that requires the action.
    fn take(&self) -> bool {
        match &self.signal {
            Signal::Eventfd(eventfd) => eventfd.take().is_some(),
            Signal::Resample(resample) => resample.take(),
        }
    }

    fn eventfd(&self) -> &EventFd {
        match &self.signal {
            Signal::Eventfd(eventfd) => eventfd,
            Signal::Resample(resample) => resample.eventfd(),
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
        self.change_controls(&mut self.state(), |all| {
            for control in controls {
                all.set(ControlId::new(index, action, control.vector), control);
            }
        });
        Ok(())
    }

    /// Removes the eventfds of `action` for `count` vectors from `start` on.
    pub(crate) fn ignore(&self, index: IrqIndex, action: IrqAction, start: u32, count: u32) {
        let range = ControlId::range(index, action, start..start + count);
        self.change_controls(&mut self.state(), |all| all.remove(range));
    }

    /// Removes the eventfds of an index.
    pub(super) fn ignore_index(&self, state: &mut State, index: IrqIndex) {
        self.change_controls(state, |all| all.remove(ControlId::of_index(index)));
    }

    /// Returns whether eventfds were set or removed since the last
    /// [`take_control_changes`](Self::take_control_changes), without a lock.
    pub(crate) fn has_control_changes(&self) -> bool {
        self.control_changes.load(Ordering::Relaxed)
    }

    /// Returns the eventfds that were set since the last call, and those that were removed as
    /// `None`. A client may have thousands of others, which cost nothing.
    pub(crate) fn take_control_changes(&self) -> Vec<(ControlId, Option<Control>)> {
        let mut state = self.state();
        self.control_changes.store(false, Ordering::Relaxed);
        let Controls { all, changed } = &mut state.controls;
        std::mem::take(changed).into_iter().map(|id| (id, all.get(&id).cloned())).collect()
    }

    /// Handles an eventfd that may have been signalled.
    pub(crate) fn poll_control(&self, control: &Control) {
        let mut state = self.state();
        if control.take() {
            let masked = control.action == IrqAction::Mask;
            state.mask_all(control.index, masked, [control.vector]);
        }
    }

    fn change_controls(&self, state: &mut State, change: impl FnOnce(&mut Controls)) {
        change(&mut state.controls);
        if !state.controls.changed.is_empty() {
            let resample = state.controls.resample().cloned();
            state.vectors[IrqIndex::Intx as usize].unmask_by(0, resample);
            self.control_changes.store(true, Ordering::Relaxed);
        }
    }
}
