//! Timers in the state: what is left of their time.

use std::time::Duration;

use super::{Hosted, take_section};
use crate::device::{PciDevice, Timer};
use crate::migration::{
    Section, SectionsWriter, StateError, StateLayout, StateReader, StateWriter,
};

const TIMERS: &str = "timers";
const LAYOUT: StateLayout = StateLayout::new(1, 1, &[]);

impl<D: PciDevice> Hosted<D> {
    /// A device without timers has no section of them.
    pub(super) fn save_timers(&self, writer: &mut SectionsWriter) -> Result<(), StateError> {
        if D::TIMERS.is_empty() {
            return Ok(());
        }
        let now = self.clock().now();
        let mut out = StateWriter::new(writer, TIMERS, &LAYOUT);
        for (place, name) in D::TIMERS.iter().enumerate() {
            let deadline = self.device.timer(place).and_then(Timer::deadline);
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            let nanoseconds = left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
            out.put_named(name, &nanoseconds)?;
        }
        out.finish();
        Ok(())
    }

    /// The timers as they were. One that the stream does not know is not armed.
    pub(super) fn load_timers(
        &self,
        sections: &mut Vec<Section<'_>>,
    ) -> Result<Vec<Timer>, StateError> {
        if D::TIMERS.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock().now();
        let mut from = StateReader::new(take_section(sections, TIMERS)?, &LAYOUT)?;
        let mut timers = Vec::new();
        for name in D::TIMERS {
            let left: Option<u64> = match from.find(name, None) {
                Some(value) => from.decoded(name, value)?,
                None => None,
            };
            timers.push(Timer::with_remaining(left.map(Duration::from_nanos), now));
        }
        from.finish()?;
        Ok(timers)
    }
}
