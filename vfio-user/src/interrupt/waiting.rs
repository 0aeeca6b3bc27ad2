//! The causes that wait for the delivery of each vector.
//!
//! A vector is pending while a cause of it is (PCI Express Base Specification 5.0, 6.1.4.5): a
//! cause that ends before the delivery withdraws its interrupt.

use super::State;
use crate::protocol::IrqIndex;

/// Why a source raises an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its level has risen; the cause ends when the level falls.
    Level,
    /// It was raised; only the device can withdraw it.
    Pulse,
}

/// The vector that a cause waits for, and the epoch in which it waits.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    index: IrqIndex,
    vector: u32,
    epoch: u64,
}

/// The undelivered causes of each source.
#[derive(Debug)]
pub(super) struct Waiting {
    tickets: Box<[[Option<Ticket>; 2]]>,
}

impl Waiting {
    pub(super) fn new(sources: u16) -> Self {
        Waiting { tickets: vec![[None; 2]; sources.into()].into() }
    }

    fn of(&mut self, source: u16, cause: Cause) -> &mut Option<Ticket> {
        &mut self.tickets[usize::from(source)][cause as usize]
    }
}

impl State {
    /// Raises the interrupt of a source that exists, after a write if there is one.
    pub(super) fn raise_for(&mut self, source: u16, cause: Cause, after: Option<u64>) {
        let (index, vector) = self.route(source);
        let waits = self.ticket(source, cause);
        let waits_here = waits.is_some_and(|at| (at.index, at.vector) == (index, vector));
        if !waits_here {
            // The earlier message, to whichever vector, was for the same cause.
            self.withdraw(source, cause);
        }
        let is_silent = index == IrqIndex::Intx && self.line_disabled;
        let vectors = &mut self.vectors[index as usize];
        vectors.raise(vector, !waits_here, after);
        if !is_silent {
            vectors.deliver(vector);
        }
        let epoch = vectors.epoch(vector);
        *self.waiting.of(source, cause) = epoch.map(|epoch| Ticket { index, vector, epoch });
    }

    /// Ends a cause. If its interrupt has not been delivered yet, it is no longer pending for that
    /// cause.
    pub(super) fn withdraw(&mut self, source: u16, cause: Cause) {
        if let Some(Ticket { index, vector, .. }) = self.ticket(source, cause) {
            self.vectors[index as usize].withdraw(vector);
        }
        *self.waiting.of(source, cause) = None;
    }

    /// Returns whether a cause waits for its delivery.
    pub(super) fn waits(&mut self, source: u16, cause: Cause) -> bool {
        self.ticket(source, cause).is_some()
    }

    fn ticket(&mut self, source: u16, cause: Cause) -> Option<Ticket> {
        let ticket = (*self.waiting.of(source, cause))?;
        let epoch = self.vectors[ticket.index as usize].epoch(ticket.vector);
        (epoch == Some(ticket.epoch)).then_some(ticket)
    }

    /// Assigns loaded pending vectors to causes. A message that belongs to exactly one source is
    /// pending for its level if that is set, otherwise because it was raised, and so is a pulse of
    /// INTx with one source.
    pub(super) fn attribute_pending(&mut self) {
        let sources = u16::try_from(self.waiting.tickets.len()).unwrap_or(u16::MAX);
        for source in 0..sources {
            let (index, vector) = self.route(source);
            let is_its_own = match index {
                IrqIndex::Msi => self.vectors[index as usize].messages() >= sources.into(),
                IrqIndex::Intx => sources == 1,
                _ => true,
            };
            let epoch = self.vectors[index as usize].epoch(vector).filter(|_| is_its_own);
            let ticket = epoch.map(|epoch| Ticket { index, vector, epoch });
            // A level of INTx does not pend: it is evaluated when nothing holds the line back.
            let is_level = index != IrqIndex::Intx && self.lines.is_set(source);
            let cause = if is_level { Cause::Level } else { Cause::Pulse };
            self.waiting.tickets[usize::from(source)] = [None; 2];
            *self.waiting.of(source, cause) = ticket;
        }
    }
}
