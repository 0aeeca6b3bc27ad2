//! Features (5.21.1).

use vfio_user::serde::{Deserialize, Serialize};

use crate::disk::Outcome;
use crate::queues::IO_QUEUES;
use crate::spec::{Command, Status};

const TEMPERATURE: u8 = 0x04;
const WRITE_CACHE: u8 = 0x06;
const NUMBER_OF_QUEUES: u8 = 0x07;
/// The first feature number that is not implemented.
const END: u8 = 0x0c;
/// SV: keep the value over power cycles. SEL: read another value than the current one.
const SAVE: u32 = 1 << 31;
const SELECT: u32 = 0b111 << 8;

/// The values of features 1 to 11.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct Features([u32; END as usize]);

impl Default for Features {
    fn default() -> Self {
        let mut values = [0; END as usize];
        values[usize::from(TEMPERATURE)] = 343;
        values[usize::from(WRITE_CACHE)] = 1;
        Features(values)
    }
}

impl Features {
    /// Returns whether data may be in a volatile cache when a write is completed.
    pub(crate) fn has_write_cache(&self) -> bool {
        self.0[usize::from(WRITE_CACHE)] & 1 != 0
    }

    pub(crate) fn set(&mut self, command: &Command) -> Outcome<u32> {
        let (feature, value) = (find(command)?, command.cdw11.get());
        if command.cdw10.get() & SAVE != 0 {
            return Err(Status::NOT_SAVEABLE.into());
        }
        match feature {
            // All ones is reserved.
            NUMBER_OF_QUEUES if value & 0xffff == 0xffff || value >> 16 == 0xffff => {
                return Err(Status::INVALID_FIELD.into());
            }
            // However many the guest wants.
            NUMBER_OF_QUEUES => return Ok(number_of_queues()),
            // Only the threshold above which it warns.
            TEMPERATURE if value >> 16 != 0 => return Err(Status::INVALID_FIELD.into()),
            _ => self.0[usize::from(feature)] = value,
        }
        Ok(0)
    }

    pub(crate) fn get(&self, command: &Command) -> Outcome<u32> {
        let feature = find(command)?;
        match command.cdw10.get() & SELECT {
            0 if feature == NUMBER_OF_QUEUES => Ok(number_of_queues()),
            0 => Ok(self.0[usize::from(feature)]),
            _ => Err(Status::INVALID_FIELD.into()),
        }
    }
}

/// Returns the number of a command's feature.
fn find(command: &Command) -> Outcome<u8> {
    match command.cdw10.get() & 0xff {
        3 => Err(Status::INVALID_FIELD.into()),
        feature => match u8::try_from(feature) {
            Ok(feature @ 1..END) => Ok(feature),
            _ => Err(Status::INVALID_FIELD.into()),
        },
    }
}

/// Submission and completion queues, each less one.
fn number_of_queues() -> u32 {
    let last = u32::from(IO_QUEUES) - 1;
    last << 16 | last
}
