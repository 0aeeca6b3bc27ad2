//! A request, as its handler gets it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::fds::PeerFds;
use crate::protocol::{Capabilities, DeviceFeature, Errno};
use crate::server::suspended::Wait;
use crate::transport::Reply;

/// A request's payload and descriptors; what a handler does not take is closed.
pub(in crate::server) struct Request<'a> {
    pub(in crate::server) payload: &'a [u8],
    pub(in crate::server) fds: PeerFds,
    /// What the client can do.
    pub(in crate::server) client: &'a Capabilities,
    /// What it waits for before it can be answered.
    pub(in crate::server) wait: Option<Wait>,
}

impl<'a> Request<'a> {
    /// The fixed part of the payload, and what follows it.
    pub(super) fn fixed<T>(&self) -> Result<(&'a T, &'a [u8]), Errno>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        T::ref_from_prefix(self.payload).map_err(|_| Errno::EINVAL)
    }

    /// The head of a feature, and its data.
    pub(super) fn feature(&self) -> Result<(&'a DeviceFeature, &'a [u8]), Errno> {
        self.fixed()
    }

    /// Replies with a feature that was got, if there is room for it.
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
