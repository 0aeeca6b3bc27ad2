//! Memory shared with another process.
//!
//! # Races
//!
//! The client, its guest and several threads of this process may access the same bytes at any time:
//! the addresses come from the guest. So every access is a relaxed atomic one of 1, 2, 4 or 8
//! aligned bytes, which compiles to the same instructions as a plain one; long copies are
//! instructions of the processor, to the same effect. Loads are relaxed also
//! where the memory is mapped for reading alone, which `std::sync::atomic` allows for these sizes
//! (*Atomic accesses to read-only memory*).
//!
//! Rust's memory model leaves one case undefined, and this module accepts it: two threads whose
//! buffers overlap access the same bytes at the same time in different sizes. The compiler cannot
//! know of the overlap, and the processor defines the result: each byte is an old or a new one.
//! Values that are read from shared memory are never trusted, so a guest that causes such a race
//! damages its own data alone. To access bytes one by one instead would cost eight times as much,
//! and would tear the words that drivers and devices expect to be whole.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{Ordering, fence};

use memmap2::{Advice, MmapOptions, MmapRaw};
use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::FileStat;
use nix::unistd::{SysconfVar, sysconf};

use super::atomic::{Atomic, word};
use super::copy::{copy_in, copy_out, last_word, store_word};
use super::fault::GuardedRange;
use super::unmapping::Unmapping;

/// The error for a mapping whose file was truncated; its data is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;

/// A shared mapping of a range of a file.
///
/// The other process may write it at any time, so no reference to its bytes is ever created, except
/// as atomics.
#[derive(Debug)]
pub(crate) struct Mapping {
    // The first field, so that the handler forgets the range before it is unmapped.
    guarded: GuardedRange,
    /// Whole pages of the file, so that they can be unmapped and replaced, whatever their size.
    pages: MmapRaw,
    /// The start of the range in the pages.
    start: usize,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes of `file` from `offset` on, which need not be aligned; the file consists of
    /// pages of `page` bytes.
    ///
    /// # Errors
    ///
    /// Those of `mmap(2)`.
    pub(crate) fn new(
        file: BorrowedFd<'_>,
        offset: u64,
        len: usize,
        page: u64,
        writable: bool,
    ) -> io::Result<Self> {
        let before = offset % page;
        let (start, whole) = usize::try_from(before)
            .ok()
            .and_then(|start| {
                let page = usize::try_from(page).ok()?;
                Some((start, start.checked_add(len)?.checked_next_multiple_of(page)?))
            })
            .ok_or(Errno::ENOMEM)?;
        let mut options = MmapOptions::new();
        // Huge pages would be reserved, however few of them are touched.
        options.offset(offset - before).len(whole).no_reserve_swap();
        let raw = file.as_raw_fd();
        let pages =
            if writable { options.map_raw(raw)? } else { options.map_raw_read_only(raw)? };
        // Exclude the guest's memory from core dumps. Every supported kernel has this.
        pages.advise(Advice::DontDump)?;
        let guarded = GuardedRange::new(pages.as_mut_ptr(), pages.len());
        Ok(Mapping { guarded, pages, start, len })
    }

    /// Replaces the pages by those of another file, for a mapping that is writable: from then on
    /// every access reaches that file. `offset` is where the first page starts.
    ///
    /// # Errors
    ///
    /// Those of `mmap(2)`: EINVAL if the pages of the file have another size. The mapping is then
    /// of memory without a file, because the kernel may have removed its pages.
    pub(crate) fn replace_file(&self, file: BorrowedFd<'_>, offset: u64) -> io::Result<()> {
        let offset = libc::off_t::try_from(offset).map_err(|_| Errno::EOVERFLOW)?;
        if let Err(error) = self.replace(libc::MAP_SHARED, file.as_raw_fd(), offset) {
            if self.replace(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0).is_err() {
                // Another mapping may get the range, and this one would still access and unmap it.
                std::process::abort();
            }
            return Err(error);
        }
        self.pages.advise(Advice::DontDump)
    }

