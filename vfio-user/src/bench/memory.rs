//! The memory of a bench: mapped by the device, or accessed by message.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};
use zerocopy::{FromBytes, IntoBytes};

use super::Bench;
use crate::client::ClientMemory;
use crate::device::PciDevice;
use crate::dma::{AccessMode, Completed, NewRegion, Rights, Transfers};
use crate::function::{Function, PciFunction};
use crate::protocol::{Capabilities, Command, DmaAccess, Errno, Header};
use crate::serving::while_serving;

/// Creates a file of `size` zeros.
pub(super) fn create(size: u64) -> io::Result<File> {
    let memory: OwnedFd = memfd_create(c"bench", MFdFlags::MFD_CLOEXEC)?;
    let memory = File::from(memory);
    memory.set_len(size)?;
    Ok(memory)
}

/// Maps the file for the device at IOVA 0.
pub(super) fn map<D: PciDevice>(
    function: &PciFunction<D>,
    memory: &File,
    size: u64,
) -> io::Result<()> {
    let fd = OwnedFd::from(memory.try_clone()?).into();
    let region =
        NewRegion::file(0, size, Rights::all(), fd, 0, AccessMode::Any, function.dma().accepted());
    region.and_then(|region| function.dma().add(region)).map(drop).map_err(io::Error::from)
}

/// Gives the device `size` bytes of memory at IOVA 0 that it accesses by message.
pub(super) fn map_by_messages<D: PciDevice>(
    function: &PciFunction<D>,
    size: u64,
) -> io::Result<()> {
    let transfers = function.dma().transfers();
    transfers.attach(&Capabilities::default());
    function.interrupts().follow(transfers.posted_writes());
    let region = NewRegion::messages(0, size, Rights::all());
    region.and_then(|region| function.dma().add(region)).map(drop).map_err(io::Error::from)
}

impl<D: PciDevice> Bench<D> {
    /// Writes the device's memory, as a guest does.
    ///
    /// # Panics
    ///
    /// If the range is not inside the memory.
    #[track_caller]
    pub fn write_memory(&self, iova: u64, data: &[u8]) {
        Self::assert_inside(iova, data.len());
        self.memory.write_all_at(data, iova).expect("a file in memory takes what fits");
    }

    /// Reads the device's memory, as a guest does.
    ///
    /// # Panics
    ///
    /// If the range is not inside the memory.
    #[track_caller]
    pub fn read_memory(&self, iova: u64, data: &mut [u8]) {
        Self::assert_inside(iova, data.len());
        self.memory.read_exact_at(data, iova).expect("a file in memory gives what it holds");
    }

    /// Copies all memory of another bench, as a VMM moves a guest's memory together with the
    /// device.
    ///
    /// # Panics
    ///
    /// If the system cannot read or write the memory.
    pub fn copy_memory<E: PciDevice>(&self, from: &Bench<E>) {
        let size = usize::try_from(Self::MEMORY).expect("small");
        let mut memory = vec![0; size];
        from.read_memory(0, &mut memory);
        self.write_memory(0, &memory);
    }

    #[track_caller]
    fn assert_inside(iova: u64, len: usize) {
        let inside = iova.checked_add(len as u64).is_some_and(|end| end <= Self::MEMORY);
        assert!(inside, "{len} bytes at {iova:#x} are outside the bench's memory");
    }
}

/// Serves all requests of the device, and delivers the replies.
pub(super) fn answer<D: PciDevice>(function: &PciFunction<D>, memory: &File) {
    let transfers = function.dma().transfers();
    transfers.clear_wake();
    while let Some((header, payload)) = next(transfers) {
        let completed = match serve(memory, &header, &payload) {
            Ok(answer) => transfers.answer(&header.reply(answer.len()), Some(&answer)),
            Err(errno) => transfers.answer(&header.error_reply(errno), Some(&[])),
        };
        while_serving(|| completed.into_iter().for_each(Completed::report));
        function.interrupts().settle();
    }
}

/// Returns the next request, if there is one.
fn next(transfers: &Transfers) -> Option<(Header, Vec<u8>)> {
    let mut request = None;
    transfers.send_next(|header, parts| request = Some((*header, parts.concat())));
    request
}

/// Serves a request and returns the payload of the reply.
fn serve(memory: &File, header: &Header, payload: &[u8]) -> Result<Vec<u8>, Errno> {
    let (access, data) = DmaAccess::ref_from_prefix(payload).map_err(|_| Errno::EINVAL)?;
    let mut answer = access.as_bytes().to_vec();
    if header.command() == Ok(Command::DmaRead) {
        let count = usize::try_from(access.count.get()).map_err(|_| Errno::EINVAL)?;
        answer.resize(answer.len() + count, 0);
        memory.read(access.address.get(), &mut answer[size_of::<DmaAccess>()..])?;
    } else {
        memory.write(access.address.get(), data)?;
    }
    Ok(answer)
}
