//! Descriptors in place of those of the log.

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;

use crate::descriptor::Descriptor;

/// Returns a descriptor of the kind of one in a log: empty memory for a file, an eventfd for
/// anything else.
pub(super) fn replace(descriptor: Descriptor) -> io::Result<OwnedFd> {
    let Descriptor::File(size) = descriptor else {
        return Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?.into());
    };
    let file = memfd_create(c"replay", MFdFlags::MFD_CLOEXEC)?;
    ftruncate(&file, i64::try_from(size).map_err(io::Error::other)?)?;
    Ok(file)
}
