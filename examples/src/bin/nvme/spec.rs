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

/// Why a command failed: status code type and status code (4.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u8, u8);

impl Status {
    pub(crate) const INVALID_OPCODE: Self = Status(0, 0x01);
    pub(crate) const INVALID_FIELD: Self = Status(0, 0x02);
    pub(crate) const DATA_TRANSFER_ERROR: Self = Status(0, 0x04);
    pub(crate) const ABORTED_BY_REQUEST: Self = Status(0, 0x07);
    pub(crate) const INVALID_NAMESPACE: Self = Status(0, 0x0b);
    pub(crate) const COMMAND_SEQUENCE_ERROR: Self = Status(0, 0x0c);
    pub(crate) const SGL_SEGMENT_INVALID: Self = Status(0, 0x0d);
    pub(crate) const SGL_COUNT_INVALID: Self = Status(0, 0x0e);
    pub(crate) const DATA_SGL_LENGTH_INVALID: Self = Status(0, 0x0f);
    pub(crate) const SGL_TYPE_INVALID: Self = Status(0, 0x11);
    pub(crate) const INVALID_PRP_OFFSET: Self = Status(0, 0x13);
    pub(crate) const LBA_OUT_OF_RANGE: Self = Status(0, 0x80);
    pub(crate) const CQ_INVALID: Self = Status(1, 0x00);
    pub(crate) const INVALID_QUEUE_ID: Self = Status(1, 0x01);
    pub(crate) const INVALID_QUEUE_SIZE: Self = Status(1, 0x02);
    pub(crate) const TOO_MANY_EVENT_REQUESTS: Self = Status(1, 0x05);
    pub(crate) const INVALID_VECTOR: Self = Status(1, 0x08);
    pub(crate) const INVALID_LOG_PAGE: Self = Status(1, 0x09);
    pub(crate) const INVALID_QUEUE_DELETION: Self = Status(1, 0x0c);
    pub(crate) const NOT_SAVEABLE: Self = Status(1, 0x0d);
    pub(crate) const WRITE_FAULT: Self = Status(2, 0x80);
    pub(crate) const UNRECOVERED_READ: Self = Status(2, 0x81);
    pub(crate) const COMPARE_FAILURE: Self = Status(2, 0x85);

    /// Returns the status field of a completion: with *Do Not Retry*, but for an aborted command.
    pub(crate) fn field(self) -> u16 {
        let Status(kind, code) = self;
        let retry = self == Status::ABORTED_BY_REQUEST;
        u16::from(!retry) << 14 | u16::from(kind) << 8 | u16::from(code)
    }
}

/// Why a command is not performed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The device stops, or its session has ended: the command stays in its queue.
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

/// Fails with a status, unless a condition is met.
pub(crate) fn ensure(is_met: bool, status: Status) -> Outcome<()> {
    if is_met { Ok(()) } else { Err(status.into()) }
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
