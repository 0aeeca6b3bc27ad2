//! Timers in the state, as their remaining time: those of the device in a section of their own,
//! those of a block in its section.

use super::PciFunction;
use super::columns::BlockPart;
use crate::device::{PciDevice, SavedTimer, Timer};
use crate::migration::{
    Field, Section, SectionsWriter, StateError, StateLayout, StateReader, StateWriter,
};
use crate::model::{DeclaredTimer, Slot};

const TIMERS: &str = "timers";
const LAYOUT: StateLayout = StateLayout::new(1, 1, &[]);

impl<D: PciDevice> PciFunction<D> {
    /// Saves the armed timers of the device itself, so that a version without the other timers can
    /// load the stream.
    pub(super) fn save_timers(&self, writer: &mut SectionsWriter) -> Result<(), StateError> {
        let columns = || columns(self.descriptor.timers(), None);
        let is_armed = |slot| self.device.timer(slot).is_some_and(Timer::is_armed);
        if !columns().any(|column| column.slots().any(is_armed)) {
            return Ok(());
        }
        let mut out = StateWriter::new(writer, TIMERS, &LAYOUT);
        columns().try_for_each(|column| self.save_column(&column, &mut out))?;
        out.finish();
        Ok(())
    }

    /// Saves the armed timers in elements of a block.
    pub(super) fn save_block_timers(
        &self,
        part: &BlockPart,
        out: &mut StateWriter<'_>,
    ) -> Result<(), StateError> {
        let mut columns = columns(part.block.timers(), Some(part));
        columns.try_for_each(|column| self.save_column(&column, out))
    }

    /// Saves timers, if any is armed. An array of the device's own may grow, so it ends with the
    /// last one that is armed.
    fn save_column(
        &self,
        column: &TimerColumn<'_>,
        out: &mut StateWriter<'_>,
    ) -> Result<(), StateError> {
        let now = self.clock().now();
        let saved = |slot| self.device.timer(slot)?.save(now);
        let mut timers: Vec<Option<SavedTimer>> = column.slots().map(saved).collect();
        let armed = timers.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if column.part.is_none() {
            timers.truncate(armed);
        }
        let name = column.timer.name();
        let one = timers.first().copied().flatten().filter(|_| column.is_single());
        match one.and_then(|one| one.once_left()) {
            _ if armed == 0 => Ok(()),
            Some(left) => out.put_named(name, &Some(left)),
            None => out.put_named(name, &timers),
        }
    }

    /// Loads the timers of the device itself. A timer that the stream lacks is not armed.
    pub(super) fn load_timers(
        &self,
        sections: &mut Vec<Section<'_>>,
        unknown: &mut usize,
    ) -> Result<Vec<(Slot, Timer)>, StateError> {
        let columns = columns(self.descriptor.timers(), None);
        let Some(place) = sections.iter().position(|section| section.id == TIMERS) else {
            let slots = columns.flat_map(|column| column.slots());
            return Ok(slots.map(|slot| (slot, Timer::default())).collect());
        };
        let layout = LAYOUT.with_removed(self.layout()?.removed);
        let mut from = StateReader::new(sections.remove(place), &layout)?;
        let mut timers = Vec::new();
        for column in columns {
            self.load_column(&column, &mut from, &mut timers)?;
        }
        *unknown += from.finish()?;
        Ok(timers)
    }

    /// Loads the timers in elements of a block.
    pub(super) fn load_block_timers(
        &self,
        part: &BlockPart,
        from: &mut StateReader<'_>,
        timers: &mut Vec<(Slot, Timer)>,
    ) -> Result<(), StateError> {
        let mut columns = columns(part.block.timers(), Some(part));
        columns.try_for_each(|column| self.load_column(&column, from, timers))
    }

    fn load_column(
        &self,
        column: &TimerColumn<'_>,
        from: &mut StateReader<'_>,
        timers: &mut Vec<(Slot, Timer)>,
    ) -> Result<(), StateError> {
        let now = self.clock().now();
        let found = from.find(column.timer.name(), column.timer.old_names());
        let saved = found.map_or(Ok(Vec::new()), |field| column.read(&field, from))?;
        let saved = saved.into_iter().chain(std::iter::repeat(None));
        let restored = saved.map(|saved| Timer::restore(saved, now));
        timers.extend(column.slots().zip(restored));
        Ok(())
    }
}

/// A timer of the device, or of elements of a block, with all its elements.
struct TimerColumn<'p> {
    timer: &'static DeclaredTimer,
    timer_index: usize,
    part: Option<&'p BlockPart>,
}

fn columns<'p>(
    timers: &'static [DeclaredTimer],
    part: Option<&'p BlockPart>,
) -> impl Iterator<Item = TimerColumn<'p>> {
    let timers = timers.iter().enumerate();
    timers.map(move |(timer_index, timer)| TimerColumn { timer, timer_index, part })
}

impl TimerColumn<'_> {
    fn is_single(&self) -> bool {
        self.part.is_none() && self.timer.count() == 1
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let (timer, count) = (self.timer_index, self.timer.count() as usize);
        let block = self.part.map(|part| part.block_index);
        let blocks = self.part.map_or(0..1, |part| part.part.elements());
        blocks.flat_map(move |block_element| {
            (0..count).map(move |element| match block {
                Some(block) => Slot::new(timer, element).in_block(block, block_element),
                None => Slot::new(timer, element),
            })
        })
    }

    /// Reads the timers of a field: those of a block as many as there are, others at most as many.
    fn read(
        &self,
        field: &Field<'_>,
        from: &StateReader<'_>,
    ) -> Result<Vec<Option<SavedTimer>>, StateError> {
        let name = self.timer.name();
        if self.part.is_none()
            && let Ok(left) = from.decoded::<Option<u64>>(name, field)
        {
            return Ok(vec![left.map(SavedTimer::once)]);
        }
        let timers: Vec<Option<SavedTimer>> = from.decoded(name, field)?;
        let (count, wanted) = (timers.len(), self.slots().count());
        if count == wanted || (self.part.is_none() && count < wanted) {
            return Ok(timers);
        }
        Err(from.wrong_count(name, count, wanted))
    }
}
