//! Where a command has its data: scatter gather lists (4.4).

use vfio_user::Dma;

use crate::data::{Ranges, Use};
use crate::disk::Outcome;
use crate::spec::{Command, Status};

/// SGL Descriptor Types, with the sub type of an address (figure 115).
const DATA_BLOCK: u64 = 0x00;
const BIT_BUCKET: u64 = 0x10;
const SEGMENT: u64 = 0x20;
const LAST_SEGMENT: u64 = 0x30;
const DESCRIPTOR: u64 = 16;
/// Descriptors of a command at most, as a guest can link segments in a circle.
const MAX_DESCRIPTORS: u64 = 4096;

/// A descriptor: an address; in the second word the length, and the type in the last byte.
#[derive(Clone, Copy)]
struct Descriptor(u64, u64);

impl Descriptor {
    fn kind(self) -> u64 {
        self.1 >> 56
    }

    fn len(self) -> u64 {
        self.1 & 0xffff_ffff
    }

    fn is_segment(self) -> bool {
        matches!(self.kind(), SEGMENT | LAST_SEGMENT)
    }

    /// What ends beyond the address space is as good as of an unknown type (figures 116 to 119).
    fn check_end(self) -> Outcome<()> {
        match self.0.checked_add(self.len().saturating_sub(1)) {
            Some(_) => Ok(()),
            None => Err(Status::SGL_TYPE_INVALID.into()),
        }
    }
}

/// Returns the ranges of `len` bytes of data.
pub(crate) fn ranges(dma: &Dma, command: &Command, len: u64, access: Use) -> Outcome<Ranges> {
    let mut list = List { ranges: Ranges::default(), rest: len, access };
    let mut link = list.add(&[Descriptor(command.prp1.get(), command.prp2.get())])?;
    let mut room = MAX_DESCRIPTORS;
    while let Some(segment) = link {
        link = list.add(&read(dma, segment, &mut room)?)?;
        // Only the last segment links no other one.
        if (segment.kind() == LAST_SEGMENT) != link.is_none() {
            return Err(Status::SGL_SEGMENT_INVALID.into());
        }
    }
    // SGLS: as many bytes as the command moves.
    if list.rest == 0 { Ok(list.ranges) } else { Err(Status::DATA_SGL_LENGTH_INVALID.into()) }
}

/// Reads a segment, if its descriptors are no more than `room`.
fn read(dma: &Dma, segment: Descriptor, room: &mut u64) -> Outcome<Vec<Descriptor>> {
    segment.check_end()?;
    let (address, len) = (segment.0, segment.len());
    if len == 0 || !len.is_multiple_of(DESCRIPTOR) || !address.is_multiple_of(8) {
        return Err(Status::SGL_SEGMENT_INVALID.into());
    }
    let left = room.checked_sub(len / DESCRIPTOR);
    *room = left.ok_or(Status::SGL_COUNT_INVALID)?;
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    dma.read(address, &mut bytes)?;
    let words: Vec<_> = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    Ok(words.as_chunks().0.iter().map(|[address, rest]| Descriptor(*address, *rest)).collect())
}

struct List {
    ranges: Ranges,
    /// Bytes of the transfer that no descriptor has described.
    rest: u64,
    access: Use,
}

impl List {
    /// Adds the data of a segment. Returns the segment to which its last descriptor leads.
    fn add(&mut self, segment: &[Descriptor]) -> Outcome<Option<Descriptor>> {
        let (data, link) = match segment {
            [data @ .., link] if link.is_segment() => (data, Some(*link)),
            data => (data, None),
        };
        data.iter().try_for_each(|descriptor| self.add_data(*descriptor))?;
        Ok(link)
    }

    fn add_data(&mut self, descriptor: Descriptor) -> Outcome<()> {
        let address = match descriptor.kind() {
            DATA_BLOCK => Some(descriptor.0),
            // It discards data for the guest; of the guest's data it describes none.
            BIT_BUCKET if self.access == Use::Read => return Ok(()),
            BIT_BUCKET => None,
            SEGMENT | LAST_SEGMENT => return Err(Status::SGL_COUNT_INVALID.into()),
            _ => return Err(Status::SGL_TYPE_INVALID.into()),
        };
        if address.is_some() {
            descriptor.check_end()?;
        }
        let rest = self.rest.checked_sub(descriptor.len());
        self.rest = rest.ok_or(Status::DATA_SGL_LENGTH_INVALID)?;
        self.ranges.push(address, descriptor.len());
        Ok(())
    }
}
