//! Commands, completions and why commands fail, as the NVM Express Base Specification 1.4 names
//! them.

use vfio_user::DmaError;
use vfio_user::zerocopy::little_endian::{U16, U32, U64};
use vfio_user::zerocopy::{FromBytes, Immutable, IntoBytes};
use vfio_user_examples::DiskError;

/// A submission queue entry (4.2).
#[derive(Clone, Debug, FromBytes, IntoBytes, Immutable)]
#[zerocopy(crate = "vfio_user::zerocopy")]
#[repr(C)]
pub(crate) struct Command {
    pub(crate) opcode: u8,
    pub(crate) flags: u8,
    pub(crate) cid: U16,
    pub(crate) nsid: U32,
    pub cdw2: [U32; 2],
    pub(crate) mptr: U64,
    pub prp1: U64,
    pub prp2: U64,
    pub cdw10: U32,
    pub cdw11: U32,
    pub cdw12: U32,
    pub cdw13: U32,
    pub cdw14: [U32; 2],
}

/// CC.IOSQES and CC.IOCQES: the sizes of the entries, as powers of two.
pub(crate) const ENTRY_SIZES: [u8; 2] = [6, 4];

/// A completion queue entry (4.6).
#[derive(Debug, FromBytes, IntoBytes, Immutable)]
#[zerocopy(crate = "vfio_user::zerocopy")]
#[repr(C)]
pub(crate) struct Completion {
    pub(crate) result: U32,
    pub(crate) reserved: U32,
    pub(crate) sq_head: U16,
    pub(crate) sq_id: U16,
    pub(crate) cid: U16,
    /// The status, above the phase.
    pub(crate) status: U16,
}

/// A range of Dataset Management (6.7).
#[derive(Clone, Default, FromBytes, IntoBytes, Immutable)]
#[zerocopy(crate = "vfio_user::zerocopy")]
#[repr(C)]
pub(crate) struct Range {
    pub(crate) attributes: U32,
    pub(crate) count: U32,
    pub(crate) first: U64,
}

/// Why a command failed: status code, below the status code type (4.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u16);

impl Status {
    pub(crate) const INVALID_OPCODE: Self = Status(0x001);
    pub(crate) const INVALID_FIELD: Self = Status(0x002);
    pub(crate) const DATA_TRANSFER_ERROR: Self = Status(0x004);
    pub(crate) const ABORTED_BY_REQUEST: Self = Status(0x007);
    pub(crate) const INVALID_NAMESPACE: Self = Status(0x00b);
    pub(crate) const COMMAND_SEQUENCE_ERROR: Self = Status(0x00c);
    pub(crate) const SGL_SEGMENT_INVALID: Self = Status(0x00d);
    pub(crate) const SGL_COUNT_INVALID: Self = Status(0x00e);
    pub(crate) const DATA_SGL_LENGTH_INVALID: Self = Status(0x00f);
    pub(crate) const SGL_TYPE_INVALID: Self = Status(0x011);
    pub(crate) const INVALID_PRP_OFFSET: Self = Status(0x013);
    pub(crate) const LBA_OUT_OF_RANGE: Self = Status(0x080);
    pub(crate) const CQ_INVALID: Self = Status(0x100);
    pub(crate) const INVALID_QUEUE_ID: Self = Status(0x101);
    pub(crate) const INVALID_QUEUE_SIZE: Self = Status(0x102);
    pub(crate) const TOO_MANY_EVENT_REQUESTS: Self = Status(0x105);
    pub(crate) const INVALID_VECTOR: Self = Status(0x108);
    pub(crate) const INVALID_LOG_PAGE: Self = Status(0x109);
    pub(crate) const INVALID_QUEUE_DELETION: Self = Status(0x10c);
    pub(crate) const NOT_SAVEABLE: Self = Status(0x10d);
    pub(crate) const WRITE_FAULT: Self = Status(0x280);
    pub(crate) const UNRECOVERED_READ: Self = Status(0x281);
    pub(crate) const COMPARE_FAILURE: Self = Status(0x285);

    /// Returns the status field of a completion: with *Do Not Retry*, but for an aborted command.
    pub(crate) fn field(self) -> u16 {
        u16::from(self != Status::ABORTED_BY_REQUEST) << 14 | self.0
    }
}

/// Why a command is not completed by a result.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// It is completed later: when its transfer ends, or with an event.
    UnderWay,
    /// It stays in its queue: the device stops, its session has ended, or something has to happen
    /// first.
    Interrupted,
    Status(Status),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Status(status)
    }
}

impl From<DmaError> for Failure {
    fn from(error: DmaError) -> Self {
        // A guest that clears bus master may set it again.
        if error.is_interruption() || matches!(error, DmaError::NotBusMaster { .. }) {
            Failure::Interrupted
        } else {
            Failure::Status(Status::DATA_TRANSFER_ERROR)
        }
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Memory(error) => error.into(),
            DiskError::Outside => Status::LBA_OUT_OF_RANGE.into(),
            DiskError::Read(_) => Status::UNRECOVERED_READ.into(),
            DiskError::Write(_) => Status::WRITE_FAULT.into(),
        }
    }
}

/// Fails, unless a condition is met.
pub(crate) fn ensure(is_met: bool, failure: impl Into<Failure>) -> Outcome<()> {
    if is_met { Ok(()) } else { Err(failure.into()) }
}

/// Admin commands (5).
pub(crate) mod admin {
    pub(crate) const DELETE_SQ: u8 = 0x00;
    pub(crate) const CREATE_SQ: u8 = 0x01;
    pub(crate) const GET_LOG_PAGE: u8 = 0x02;
    pub(crate) const DELETE_CQ: u8 = 0x04;
    pub(crate) const CREATE_CQ: u8 = 0x05;
    pub(crate) const IDENTIFY: u8 = 0x06;
    pub(crate) const ABORT: u8 = 0x08;
    pub(crate) const SET_FEATURES: u8 = 0x09;
    pub(crate) const GET_FEATURES: u8 = 0x0a;
    pub(crate) const ASYNC_EVENT_REQUEST: u8 = 0x0c;
    pub(crate) const DOORBELL_BUFFER_CONFIG: u8 = 0x7c;
}

/// NVM commands (6).
pub(crate) mod nvm {
    pub(crate) const FLUSH: u8 = 0x00;
    pub(crate) const WRITE: u8 = 0x01;
    pub(crate) const READ: u8 = 0x02;
    pub(crate) const COMPARE: u8 = 0x05;
    pub(crate) const WRITE_ZEROES: u8 = 0x08;
    pub(crate) const DATASET_MANAGEMENT: u8 = 0x09;
}

/// All namespaces.
pub(crate) const BROADCAST: u32 = u32::MAX;

/// Low and high half of a doubleword.
pub(crate) fn halves(dword: U32) -> (u16, u16) {
    let dword = dword.get();
    ((dword & 0xffff) as u16, (dword >> 16) as u16)
}
