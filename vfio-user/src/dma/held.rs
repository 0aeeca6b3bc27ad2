//! All memory of a client, held for a piece of work.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::Guard;

use super::table::Table;
use super::{Dma, SessionDma};

/// A table that a handle uses for all its accesses, until it is released.
#[derive(Debug)]
pub(super) struct HeldTable {
    table: Arc<Table>,
    /// The number of changes before.
    version: u64,
}

/// The table of an access.
pub(super) enum TableRef<'a> {
    Held(&'a Arc<Table>),
    Loaded(Guard<Arc<Table>>),
}

impl Deref for TableRef<'_> {
    type Target = Table;

    #[inline]
    fn deref(&self) -> &Table {
        match self {
            TableRef::Held(table) => table,
            TableRef::Loaded(table) => table,
        }
    }
}

#[cfg(feature = "vm-memory")]
impl TableRef<'_> {
    pub(super) fn into_arc(self) -> Arc<Table> {
        match self {
            TableRef::Held(table) => Arc::clone(table),
            TableRef::Loaded(table) => Guard::into_inner(table),
        }
    }
}

impl SessionDma {
    /// Holds all memory, unless the device is stopped or the session has ended: an unmap of any of
    /// it waits. Until the [release](Self::release), the handle accesses what is mapped now.
    /// Returns whether it holds the memory.
    pub(crate) fn hold_all(&mut self) -> bool {
        let dma = self.dma_mut();
        // First, so that a change in between makes the table outdated.
        let version = dma.shared.version.load(Ordering::Acquire);
        let table = dma.live_table().filter(|table| !table.is_paused()).map(Guard::into_inner);
        dma.held = table.map(|table| HeldTable { table, version });
        dma.held.is_some()
    }

    /// Returns whether the memory that it holds is what is mapped.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        let version = self.shared.version.load(Ordering::Acquire);
        self.held.as_ref().is_some_and(|held| held.version == version)
    }

    /// Releases all memory.
    pub(crate) fn release(&mut self) {
        self.dma_mut().held = None;
    }
}

impl Dma {
    /// Replaces the table.
    pub(super) fn set_table(&self, table: Arc<Table>) {
        self.shared.table.store(table);
        self.shared.version.fetch_add(1, Ordering::Release);
    }

    /// Returns the table that this handle holds.
    #[inline]
    pub(super) fn held_table(&self) -> Option<&Arc<Table>> {
        self.held.as_ref().map(|held| &held.table)
    }
}
