//! Memory whose accesses are recorded, or answered from a recording.

use std::sync::Arc;

use super::Dma;
use super::backing::{Backing, Tapped};
use super::region::{NewRegion, Region};
use super::rights::Rights;
use crate::protocol::Errno;
use crate::tape::{Act, RegionKind, Tap, Unrecorded};

impl NewRegion {
    /// Creates a region that a recording describes.
    ///
    /// # Errors
    ///
    /// EINVAL if it is empty.
    pub(crate) fn replayed(
        (first, last): (u64, u64),
        rights: Rights,
        kind: RegionKind,
    ) -> Result<Self, Errno> {
        let size = last.checked_sub(first).and_then(|rest| rest.checked_add(1));
        let region = NewRegion::messages(first, size.ok_or(Errno::EINVAL)?, rights)?;
        Ok(match kind {
            RegionKind::Messages => region,
            kind => region.answered_by_recording(kind == RegionKind::Mapped),
        })
    }
}

impl Region {
    /// Makes the accesses to a region pass a recorder or a player. Those by messages do not: their
    /// requests and replies do.
    pub(super) fn tapped(mut self, tap: &Arc<dyn Tap>) -> Self {
        let inner = self.backing().clone();
        if !matches!(inner, Backing::Messages(_)) {
            let tap = Arc::clone(tap);
            self.set_backing(Backing::Tapped(Arc::new(Tapped::new(inner, tap))));
        }
        self
    }

    /// Notes that the device takes an address or a file of the memory.
    pub(super) fn note_direct(&self) {
        if let Backing::Tapped(tapped) = self.backing() {
            tapped.tap().unrecorded(Unrecorded::DirectMemory);
        }
    }

    /// Returns the change that maps it.
    pub(super) fn mapped_by(&self) -> Act {
        let (first, last, rights) = (self.first(), self.last(), self.rights().bits());
        Act::Map { first, last, rights, kind: self.backing().kind() }
    }
}

impl Dma {
    /// Makes all later changes of the client, and all accesses to memory that it maps from now on,
    /// pass a recorder or a player. Has an effect once.
    pub(crate) fn set_tap(&self, tap: &Arc<dyn Tap>) {
        let _ = self.shared.tap.set(Arc::clone(tap));
        self.transfers().set_tap(tap);
    }

    pub(crate) fn tap(&self) -> Option<&Arc<dyn Tap>> {
        self.shared.tap.get()
    }

    /// Notes a change by the client.
    pub(super) fn note(&self, act: impl FnOnce() -> Act) {
        if let Some(tap) = self.tap() {
            tap.act(act());
        }
    }
}
