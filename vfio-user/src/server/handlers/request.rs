//! The request that a handler receives.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::fds::PeerFds;
use crate::protocol::{Capabilities, DeviceFeature, Errno};
use crate::server::pending_request::Blocked;
use crate::transport::Reply;

/// A request's payload and descriptors; descriptors that a handler does not take are closed.
pub(in crate::server) struct Request<'a> {
    pub(in crate::server) payload: &'a [u8],
    pub(in crate::server) fds: PeerFds,
    /// The capabilities of the client.
    pub(in crate::server) client: &'a Capabilities,
    /// The wait that the handler requests before the answer.
    pub(in crate::server) blocked: Option<Blocked>,
}

impl<'a> Request<'a> {
    /// Returns the fixed part of the payload, and what follows it.
    pub(super) fn fixed<T>(&self) -> Result<(&'a T, &'a [u8]), Errno>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        T::ref_from_prefix(self.payload).map_err(|_| Errno::EINVAL)
    }

    /// Returns the head of a feature, and its data.
    pub(super) fn feature(&self) -> Result<(&'a DeviceFeature, &'a [u8]), Errno> {
        self.fixed()
    }

    /// Replies with the data of a feature, if there is room for it.
    pub(super) fn answer_feature(
        &self,
        reply: &mut Reply<'_>,
        data: &(impl IntoBytes + Immutable),
    ) -> Result<(), Errno> {
        let (head, _) = self.feature()?;
        let size = size_of::<DeviceFeature>() + size_of_val(data);
        let argsz = u32::try_from(size).map_err(|_| Errno::E2BIG)?;
        if head.argsz.get() < argsz {
            return Err(Errno::EINVAL);
        }
        reply.push(&DeviceFeature { argsz: argsz.into(), ..*head });
        reply.push(data);
        Ok(())
    }
}
