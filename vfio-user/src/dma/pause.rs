//! Keeping a device from the client's memory while it has to stand still.

use std::sync::{Arc, Weak};

use super::region::Region;
use super::table::Table;
use super::{Changes, Departure, Dma};

/// The memory of a device that is stopped.
#[derive(Debug)]
pub(super) struct Parked {
    /// What the client has mapped.
    table: Arc<Table>,
    /// The regions that the device had, of which guards may be left.
    old: Vec<Weak<Region>>,
}

impl Dma {
    /// Keeps the device from all memory: no access begins any more. What comes back is over when no
    /// guard is left. If it is stopped already, nothing happens.
    pub(crate) fn pause(&self) -> Departure {
        let mut changes = self.changes();
        if changes.parked.is_some() {
            return Departure::new(Box::default());
        }
        // Whoever holds a region holds the one that was there before.
        let old = self.shared.table.swap(Arc::new(Table::paused()));
        let logs = old.regions().map(|region| Arc::clone(region.log())).collect();
        let departure = Departure::new(logs);
        let regions = || old.regions();
        changes.parked = Some(Parked {
            table: Arc::new(Table::of(regions().map(|region| Arc::new(region.renewed())))),
            old: regions().map(Arc::downgrade).collect(),
        });
        regions().for_each(|region| region.ticket().assign(&departure));
        departure
    }

    /// Lets the device to the memory again.
    pub(crate) fn unpause(&self) {
        let mut changes = self.changes();
        let Some(Parked { mut table, old }) = changes.parked.take() else { return };
        // What is still held has to be what later unmaps wait for.
        for held in old.iter().filter_map(Weak::upgrade) {
            held.ticket().withdraw();
            let (first, last) = (held.first(), held.last());
            let renewed: Vec<_> = table.overlapping(first, last).cloned().collect();
            table = Arc::new(table.without(first, last, &renewed).with(held));
        }
        self.shared.table.store(table);
    }

    /// What the client has mapped, whether the device may access it now or not.
    pub(super) fn mapped(&self, changes: &Changes) -> Arc<Table> {
        match &changes.parked {
            Some(parked) => Arc::clone(&parked.table),
            None => self.shared.table.load_full(),
        }
    }

    pub(super) fn set_mapped(&self, changes: &mut Changes, table: Table) {
        match &mut changes.parked {
            Some(parked) => parked.table = Arc::new(table),
            None => self.shared.table.store(Arc::new(table)),
        }
    }
}
