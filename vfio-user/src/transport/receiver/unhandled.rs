//! The data of a connection that was received and not handled yet, for another program.

use std::io;

use serde::{Deserialize, Serialize};

use super::{Descriptors, Receiver};
use crate::fds::{PeerFd, PeerFds};
use crate::parcel::{ByteRange, FdNumber, Packing, ParcelError, Unpacking};

/// Whole messages and a part of one, as they arrived.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Unhandled {
    bytes: ByteRange,
    /// The number of bytes to skip before the first message.
    skip: usize,
    /// Descriptors, in the order of their messages.
    fds: Vec<UnhandledFds>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct UnhandledFds {
    /// The place of their message in the bytes.
    at: usize,
    fds: Vec<FdNumber>,
    are_lost: bool,
}

impl Unhandled {
    /// Adds a message behind those that are there.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(crate) fn push(
        &mut self,
        message: &[u8],
        fds: &PeerFds,
        are_lost: bool,
        parcel: &mut Packing,
    ) -> io::Result<()> {
        let at = self.bytes.len();
        self.bytes = self.bytes.joined(parcel.add_bytes(message));
        if are_lost || !fds.is_empty() {
            self.fds.push(UnhandledFds { at, fds: pack(fds, parcel)?, are_lost });
        }
        Ok(())
    }

    /// Adds what has arrived after it, and was added to the parcel after it. `None` if the first
    /// bytes of that are to be skipped.
    pub(crate) fn followed_by(mut self, next: Unhandled) -> Option<Unhandled> {
        if self.bytes.len() == 0 {
            return Some(next);
        }
        let before = self.bytes.len();
        self.bytes = self.bytes.joined(next.bytes);
        self.fds
            .extend(next.fds.into_iter().map(|fds| UnhandledFds { at: before + fds.at, ..fds }));
        (next.skip == 0).then_some(self)
    }
}

fn pack(fds: &PeerFds, parcel: &mut Packing) -> io::Result<Vec<FdNumber>> {
    fds.iter().map(|fd| Ok(parcel.add(fd.try_clone()?))).collect()
}

impl Receiver {
    /// Adds the data that [`next`](Self::next) has not returned to a parcel.
    ///
    /// # Errors
    ///
    /// When the process may open no more descriptors.
    pub(crate) fn pack(&self, parcel: &mut Packing) -> io::Result<Unhandled> {
        let bytes = parcel.add_bytes(&self.buffer[self.start..self.end]);
        let fds = self.fds.iter().map(|(position, Descriptors { fds, are_lost })| {
            let at = usize::try_from(position - self.position).map_err(io::Error::other)?;
            Ok(UnhandledFds { at, fds: pack(fds, parcel)?, are_lost: *are_lost })
        });
        let fds = fds.collect::<io::Result<_>>()?;
        Ok(Unhandled { bytes, skip: self.skip, fds })
    }

    /// Takes the data of another receiver of the same stream, before anything is received.
    ///
    /// # Errors
    ///
    /// If something is not in the parcel.
    pub(crate) fn unpack(
        &mut self,
        unhandled: &Unhandled,
        parcel: &Unpacking,
    ) -> Result<(), ParcelError> {
        self.buffer = parcel.bytes(unhandled.bytes)?.to_vec();
        self.end = self.buffer.len();
        if self.end > 0 {
            self.buffer.resize(self.end.max(Self::BUFFER), 0);
        }
        self.skip = unhandled.skip;
        for UnhandledFds { at, fds, are_lost } in &unhandled.fds {
            let given: Result<Vec<_>, _> = fds.iter().map(|fd| parcel.fd(*fd)).collect();
            let fds = given?.into_iter().map(PeerFd::try_clone);
            let fds = fds.map(|fd| Ok(fd?.with_queue(&self.close_queue)));
            // Descriptors that cannot be opened are lost, as if they had just arrived.
            let fds: io::Result<_> = fds.collect();
            let are_lost = *are_lost || fds.is_err();
            let fds = fds.unwrap_or_default();
            self.fds.push_back((*at as u64, Descriptors { fds, are_lost }));
        }
        Ok(())
    }
}
