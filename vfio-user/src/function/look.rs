//! Answers to a monitor, a small part at a time.

use super::{Function, PciFunction, Peek, PeekError};
use crate::bus::TouchedPlace;
use crate::device::PciDevice;
use crate::dma::{Outline, Rights};
use crate::interrupt::VectorLook;
use crate::model::Slot;
use crate::monitor::{Answer, Mapping, PART, Question, Refused, UnmodelledPlace, Value, Vector};
use crate::protocol::IrqIndex;

impl<D: PciDevice> PciFunction<D> {
    /// Answers a question of a monitor. No hook runs.
    pub(super) fn look(&mut self, question: &Question) -> Answer {
        match question {
            Question::Registers(from) => Answer::Registers(self.values(*from)),
            Question::Peek(name) => self.value(name),
            Question::Poke(name, value) => match self.poke_running(name, *value) {
                Ok(()) => self.value(name),
                Err(reason) => Answer::Refused(reason),
            },
            Question::Interrupts(from) => {
                let (vectors, has_more) = self.interrupts().look(*from, PART);
                Answer::Interrupts(vectors.into_iter().map(Vector::from).collect(), has_more)
            }
            Question::Dma(from) => {
                let regions = self.dma().outline(*from, PART).into_iter();
                Answer::Dma(regions.map(Mapping::from).collect())
            }
            Question::Unmodelled(from) => {
                let places = self.burndown_handle().part(*from, PART).into_iter();
                Answer::Unmodelled(places.map(UnmodelledPlace::from).collect())
            }
            Question::Counters => {
                let refused = self.refusals().counts();
                let refused =
                    refused.map(|(reason, count)| Refused { reason: reason.into(), count });
                Answer::Counters(refused.collect(), self.dma().counted_bytes())
            }
        }
    }

    /// Returns the values of registers from a number on, of those that exist.
    fn values(&self, from: u64) -> Vec<(Slot, Value)> {
        let Some(observer) = self.observer() else { return Vec::new() };
        let numbers = from..from.saturating_add(PART as u64);
        let slots = numbers.filter_map(|number| observer.numbering().slot(number));
        slots.map(|slot| (slot, self.peek_slot(slot).into())).collect()
    }

    fn value(&self, name: &str) -> Answer {
        match self.peek(name) {
            Ok(peek) => Answer::Value(self.slot_named(name), peek.into()),
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    /// Changes a register, unless the state is on its way to another process.
    fn poke_running(&mut self, name: &str, value: u64) -> Result<(), String> {
        if self.is_held() {
            return Err("the device is stopped".to_owned());
        }
        self.poke(name, value).map_err(|error: PeekError| error.to_string())
    }
}

impl From<Peek> for Value {
    fn from(peek: Peek) -> Self {
        Value { bits: peek.bits(), is_exact: peek.is_known() }
    }
}

impl From<VectorLook> for Vector {
    fn from(look: VectorLook) -> Self {
        let kind = match look.index {
            IrqIndex::Intx => "intx",
            IrqIndex::Msi => "msi",
            IrqIndex::Msix => "msix",
            IrqIndex::Err => "err",
            IrqIndex::Req => "req",
        };
        Vector {
            kind: kind.to_owned(),
            vector: look.number,
            assigned: look.is_assigned,
            masked: look.is_masked,
            pending: look.is_pending,
            raised: look.raised,
            delivered: look.delivered,
        }
    }
}

impl From<Outline> for Mapping {
    fn from(region: Outline) -> Self {
        Mapping {
            iova: region.first,
            last: region.last,
            read: region.rights.contains(Rights::READ),
            write: region.rights.contains(Rights::WRITE),
            by: region.by.to_owned(),
        }
    }
}

impl From<TouchedPlace> for UnmodelledPlace {
    fn from(place: TouchedPlace) -> Self {
        let TouchedPlace { bar, offset, name, reads, writes, written } = place;
        let name = name.map(|(name, within)| (name.to_owned(), within));
        UnmodelledPlace { bar, offset, name, reads, writes, written }
    }
}