    fn replace(&self, flags: i32, file: RawFd, offset: libc::off_t) -> io::Result<()> {
        let (start, len) = (self.pages.as_mut_ptr(), self.pages.len());
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = flags | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: the range is exactly a mapping of ours, alive because `self` is, and no reference
        // into it exists (it is accessed through raw pointers and atomics only), so replacing its
        // pages cannot invalidate anything. If this fails, the caller fills the range again.
        let replaced = unsafe { libc::mmap(start.cast(), len, access, flags, file, offset) };
        if ptr::eq(replaced, libc::MAP_FAILED) {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Returns the size of the range, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the file was truncated.
    #[inline]
    pub(crate) fn is_lost(&self) -> bool {
        self.guarded.is_lost()
    }

    /// Copies out of the mapping, from `offset` on.
    ///
    /// # Panics
    ///
    /// If the range is not inside the mapping.
    #[inline]
    pub(crate) fn read(&self, offset: usize, data: &mut [u8]) -> Result<(), Lost> {
        let source = self.address(offset, data.len());
        // SAFETY: `address` has checked that `data.len()` bytes from `source` are mapped (or
        // replaced by zero pages when lost), and `data` is ours alone.
        unsafe { copy_out(source, data) };
        self.outcome()
    }

    /// Copies into the mapping, which must be writable, from `offset` on.
    ///
    /// # Panics
    ///
    /// If the range is not inside the mapping.
    #[inline]
    pub(crate) fn write(&self, offset: usize, data: &[u8]) -> Result<(), Lost> {
        // The zero pages would take memory for data that is never read.
        self.outcome()?;
        let target = self.address(offset, data.len());
        // SAFETY: as in `read`, the other way; the table only writes what was mapped writable.
        unsafe { copy_in(target, data) };
        self.outcome()
    }

    /// Ends the mapping, to unmap its pages part by part.
    pub(crate) fn into_unmapping(self) -> Unmapping {
        let Mapping { guarded, pages, .. } = self;
        // The handler forgets the range before another mapping can get a part of it.
        drop(guarded);
        Unmapping::new(pages)
    }

    /// Copies into the mapping, as `write`. The last word of the data, the largest aligned one, is
    /// stored by itself with release ordering, after everything before it.
    ///
    /// # Panics
    ///
    /// If the range is not inside the mapping.
    #[inline]
    pub(crate) fn publish(&self, offset: usize, data: &[u8]) -> Result<(), Lost> {
        self.outcome()?;
        let target = self.address(offset, data.len());
        let width = last_word(target.addr() + data.len(), data.len());
        let (head, word) = data.split_at(data.len() - width);
        // SAFETY: as in `write`: `head.len()` bytes are mapped at `target`, and `word.len()` bytes
        // after them, which `last_word` has aligned.
        unsafe {
            copy_in(target, head);
            self.outcome()?;
            fence(Ordering::Release);
            store_word(target.add(head.len()), word);
        }
        self.outcome()
    }

    /// Returns the address of the byte at `offset`, with `len` bytes from there inside.
    ///
    /// # Panics
    ///
    /// If the range is not inside the mapping.
    #[inline]
    pub(crate) fn address(&self, offset: usize, len: usize) -> *mut u8 {
        let end = offset.checked_add(len);
        assert!(end.is_some_and(|end| end <= self.len), "access outside the mapping");
        // SAFETY: `offset` is at most `len`, and `start + len` at most the length of the one
        // allocation that the pages are.
        unsafe { self.pages.as_mut_ptr().add(self.start + offset) }
    }

    /// Returns the result of an access that was done.
    #[inline]
    pub(super) fn outcome(&self) -> Result<(), Lost> {
        if self.is_lost() { Err(Lost) } else { Ok(()) }
    }
}

impl Mapping {
    /// Operates on a word of the mapping, which must be writable.
    ///
    /// # Panics
    ///
    /// If the word is not inside the mapping, or not aligned to its size.
    pub(crate) fn atomic<A: Atomic, R>(
        &self,
        offset: usize,
        operation: impl FnOnce(&A) -> R,
    ) -> Result<R, Lost> {
        let address = self.address(offset, size_of::<A>());
        assert!(address.addr().is_multiple_of(size_of::<A>()), "a word that is not aligned");
        self.outcome()?;
        // SAFETY: `address` has checked that the word is mapped, and it is aligned. The reference
        // does not leave `operation`, whose argument has no lifetime of its own.
        let result = operation(unsafe { word(address) });
        self.outcome().map(|()| result)
    }
}

/// Returns the size of the pages of a file, which is larger than the system's for huge pages.
pub(crate) fn page_size(file: &FileStat) -> u64 {
    let system = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let system = system.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096);
    let block = u64::try_from(file.st_blksize).unwrap_or(0);
    if block.is_power_of_two() { system.max(block) } else { system }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::ftruncate;
    use proptest::prelude::*;

    fn memory(len: u16) -> (std::os::fd::OwnedFd, Mapping) {
        let file = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&file, len.into()).unwrap();
        let mapping = Mapping::new(file.as_fd(), 0, len.into(), 4096, true).unwrap();
        (file, mapping)
    }

