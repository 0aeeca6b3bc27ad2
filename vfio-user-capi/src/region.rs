//! Regions, as a program describes them.

use std::error::Error;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::libc;
use vfio_user::function::{Region, RegionMapping, ShadowIoEventFd, ShadowIoEventFds};
use vfio_user::protocol::{RegionFlags, SparseArea};

use crate::abi::{CONFIG_REGION, REGIONS, RegionAccess, region_flag};
use crate::boundary::Result;

const LAST_BAR: usize = 5;

/// A region; the default one does not exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegionSetup {
    pub(crate) size: u64,
    pub(crate) flags: i32,
    pub(crate) callback: Option<RegionAccess>,
    pub(crate) mapping: Option<Arc<Mapping>>,
    pub(crate) doorbells: Vec<Doorbell>,
}

/// The file behind a region.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) file: OwnedFd,
    pub(crate) offset: u64,
    /// Empty for all of the region.
    pub(crate) areas: Vec<SparseArea>,
}

/// An eventfd that replaces writes to a region.
#[derive(Clone, Debug)]
pub(crate) struct Doorbell {
    pub(crate) offset: u64,
    pub(crate) size: u32,
    pub(crate) flags: u32,
    pub(crate) data_match: u64,
    pub(crate) fd: Option<Descriptor>,
    pub(crate) shadow: Option<(Descriptor, u64)>,
}

/// The library's duplicate of a descriptor of the program.
#[derive(Clone, Debug)]
pub(crate) struct Descriptor(Arc<OwnedFd>);

impl Descriptor {
    /// Duplicates a descriptor of the program, unless one of the doorbells has the same file
    /// already; -1 means none.
    pub(crate) fn new(number: i32, known: &[Doorbell]) -> Result<Option<Self>> {
        if number < 0 {
            return Ok(None);
        }
        let new = Descriptor(Arc::new(duplicate(number)?));
        let mut known = known.iter().flat_map(Doorbell::descriptors);
        Ok(Some(known.find(|known| known.has_file_of(&new)).cloned().unwrap_or(new)))
    }

    /// Returns whether both are the same open file. Their numbers in the program say nothing: it
    /// may have closed the first one.
    fn has_file_of(&self, other: &Self) -> bool {
        const KCMP_FILE: libc::c_long = 0;
        let fd = |descriptor: &Self| libc::c_long::from(descriptor.0.as_raw_fd());
        let process = libc::c_long::from(std::process::id());
        // SAFETY: the call takes numbers and changes nothing.
        let order = unsafe {
            libc::syscall(libc::SYS_kcmp, process, process, KCMP_FILE, fd(self), fd(other))
        };
        // A system without the call refuses it: then clients receive a descriptor twice.
        order == 0
    }
}

impl Doorbell {
    fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.fd.iter().chain(self.shadow.as_ref().map(|(fd, _)| fd))
    }
}

/// Duplicates a descriptor that the program keeps.
pub(crate) fn duplicate(number: i32) -> Result<OwnedFd> {
    if number < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: the number is not -1, and it is borrowed for one system call, which refuses a number
    // that is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    borrowed.try_clone_to_owned().map_err(|error| errno_of(&error))
}

/// Returns the number of the system's error that an error is, or was caused by.
pub(crate) fn errno_of(error: &(dyn Error + 'static)) -> Errno {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let system = match error.downcast_ref() {
            // It stands for the error in it, which is none of its sources.
            Some(vfio_user::Error::Io(error)) => Some(error),
            _ => error.downcast_ref::<io::Error>(),
        };
        if let Some(number) = system.and_then(io::Error::raw_os_error) {
            return Errno::from_raw(number);
        }
        cause = error.source();
    }
    Errno::EIO
}

impl RegionSetup {
    /// Returns the region at an index as clients see it.
    pub(crate) fn view(&self, index: usize) -> Region<'_> {
        if self.flags & region_flag::BOTH == 0 {
            return Region::ABSENT;
        }
        let mut flags = RegionFlags::empty();
        flags.set(RegionFlags::READ, self.flags & region_flag::READ != 0);
        flags.set(RegionFlags::WRITE, self.flags & region_flag::WRITE != 0);
        let mapping = self.mapping.as_deref().map(|mapping| RegionMapping {
            file: mapping.file.as_fd(),
            offset: mapping.offset,
            areas: &mapping.areas,
        });
        Region { flags, size: decoded(index, self.size), mapping, ty: None }
    }
}

/// Returns the size of a region as clients see it: a BAR decodes the next power of two, and
/// hypervisors accept no other size.
pub(crate) fn decoded(index: usize, size: u64) -> u64 {
    if index <= LAST_BAR && size > 0 { size.next_power_of_two() } else { size }
}

/// Checks a region that replaces the one at `index`.
///
/// # Errors
///
/// `EINVAL`.
pub(crate) fn check(
    all: &[RegionSetup; REGIONS],
    index: usize,
    size: u64,
    flags: i32,
) -> Result<()> {
    let is_memory = flags & region_flag::MEMORY != 0;
    let is_valid = match index {
        0..=LAST_BAR => check_bar(all, index, size, flags, is_memory),
        CONFIG_REGION => flags & region_flag::BOTH == region_flag::BOTH && !is_memory,
        _ => true,
    };
    if is_valid { Ok(()) } else { Err(Errno::EINVAL) }
}

fn check_bar(
    all: &[RegionSetup; REGIONS],
    index: usize,
    size: u64,
    flags: i32,
    is_memory: bool,
) -> bool {
    let least = if is_memory { 16 } else { 4 };
    // The function decodes the next power of two.
    let is_size = size == 0 || (size >= least && size.checked_next_power_of_two().is_some());
    let is_wide = flags & region_flag::BITS_64 != 0;
    let has_room = if index % 2 == 1 {
        !is_wide && all[index - 1].flags & region_flag::BITS_64 == 0
    } else {
        !is_wide || all[index + 1].size == 0
    };
    is_size && has_room
}

impl RegionSetup {
    /// Returns the doorbells as clients see them: the latest first, as libvfio-user lists them.
    pub(crate) fn shadow_ioeventfds(&self) -> ShadowIoEventFds<'_> {
        let mut all = ShadowIoEventFds::default();
        for doorbell in self.doorbells.iter().rev() {
            let fd = doorbell.fd.as_ref().map(|fd| fd.attach(&mut all.fds));
            let shadow = doorbell.shadow.as_ref();
            let shadow = shadow.map(|(fd, offset)| (fd.attach(&mut all.fds), *offset));
            all.entries.push(ShadowIoEventFd {
                offset: doorbell.offset,
                size: doorbell.size.into(),
                flags: doorbell.flags,
                data_match: doorbell.data_match,
                fd,
                shadow,
            });
        }
        all
    }
}

impl Descriptor {
    /// Adds itself to the descriptors of a reply, once; returns its index.
    fn attach<'a>(&'a self, fds: &mut Vec<BorrowedFd<'a>>) -> usize {
        let known = fds.iter().position(|fd| fd.as_raw_fd() == self.0.as_raw_fd());
        known.unwrap_or_else(|| {
            fds.push(self.0.as_fd());
            fds.len() - 1
        })
    }
}
