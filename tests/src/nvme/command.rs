//! Commands and completions.

use vfio_user::zerocopy::little_endian::{U32, U64};
use vfio_user::zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// Whether the controller reads or writes the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the medium to memory.
    Read,
    /// From memory to the medium.
    Write,
}

/// A submission queue entry (4.2).
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable)]
#[zerocopy(crate = "vfio_user::zerocopy")]
#[repr(C)]
pub struct Command {
    /// Opcode, flags and command identifier.
    pub cdw0: U32,
    /// The namespace.
    pub nsid: U32,
    reserved: [U32; 2],
    metadata: U64,
    /// The first PRP entry.
    pub prp1: U64,
    /// The second PRP entry, or the address of a list.
    pub prp2: U64,
    /// What the command defines, from doubleword 10 on.
    pub cdw10: [U32; 6],
}

impl Command {
    /// Bytes of an entry.
    pub const SIZE: u64 = 64;

    /// Creates a command that has its data, if any, at `prp1`.
    pub fn new(opcode: u8, nsid: u32, prp1: u64) -> Self {
        let mut command = Command::new_zeroed();
        (command.cdw0, command.nsid) = (u32::from(opcode).into(), nsid.into());
        command.prp1 = prp1.into();
        command
    }

    /// Creates a command that moves `count` blocks from `first` on, in pages of memory at `prp`.
    pub fn transfer(
        direction: Direction,
        nsid: u32,
        (first, count): (u64, u32),
        prp: [u64; 2],
    ) -> Self {
        let opcode = match direction {
            Direction::Write => 0x01,
            Direction::Read => 0x02,
        };
        let mut command = Command::new(opcode, nsid, prp[0]);
        command.prp2 = prp[1].into();
        command.cdw10[0] = ((first & 0xffff_ffff) as u32).into();
        command.cdw10[1] = ((first >> 32) as u32).into();
        command.cdw10[2] = (count - 1).into();
        command
    }

    /// Describes the data by an SGL that starts with this descriptor, in place of PRP entries.
    #[must_use]
    pub fn with_sgl(mut self, first: SglDescriptor) -> Self {
        self.cdw0 = (self.cdw0.get() | 1 << 14).into();
        [self.prp1, self.prp2] = first.words();
        self
    }

    /// Sets the command identifier.
    #[must_use]
    pub fn with_id(mut self, id: u16) -> Self {
        self.cdw0 = (self.cdw0.get() & 0xffff | u32::from(id) << 16).into();
        self
    }

    /// Sets a doubleword that the command defines, from 10 to 15.
    #[must_use]
    pub fn with(mut self, cdw: usize, value: u32) -> Self {
        self.cdw10[cdw - 10] = value.into();
        self
    }
}

/// A descriptor of a scatter gather list (4.4).
#[derive(Clone, Copy, Debug)]
pub enum SglDescriptor {
    /// Memory: address and length.
    Data(u64, u32),
    /// So many bytes that are not transferred.
    BitBucket(u32),
    /// The next segment: address and length.
    Segment(u64, u32),
    /// The next segment, which is the last one.
    LastSegment(u64, u32),
}

impl SglDescriptor {
    fn words(self) -> [U64; 2] {
        let (kind, address, len) = match self {
            SglDescriptor::Data(address, len) => (0, address, len),
            SglDescriptor::BitBucket(len) => (1, 0, len),
            SglDescriptor::Segment(address, len) => (2, address, len),
            SglDescriptor::LastSegment(address, len) => (3, address, len),
        };
        [address.into(), (kind << 60 | u64::from(len)).into()]
    }

    /// Returns the bytes of descriptors that follow each other: a segment.
    pub fn segment(descriptors: &[SglDescriptor]) -> Vec<u8> {
        descriptors.iter().flat_map(|one| one.words().as_bytes().to_vec()).collect()
    }
}

/// A completion queue entry (4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Doubleword 0, which the command defines.
    pub result: u32,
    /// The head of the submission queue.
    pub sq_head: u16,
    /// The command identifier.
    pub id: u16,
    /// The status field, without the phase; 0 for success.
    pub status: u16,
}

impl Completion {
    /// Bytes of an entry.
    pub const SIZE: u64 = 16;
}
