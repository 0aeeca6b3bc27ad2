//! The limits of a client.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::protocol::{MAX_DATA_XFER_SIZE, MAX_MSG_FDS, MIN_DATA_XFER_SIZE};
use crate::sys::MAX_FDS;

/// The limits of a client: what its server may use. The time to answer a request is
/// [`AttachOptions::timeout`](super::AttachOptions::timeout).
///
/// The defaults suit VMMs, and servers that are not trusted. A program changes what it needs:
///
/// ```no_run
/// use std::time::Duration;
/// use vfio_user::client::{AttachOptions, Client, ClientLimits};
///
/// let mut limits = ClientLimits::default();
/// limits.mapped_bytes = 1 << 30;
/// limits.negotiation = Duration::from_secs(1);
/// let options = AttachOptions { limits, ..AttachOptions::default() };
/// let client = Client::attach_with("/run/vm/device.sock", options)?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
///
/// What no field names is fixed, and listed with the others in `docs/client.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Bytes of data in one access or piece of migration data, in both directions, announced as
    /// `max_data_xfer_size`; from 4 KiB to the default of 1 MiB, other values count as the nearest
    /// of these. Longer accesses are divided. A request of the server for more is refused with
    /// `E2BIG`; an answer that is longer than any valid one is [`Error::Malformed`]. A bitmap of
    /// dirty pages has as many bytes, or 64 KiB if that is more.
    pub message_data: usize,
    /// Descriptors in one answer; at least 1, and at most the default of 253. Up to 16 are
    /// announced, as `max_msg_fds`. An answer with more is [`Error::Malformed`].
    pub descriptors: usize,
    /// Requests of [`Pending`](super::Pending) that are without an answer at a time; at least 1,
    /// and at most the default of 64. One more first waits for an earlier answer.
    pub pending: usize,
    /// Mapped parts of regions at a time; 1,024 by default. A region that would exceed it is
    /// [`Error::MapLimit`]; [`MappedBars`](super::MappedBars) and [`PciView`](super::PciView)
    /// access it by messages.
    pub maps: usize,
    /// Bytes of the server's files that are mapped at a time; 1 TiB by default. Beyond it, as for
    /// `maps`.
    pub mapped_bytes: u64,
    /// The time in which the server must negotiate a version and describe its device, once it is
    /// connected. Later, attaching fails with [`Error::Timeout`]. By default it has no limit but
    /// the time to answer each of these two requests, and if it ends shortly before that time, a
    /// 64th of it, the client waits for the rest as well.
    pub negotiation: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        ClientLimits {
            message_data: MAX_DATA_XFER_SIZE,
            descriptors: MAX_FDS,
            pending: Self::MOST_PENDING,
            maps: 1024,
            mapped_bytes: 1 << 40,
            negotiation: Duration::MAX,
        }
    }
}

impl ClientLimits {
    /// The answers to so many small requests fit in a socket.
    const MOST_PENDING: usize = 64;

    /// Returns the same limits within what the protocol allows.
    pub(super) fn within_protocol(self) -> Self {
        ClientLimits {
            message_data: self.message_data.clamp(MIN_DATA_XFER_SIZE, MAX_DATA_XFER_SIZE),
            descriptors: self.descriptors.clamp(1, MAX_FDS),
            pending: self.pending.clamp(1, Self::MOST_PENDING),
            ..self
        }
    }

    /// Returns the number of descriptors that a server is asked not to exceed.
    pub(super) fn announced_descriptors(&self) -> usize {
        self.descriptors.min(MAX_MSG_FDS)
    }
}

/// The maps of a client that exist, and how many may.
#[derive(Clone, Debug)]
pub(super) struct MapBudget(Arc<Maps>);

#[derive(Debug)]
struct Maps {
    most: (usize, u64),
    used: Mutex<(usize, u64)>,
}

impl MapBudget {
    pub(super) fn new(limits: &ClientLimits) -> Self {
        let most = (limits.maps, limits.mapped_bytes);
        MapBudget(Arc::new(Maps { most, used: Mutex::default() }))
    }

    /// Takes one map of this many bytes.
    ///
    /// # Errors
    ///
    /// [`Error::MapLimit`] if that exceeds a limit.
    pub(super) fn take(&self, bytes: u64) -> Result<MapShare> {
        let (maps, most) = self.0.most;
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        let total = used.1.checked_add(bytes).filter(|total| *total <= most && used.0 < maps);
        let Some(total) = total else {
            return Err(Error::MapLimit { wanted: bytes, maps, bytes: most });
        };
        *used = (used.0 + 1, total);
        Ok(MapShare { budget: self.clone(), bytes })
    }
}

/// The part of a budget that one map takes; returned on drop.
#[derive(Debug)]
pub(super) struct MapShare {
    budget: MapBudget,
    bytes: u64,
}

impl Drop for MapShare {
    fn drop(&mut self) {
        let mut used = self.budget.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = (used.0 - 1, used.1 - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_within_what_the_protocol_allows() {
        let least =
            ClientLimits { message_data: 0, descriptors: 0, pending: 0, ..Default::default() };
        let least = least.within_protocol();
        assert_eq!((least.message_data, least.descriptors, least.pending), (4096, 1, 1));
        let usize_max = ClientLimits {
            message_data: usize::MAX,
            descriptors: usize::MAX,
            pending: usize::MAX,
            ..Default::default()
        };
        assert_eq!(usize_max.within_protocol(), ClientLimits::default());
        assert_eq!(ClientLimits::default().announced_descriptors(), 16);
    }

    #[test]
    fn what_a_map_takes_is_returned_with_it() {
        let limits = ClientLimits { maps: 2, mapped_bytes: 0x3000, ..Default::default() };
        let budget = MapBudget::new(&limits);
        let refused = |bytes| matches!(budget.take(bytes), Err(Error::MapLimit { maps: 2, .. }));
        assert!(refused(0x3001) && refused(u64::MAX));
        let whole = budget.take(0x3000).unwrap();
        assert!(refused(1));
        drop(whole);
        let [_one, two] = [budget.take(1).unwrap(), budget.take(1).unwrap()];
        assert!(refused(1));
        drop(two);
        assert!(refused(0x3000) && budget.take(0x2fff).is_ok());
    }
}
