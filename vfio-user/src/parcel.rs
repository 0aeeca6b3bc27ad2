//! What a program passes to its successor in one piece: bytes and descriptors, which records refer
//! to by number.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::fds::PeerFd;

/// The number of a descriptor in a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FdNumber(u32);

/// A range of the bytes of a parcel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ByteRange {
    start: usize,
    len: usize,
}

impl ByteRange {
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Returns the range of both, the second of which follows the first.
    pub(crate) fn joined(self, next: ByteRange) -> ByteRange {
        if self.len == 0 { next } else { ByteRange { len: self.len + next.len, ..self } }
    }
}

/// A record refers to something that is not in the parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParcelError {
    #[error("descriptor {number} is referred to, the parcel has {count}")]
    NoDescriptor { number: u32, count: usize },
    #[error("{len} bytes at {start:#x} are referred to, the parcel has {count}")]
    NoBytes { start: usize, len: usize, count: usize },
}

/// A parcel that is being filled.
#[derive(Default)]
pub struct Packing {
    bytes: Vec<u8>,
    fds: Vec<Box<dyn AsFd>>,
}

impl Packing {
    /// Adds a descriptor, which stays open until the parcel is dropped.
    pub(crate) fn add(&mut self, fd: impl AsFd + 'static) -> FdNumber {
        self.fds.push(Box::new(fd));
        FdNumber(u32::try_from(self.fds.len() - 1).unwrap_or(u32::MAX))
    }

    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) -> ByteRange {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        ByteRange { start, len: bytes.len() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.fds.iter().map(|fd| fd.as_fd()).collect()
    }
}

/// A parcel that has arrived.
#[derive(Debug, Default)]
pub struct Unpacking {
    bytes: Vec<u8>,
    fds: Vec<PeerFd>,
}

impl Unpacking {
    pub(crate) fn new(bytes: Vec<u8>, fds: Vec<PeerFd>) -> Self {
        Unpacking { bytes, fds }
    }

    /// Returns bytes of the parcel.
    ///
    /// # Errors
    ///
    /// If it has fewer.
    pub(crate) fn bytes(&self, range: ByteRange) -> Result<&[u8], ParcelError> {
        let ByteRange { start, len } = range;
        let bytes = start.checked_add(len).and_then(|end| self.bytes.get(start..end));
        bytes.ok_or(ParcelError::NoBytes { start, len, count: self.bytes.len() })
    }

    /// Returns a descriptor of the parcel.
    ///
    /// # Errors
    ///
    /// If there is no such descriptor.
    pub(crate) fn fd(&self, number: FdNumber) -> Result<&PeerFd, ParcelError> {
        let no_descriptor = ParcelError::NoDescriptor { number: number.0, count: self.fds.len() };
        self.fds.get(number.0 as usize).ok_or(no_descriptor)
    }

    /// Returns another descriptor of the same file, for a file that can be closed anywhere.
    ///
    /// # Errors
    ///
    /// If there is no such descriptor, or the process may open no more.
    pub(crate) fn owned(&self, number: FdNumber) -> std::io::Result<OwnedFd> {
        let fd = self.fd(number).map_err(std::io::Error::other)?;
        fd.as_fd().try_clone_to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_an_error() {
        let mut packing = Packing::default();
        let one = packing.add_bytes(b"one");
        let two = packing.add_bytes(b"two");
        let fd = packing.add(std::io::stdin());
        let unpacking = Unpacking::new(packing.bytes().to_vec(), Vec::new());
        assert_eq!(unpacking.bytes(two), Ok(&b"two"[..]));
        assert_eq!(unpacking.bytes(one.joined(two)), Ok(&b"onetwo"[..]));
        for (start, len) in [(0, 7), (7, 0), (usize::MAX, 2)] {
            let error = ParcelError::NoBytes { start, len, count: 6 };
            assert_eq!(unpacking.bytes(ByteRange { start, len }), Err(error));
        }
        assert!(matches!(unpacking.fd(fd), Err(ParcelError::NoDescriptor { number: 0, count: 0 })));
    }
}
