//! Why commands are not performed.

use vfio_user::{DmaError, FileTransferError};

use crate::spec::Status;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The device stops, or its session has ended: the command stays in its queue.
    Interrupted,
    Status(Status),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Returns the failure of a transfer, of which `status` is that of the medium.
    pub(crate) fn of_transfer(error: FileTransferError, status: Status) -> Self {
        match error {
            FileTransferError::Memory(error) => error.into(),
            _ => status.into(),
        }
    }
}

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
