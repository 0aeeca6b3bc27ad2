//! The timers of a device and of its blocks.

use std::fmt;

use super::{Block, DeclaredTimer, Descriptor};
use crate::model::Slot;

/// Timers of a declaration.
impl Descriptor {
    /// Returns the slots of all timers, those of blocks after those of the device.
    pub(crate) fn timer_slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let blocks = self.blocks().iter().enumerate().flat_map(|(block_index, block)| {
            (0..block.count() as usize).flat_map(move |element| {
                slots_of(block.timers()).map(move |slot| slot.in_block(block_index, element))
            })
        });
        slots_of(self.timers()).chain(blocks)
    }

    /// Returns the timer that a slot names, and the block that contains it.
    pub(crate) fn timer(
        &self,
        slot: Slot,
    ) -> Option<(&'static DeclaredTimer, Option<&'static Block>)> {
        let block = match slot.block {
            Some(at) => Some(self.blocks().get(at.block)?),
            None => None,
        };
        let timers = block.map_or(self.timers(), Block::timers);
        Some((timers.get(slot.register)?, block))
    }
}

fn slots_of(timers: &'static [DeclaredTimer]) -> impl Iterator<Item = Slot> {
    timers.iter().enumerate().flat_map(|(index, timer)| {
        (0..timer.count() as usize).map(move |element| Slot::new(index, element))
    })
}

/// Displays the name of a timer: `tick`, `ticks[2]`, `queues[3].patience`.
pub(crate) struct TimerName<'a> {
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) slot: Slot,
}

impl fmt::Display for TimerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((timer, block)) = self.descriptor.timer(self.slot) else { return Ok(()) };
        if let Some((block, at)) = block.zip(self.slot.block) {
            write!(f, "{}.", block.element(at.element))?;
        }
        f.write_str(timer.name())?;
        if timer.count() > 1 { write!(f, "[{}]", self.slot.element) } else { Ok(()) }
    }
}
