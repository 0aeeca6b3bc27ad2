//! Timers in the state, as their remaining time.

use std::time::Duration;

use super::PciFunction;
use crate::device::{PciDevice, Timer};
use crate::migration::{
    Section, SectionsWriter, StateError, StateLayout, StateReader, StateWriter,
};

const TIMERS: &str = "timers";
const LAYOUT: StateLayout = StateLayout::new(1, 1, &[]);

impl<D: PciDevice> PciFunction<D> {
    /// Saves the armed timers, so that a version without the other timers can load the stream.
    pub(super) fn save_timers(&self, writer: &mut SectionsWriter) -> Result<(), StateError> {
        let now = self.clock().now();
        let deadline = |place| self.device.timer(place).and_then(Timer::deadline);
        let timers = D::TIMERS.iter().enumerate();
        let armed: Vec<_> =
            timers.filter_map(|(place, name)| Some((name, deadline(place)?))).collect();
        if armed.is_empty() {
            return Ok(());
        }
        let mut out = StateWriter::new(writer, TIMERS, &LAYOUT);
        for (name, deadline) in armed {
            let left = deadline.saturating_duration_since(now).as_nanos();
            out.put_named(name, &Some(u64::try_from(left).unwrap_or(u64::MAX)))?;
        }
        out.finish();
        Ok(())
    }

    /// Loads the timers. A timer that the stream lacks is not armed.
    pub(super) fn load_timers(
        &self,
        sections: &mut Vec<Section<'_>>,
        unknown: &mut usize,
    ) -> Result<Vec<Timer>, StateError> {
        let layout = LAYOUT.removed(self.layout()?.removed);
        let Some(place) = sections.iter().position(|section| section.id == TIMERS) else {
            return Ok(D::TIMERS.iter().map(|_| Timer::default()).collect());
        };
        let now = self.clock().now();
        let mut from = StateReader::new(sections.remove(place), &layout)?;
        let mut timers = Vec::new();
        for (place, name) in D::TIMERS.iter().enumerate() {
            let old = D::OLD_TIMERS.get(place).copied().unwrap_or_default();
            let left: Option<u64> = match from.find(name, old) {
                Some(value) => from.decoded(name, &value)?,
                None => None,
            };
            timers.push(Timer::with_remaining(left.map(Duration::from_nanos), now));
        }
        *unknown += from.finish()?;
        Ok(timers)
    }
}
