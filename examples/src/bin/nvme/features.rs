//! Features (5.21.1).

use vfio_user::serde::{Deserialize, Serialize};

use crate::disk::Outcome;
use crate::log::TEMPERATURE_WARNING;
use crate::queues::{IO_QUEUES, QUEUES};
use crate::spec::{Command, Status};

const POWER_MANAGEMENT: u8 = 0x02;
const LBA_RANGE_TYPE: u8 = 0x03;
pub(crate) const TEMPERATURE_THRESHOLD: u8 = 0x04;
const ERROR_RECOVERY: u8 = 0x05;
const WRITE_CACHE: u8 = 0x06;
pub(crate) const NUMBER_OF_QUEUES: u8 = 0x07;
const INTERRUPT_VECTOR: u8 = 0x09;
pub(crate) const EVENTS: u8 = 0x0b;
/// The first feature number that is not implemented.
const END: u8 = 0x0c;
/// SV: keep the value over power cycles. SEL: read another value than the current one.
const SAVE: u32 = 1 << 31;
const SELECT: u32 = 0b111 << 8;
/// Error Recovery, DULBE: reads of released blocks fail.
const RELEASED_BLOCK_ERROR: u32 = 1 << 16;
/// Interrupt Vector Configuration, CD: the vector's interrupts are not coalesced.
const NOT_COALESCED: u32 = 1 << 16;
/// The composite temperature, and the threshold above which it warns at first, in kelvin.
pub(crate) const TEMPERATURE: u16 = 300;
pub(crate) const WARNING_TEMPERATURE: u16 = 343;

/// The values of features 1 to 11.
#[derive(Debug, Serialize, Deserialize)]
#[serde(crate = "vfio_user::serde")]
pub(crate) struct Features {
    values: [u32; END as usize],
    /// Temperatures at which a warning begins: one that is too high, one that is too low.
    thresholds: [u32; 2],
    /// The vectors that are not coalesced.
    not_coalesced: u128,
}

impl Default for Features {
    fn default() -> Self {
        let mut values = [0; END as usize];
        values[usize::from(WRITE_CACHE)] = 1;
        let thresholds = [WARNING_TEMPERATURE.into(), 0];
        Features { values, thresholds, not_coalesced: 0 }
    }
}

impl Features {
    /// Returns whether data may be in a volatile cache when a write is completed.
    pub(crate) fn has_write_cache(&self) -> bool {
        self.values[usize::from(WRITE_CACHE)] & 1 != 0
    }

    /// Returns the critical warnings of the health log page.
    pub(crate) fn warnings(&self) -> u8 {
        let (temperature, [high, low]) = (u32::from(TEMPERATURE), self.thresholds);
        if temperature >= high || temperature <= low { TEMPERATURE_WARNING } else { 0 }
    }

    /// Returns whether the guest wants an event for a warning that there is.
    pub(crate) fn has_event(&self) -> bool {
        self.values[usize::from(EVENTS)] & u32::from(self.warnings()) != 0
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
            // One power state, number 0.
            POWER_MANAGEMENT if value & 0x1f != 0 => return Err(Status::INVALID_FIELD.into()),
            ERROR_RECOVERY if value & RELEASED_BLOCK_ERROR != 0 => {
                return Err(Status::INVALID_FIELD.into());
            }
            TEMPERATURE_THRESHOLD => self.thresholds[threshold(value)?] = value & 0xffff,
            INTERRUPT_VECTOR => {
                let bit = 1 << vector(value)?;
                self.not_coalesced &= !bit;
                self.not_coalesced |= if value & NOT_COALESCED != 0 { bit } else { 0 };
            }
            _ => self.values[usize::from(feature)] = value,
        }
        Ok(0)
    }

    pub(crate) fn get(&self, command: &Command) -> Outcome<u32> {
        let (feature, which) = (find(command)?, command.cdw11.get());
        if command.cdw10.get() & SELECT != 0 {
            return Err(Status::INVALID_FIELD.into());
        }
        Ok(match feature {
            NUMBER_OF_QUEUES => number_of_queues(),
            TEMPERATURE_THRESHOLD => self.thresholds[threshold(which)?],
            INTERRUPT_VECTOR => {
                let vector = vector(which)?;
                let is_direct = self.not_coalesced >> vector & 1 != 0;
                vector | if is_direct { NOT_COALESCED } else { 0 }
            }
            _ => self.values[usize::from(feature)],
        })
    }
}

/// Returns the number of a command's feature.
pub(crate) fn find(command: &Command) -> Outcome<u8> {
    match command.cdw10.to_bytes() {
        [feature @ 1..END, ..] if feature != LBA_RANGE_TYPE => Ok(feature),
        _ => Err(Status::INVALID_FIELD.into()),
    }
}

/// Returns the place of a threshold of the composite temperature (TMPSEL, THSEL).
fn threshold(value: u32) -> Outcome<usize> {
    match value >> 16 & 0x3f {
        0x00 | 0x0f => Ok(0),
        0x10 | 0x1f => Ok(1),
        _ => Err(Status::INVALID_FIELD.into()),
    }
}

/// Returns a vector that exists.
fn vector(value: u32) -> Outcome<u32> {
    let vector = value & 0xffff;
    if vector < QUEUES.into() { Ok(vector) } else { Err(Status::INVALID_FIELD.into()) }
}

/// Submission and completion queues, each less one.
fn number_of_queues() -> u32 {
    let last = u32::from(IO_QUEUES) - 1;
    last << 16 | last
}
