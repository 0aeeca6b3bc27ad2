//! Where a command has its data.

use vfio_user::zerocopy::little_endian::{U32, U64};
use vfio_user::zerocopy::{FromBytes, IntoBytes, transmute};
use vfio_user::{Dma, ScatterList};

use crate::spec::{Command, Outcome, Status, ensure, nvm};

/// Flags of a command whose data is described by an SGL, in place of PRP entries (PSDT).
const SGL: u8 = 0b11 << 6;
/// SGL Descriptor Types, with the sub type of an address (figure 115).
const DATA_BLOCK: u8 = 0x00;
const BIT_BUCKET: u8 = 0x10;
const SEGMENT: u8 = 0x20;
const LAST_SEGMENT: u8 = 0x30;
/// Descriptors of a command at most, as a guest can link segments in a circle.
const MAX_DESCRIPTORS: usize = 4096;

/// Returns the memory of `len` bytes of data.
pub(crate) fn list(dma: &Dma, command: &Command, page: u64, len: u64) -> Outcome<ScatterList> {
    if command.flags & SGL != 0 {
        segments(dma, command, len)
    } else {
        pages(dma, command, page, len)
    }
}

/// Returns the memory that physical region pages describe (4.3), of `page` bytes each.
fn pages(dma: &Dma, command: &Command, page: u64, len: u64) -> Outcome<ScatterList> {
    let mut data = ScatterList::default();
    let (first, mut next) = (command.prp1.get(), command.prp2.get());
    data.push(first, len.min(page - first % page));
    let rest = len - data.len();
    // The second entry is that of the last page, or leads to a list.
    if (1..=page).contains(&rest) {
        data.push(aligned(next, page)?, rest);
    }
    while data.len() < len {
        next = push_list(dma, &mut data, next, page, len)?;
    }
    Ok(data)
}

/// Adds the pages of a list, up to the end of its own page. Returns where the list continues.
fn push_list(dma: &Dma, data: &mut ScatterList, list: u64, page: u64, len: u64) -> Outcome<u64> {
    let room = (page - list % page) / 8;
    let needed = (len - data.len()).div_ceil(page).min(room);
    let entries: Vec<U64> =
        dma.read_objs(aligned(list, 8)?, usize::try_from(needed).unwrap_or(0))?;
    for (place, entry) in (1..).zip(entries) {
        let (entry, rest) = (aligned(entry.get(), page)?, len - data.len());
        // The last entry of a full page leads to the next one, unless it is the last page of data.
        if place == room && rest > page {
            return Ok(entry);
        }
        data.push(entry, page.min(rest));
    }
    Ok(0)
}

fn aligned(iova: u64, unit: u64) -> Outcome<u64> {
    ensure(iova.is_multiple_of(unit), Status::INVALID_PRP_OFFSET).map(|()| iova)
}

/// An element of a scatter gather list.
#[derive(Clone, Copy, FromBytes, IntoBytes)]
#[zerocopy(crate = "vfio_user::zerocopy")]
#[repr(C)]
struct Descriptor {
    address: U64,
    length: U32,
    reserved: [u8; 3],
    kind: u8,
}

impl Descriptor {
    /// What ends beyond the address space is as good as of an unknown type (figures 116 to 119).
    fn check_end(&self) -> Outcome<()> {
        let last = u64::from(self.length.get()).saturating_sub(1);
        ensure(self.address.get().checked_add(last).is_some(), Status::SGL_TYPE_INVALID)
    }

    /// Reads the segment that it describes, if that has no more than `room` descriptors.
    fn read(&self, dma: &Dma, room: &mut usize) -> Outcome<Vec<Descriptor>> {
        self.check_end()?;
        let len = usize::try_from(self.length.get()).unwrap_or(usize::MAX);
        let count = len / size_of::<Descriptor>();
        let is_whole = len.is_multiple_of(size_of::<Descriptor>());
        let is_aligned = self.address.get().is_multiple_of(8);
        ensure(count > 0 && is_whole && is_aligned, Status::SGL_SEGMENT_INVALID)?;
        *room = room.checked_sub(count).ok_or(Status::SGL_COUNT_INVALID)?;
        Ok(dma.read_objs(self.address.get(), count)?)
    }

    /// Adds what it describes to the data of a command.
    fn add_to(&self, data: &mut ScatterList, reads: bool) -> Outcome<()> {
        match self.kind {
            DATA_BLOCK => {
                self.check_end()?;
                data.push(self.address.get(), self.length.get().into());
            }
            // It discards data for the guest; of the guest's data it describes none.
            BIT_BUCKET if reads => data.skip(self.length.get().into()),
            BIT_BUCKET => {}
            SEGMENT | LAST_SEGMENT => return Err(Status::SGL_COUNT_INVALID.into()),
            _ => return Err(Status::SGL_TYPE_INVALID.into()),
        }
        Ok(())
    }
}

/// Returns the memory that a scatter gather list describes (4.4).
fn segments(dma: &Dma, command: &Command, len: u64) -> Outcome<ScatterList> {
    let mut data = ScatterList::default();
    let reads = command.opcode == nvm::READ;
    let mut link = add(&mut data, &[transmute!([command.prp1, command.prp2])], reads)?;
    let mut room = MAX_DESCRIPTORS;
    while let Some(segment) = link {
        ensure(data.len() <= len, Status::DATA_SGL_LENGTH_INVALID)?;
        link = add(&mut data, &segment.read(dma, &mut room)?, reads)?;
        // Only the last segment links no other one.
        ensure((segment.kind == LAST_SEGMENT) == link.is_none(), Status::SGL_SEGMENT_INVALID)?;
    }
    // SGLS: as many bytes as the command moves.
    ensure(data.len() == len, Status::DATA_SGL_LENGTH_INVALID)?;
    Ok(data)
}

/// Adds the data of a segment. Returns the segment to which its last descriptor leads.
fn add(data: &mut ScatterList, segment: &[Descriptor], reads: bool) -> Outcome<Option<Descriptor>> {
    let (blocks, link) = match segment {
        [blocks @ .., link @ Descriptor { kind: SEGMENT | LAST_SEGMENT, .. }] => {
            (blocks, Some(link))
        }
        blocks => (blocks, None),
    };
    blocks.iter().try_for_each(|descriptor| descriptor.add_to(data, reads))?;
    Ok(link.copied())
}
