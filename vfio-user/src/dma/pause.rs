//! Blocks access to the client's memory while the device is stopped.

use std::sync::{Arc, Weak};

use arc_swap::Guard;

use super::held::TableRef;
use super::table::Table;
use super::{Changes, Dma, DmaError, PendingUnmap};
use crate::tape::Act;

impl Dma {
    /// Blocks all memory for every thread but the device's own: no new access begins. The returned
    /// unmap is finished when no guard is left.
    pub(crate) fn pause(&self) -> PendingUnmap {
        self.note(|| Act::PauseDma);
        let mut changes = self.changes();
        let old = changes.paused.take().unwrap_or_else(|| self.shared.table.load_full());
        self.set_table(Arc::new(Table::paused(old.session())));
        // Every holder of memory holds regions that existed before; hooks get others of the same
        // memory.
        let held = old.possibly_held();
        let renewed: Vec<_> = held.iter().map(|region| Arc::new(region.renewed())).collect();
        let table = if held.is_empty() { old } else { Arc::new(old.with_held(renewed)) };
        changes.paused = Some(table);
        changes.renewed = held.iter().map(Arc::downgrade).collect();
        let unmap = PendingUnmap::new(held.iter().map(|region| Arc::clone(region.log())).collect());
        for region in &held {
            region.token().assign(&unmap);
        }
        self.transfers().shorten_deadline();
        unmap
    }

    /// Lets the device access the memory again.
    pub(crate) fn unpause(&self) {
        self.note(|| Act::UnpauseDma);
        let mut changes = self.changes();
        let mut table = self.mapped(&changes);
        changes.paused = None;
        // Later unmaps have to wait for the regions that are still held.
        let renewed = std::mem::take(&mut changes.renewed);
        let held: Vec<_> = renewed.iter().filter_map(Weak::upgrade).collect();
        if !held.is_empty() {
            for region in &held {
                region.token().withdraw();
            }
            table = Arc::new(table.with_held(held));
        }
        self.set_table(table);
    }

    /// Returns the memory that this handle may access; `iova` is the first address of the access.
    ///
    /// # Errors
    ///
    /// [`DmaError::SessionEnded`], [`DmaError::NotBusMaster`].
    #[inline]
    pub(super) fn table(&self, iova: u64) -> Result<TableRef<'_>, DmaError> {
        if let Some(table) = self.held_table() {
            self.shared.status.check(table.session(), iova)?;
            return Ok(TableRef::Held(table));
        }
        let table = self.any_table();
        // Compared with the table itself, so that its content belongs to the same session.
        if self.session.is_some_and(|session| session != table.session()) {
            return Err(DmaError::SessionEnded { iova });
        }
        self.shared.status.check_open(iova)?;
        Ok(TableRef::Loaded(table))
    }

    /// Returns the memory, whatever the session of this handle.
    #[inline]
    pub(super) fn any_table(&self) -> Guard<Arc<Table>> {
        let table = self.shared.table.load();
        if table.is_paused() && self.is_own {
            return Guard::from_inner(self.mapped(&self.changes()));
        }
        table
    }

    /// Returns the memory, if the session of this handle has not ended.
    pub(super) fn live_table(&self) -> Option<Guard<Arc<Table>>> {
        let table = self.any_table();
        self.session.is_none_or(|session| session == table.session()).then_some(table)
    }

    /// Returns what the client has mapped, whether the device may access it now or not.
    pub(super) fn mapped(&self, changes: &Changes) -> Arc<Table> {
        match &changes.paused {
            Some(paused) => Arc::clone(paused),
            None => self.shared.table.load_full(),
        }
    }

    pub(super) fn set_mapped(&self, changes: &mut Changes, table: Table) {
        match &mut changes.paused {
            Some(paused) => *paused = Arc::new(table),
            None => self.set_table(Arc::new(table)),
        }
    }
}