    proptest! {
        // Short copies, and those that take a block or a string instruction at once.
        #[test]
        fn what_is_written_is_in_the_file_and_read_back(
            offset in 0usize..64,
            data in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                proptest::collection::vec(any::<u8>(), 1900..5000),
            ],
        ) {
            let (file, mapping) = memory(8192);
            mapping.write(offset, &data).unwrap();
            let mut expected = vec![0; 8192];
            expected[offset..offset + data.len()].copy_from_slice(&data);
            let mut bytes = vec![1; 8192];
            File::from(file).read_exact_at(&mut bytes, 0).unwrap();
            prop_assert!(bytes == expected);
            let mut back = vec![0; data.len()];
            mapping.read(offset, &mut back).unwrap();
            prop_assert!(back == data);
        }
    }

    #[test]
    fn another_file_replaces_the_pages_of_a_mapping() {
        let (_file, mapping) = memory(8192);
        mapping.write(0, b"old").unwrap();
        let (other, whole) = memory(12288);
        whole.write(4096, b"new").unwrap();
        mapping.replace_file(other.as_fd(), 4096).unwrap();
        let mut data = [0; 3];
        mapping.read(0, &mut data).unwrap();
        assert_eq!(&data, b"new");
        mapping.write(4096, b"end").unwrap();
        whole.read(8192, &mut data).unwrap();
        assert_eq!(&data, b"end");
        // A failure leaves memory that no file has.
        assert!(mapping.replace_file(other.as_fd(), 1).is_err());
        mapping.read(0, &mut data).unwrap();
        assert_eq!(data, [0; 3]);
        mapping.write(0, b"own").unwrap();
        whole.read(4096, &mut data).unwrap();
        assert_eq!(&data, b"new");
    }

    #[test]
    fn a_truncated_file_is_an_error_for_ever_and_not_a_signal() {
        let (file, mapping) = memory(8192);
        mapping.write(0, b"here").unwrap();
        ftruncate(&file, 0).unwrap();
        let mut data = [0; 4];
        assert_eq!(mapping.read(0, &mut data), Err(Lost));
        assert_eq!(mapping.write(4096, &data), Err(Lost));
        ftruncate(&file, 8192).unwrap();
        assert_eq!(mapping.read(0, &mut data), Err(Lost));
    }

    #[test]
    fn what_is_written_to_lost_memory_takes_none() {
        let (file, mapping) = memory(0xf000);
        ftruncate(&file, 0).unwrap();
        assert_eq!(mapping.write(0, &[1]), Err(Lost));
        for _ in 0..2 {
            assert_eq!(mapping.write(0x1000, &[1; 0x2000]), Err(Lost));
            let added = mapping.atomic(0xa000, |word: &AtomicU64| word.fetch_add(1, Relaxed));
            assert_eq!(added, Err(Lost));
        }
        // Nothing was written to the pages in its place.
        let mut bytes = [9; 0x2000];
        assert_eq!(mapping.read(0x1000, &mut bytes), Err(Lost));
        assert_eq!(bytes, [0; 0x2000]);
    }

    #[test]
    fn a_signal_that_is_sent_takes_no_protection_away() {
        let (file, mapping) = memory(8192);
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGBUS).unwrap();
        ftruncate(&file, 0).unwrap();
        assert_eq!(mapping.read(0, &mut [0]), Err(Lost));
    }

    #[test]
    fn a_range_in_the_middle_of_a_page_is_mapped() {
        let (file, whole) = memory(8192);
        let middle = Mapping::new(file.as_fd(), 4000, 200, 4096, true).unwrap();
        middle.write(0, b"first").unwrap();
        middle.write(196, b"last").unwrap();
        let mut data = [0; 5];
        whole.read(4000, &mut data).unwrap();
        assert_eq!(&data, b"first");
        whole.read(4196, &mut data[..4]).unwrap();
        assert_eq!(&data[..4], b"last");
        assert_eq!(middle.len(), 200);
    }

    #[test]
    #[should_panic(expected = "access outside the mapping")]
    fn an_access_outside_is_a_bug_of_ours() {
        let (_file, mapping) = memory(4096);
        let _ = mapping.read(4095, &mut [0; 2]);
    }
}
