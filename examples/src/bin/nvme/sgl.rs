//! Where a command has its data: scatter gather lists (4.4).

use vfio_user::zerocopy::little_endian::{U32, U64};
use vfio_user::zerocopy::{FromBytes, IntoBytes, transmute};
use vfio_user::{Dma, ScatterList};

use crate::failure::Outcome;
use crate::spec::{Command, Status};

/// SGL Descriptor Types, with the sub type of an address (figure 115).
const DATA_BLOCK: u8 = 0x00;
const BIT_BUCKET: u8 = 0x10;
const SEGMENT: u8 = 0x20;
const LAST_SEGMENT: u8 = 0x30;
/// Descriptors of a command at most, as a guest can link segments in a circle.
const MAX_DESCRIPTORS: usize = 4096;

/// How the device uses the data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
}

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
        match self.address.get().checked_add(u64::from(self.length.get()).saturating_sub(1)) {
            Some(_) => Ok(()),
            None => Err(Status::SGL_TYPE_INVALID.into()),
        }
    }

    /// Reads the segment that it describes, if that has no more than `room` descriptors.
    fn read(&self, dma: &Dma, room: &mut usize) -> Outcome<Vec<Descriptor>> {
        self.check_end()?;
        let len = usize::try_from(self.length.get()).unwrap_or(usize::MAX);
        let count = len / size_of::<Descriptor>();
        let is_whole = len.is_multiple_of(size_of::<Descriptor>());
        if count == 0 || !is_whole || !self.address.get().is_multiple_of(8) {
            return Err(Status::SGL_SEGMENT_INVALID.into());
        }
        *room = room.checked_sub(count).ok_or(Status::SGL_COUNT_INVALID)?;
        Ok(dma.read_objs(self.address.get(), count)?)
    }
}

/// Returns the memory of `len` bytes of data.
pub(crate) fn list(dma: &Dma, command: &Command, len: u64, access: Use) -> Outcome<ScatterList> {
    let mut list = List { data: ScatterList::default(), rest: len, access };
    let mut link = list.add(&[transmute!([command.prp1, command.prp2])])?;
    let mut room = MAX_DESCRIPTORS;
    while let Some(segment) = link {
        link = list.add(&segment.read(dma, &mut room)?)?;
        // Only the last segment links no other one.
        if (segment.kind == LAST_SEGMENT) != link.is_none() {
            return Err(Status::SGL_SEGMENT_INVALID.into());
        }
    }
    // SGLS: as many bytes as the command moves.
    if list.rest == 0 { Ok(list.data) } else { Err(Status::DATA_SGL_LENGTH_INVALID.into()) }
}

struct List {
    data: ScatterList,
    /// Bytes of the transfer that no descriptor has described.
    rest: u64,
    access: Use,
}

impl List {
    /// Adds the data of a segment. Returns the segment to which its last descriptor leads.
    fn add(&mut self, segment: &[Descriptor]) -> Outcome<Option<Descriptor>> {
        let (data, link) = match segment {
            [data @ .., link @ Descriptor { kind: SEGMENT | LAST_SEGMENT, .. }] => {
                (data, Some(*link))
            }
            data => (data, None),
        };
        data.iter().try_for_each(|descriptor| self.add_data(descriptor))?;
        Ok(link)
    }

    fn add_data(&mut self, descriptor: &Descriptor) -> Outcome<()> {
        let length = u64::from(descriptor.length.get());
        match descriptor.kind {
            DATA_BLOCK => {
                descriptor.check_end()?;
                self.data.push(descriptor.address.get(), length);
            }
            // It discards data for the guest; of the guest's data it describes none.
            BIT_BUCKET if self.access == Use::Read => return Ok(()),
            BIT_BUCKET => self.data.skip(length),
            SEGMENT | LAST_SEGMENT => return Err(Status::SGL_COUNT_INVALID.into()),
            _ => return Err(Status::SGL_TYPE_INVALID.into()),
        }
        self.rest = self.rest.checked_sub(length).ok_or(Status::DATA_SGL_LENGTH_INVALID)?;
        Ok(())
    }
}
