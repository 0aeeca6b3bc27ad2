//! Features (5.21.1).

use serde::{Deserialize, Serialize};

use crate::log::TEMPERATURE_WARNING;
use crate::queues::{IO_QUEUES, QUEUES};
use crate::spec::{Command, Outcome, Status, ensure};

const POWER_MANAGEMENT: u8 = 0x02;
const LBA_RANGE_TYPE: u8 = 0x03;
pub(crate) const TEMPERATURE_THRESHOLD: u8 = 0x04;
const ERROR_RECOVERY: u8 = 0x05;
pub(crate) const WRITE_CACHE: u8 = 0x06;
pub(crate) const NUMBER_OF_QUEUES: u8 = 0x07;
const INTERRUPT_VECTOR: u8 = 0x09;
pub(crate) const EVENTS: u8 = 0x0b;
/// The first feature number that is not implemented.
const END: u8 = 0x0c;
/// SV: keep the value over power cycles. SEL: read another value than the current one.
const SAVE: u32 = 1 << 31;
const SELECT: u32 = 0b111 << 8;
/// The composite temperature, and the threshold above which it warns at first, in kelvin.
pub(crate) const TEMPERATURE: u16 = 300;
pub(crate) const WARNING_TEMPERATURE: u16 = 343;

/// The values of features 1 to 11.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Features {
    values: [u32; END as usize],
    /// Temperatures at which a warning begins: one that is too high, one that is too low.
    thresholds: [u32; 2],
    /// Interrupt Vector Configuration of each vector.
    vectors: Vec<u32>,
}

impl Default for Features {
    fn default() -> Self {
        let mut values = [0; END as usize];
        values[usize::from(WRITE_CACHE)] = 1;
        // Submission and completion queues, each less one.
        values[usize::from(NUMBER_OF_QUEUES)] = (u32::from(IO_QUEUES) - 1) * 0x1_0001;
        let thresholds = [WARNING_TEMPERATURE.into(), 0];
        Features { values, thresholds, vectors: (0..QUEUES.into()).collect() }
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

    /// Returns the value of a command's feature, of which there may be several.
    fn value(&mut self, command: &Command) -> Outcome<&mut u32> {
        let which = command.cdw11.get();
        let value = match (find(command)?, which >> 16 & 0x3f) {
            // Of the composite temperature (TMPSEL, THSEL).
            (TEMPERATURE_THRESHOLD, 0x00 | 0x0f) => Some(&mut self.thresholds[0]),
            (TEMPERATURE_THRESHOLD, 0x10 | 0x1f) => Some(&mut self.thresholds[1]),
            (TEMPERATURE_THRESHOLD, _) => None,
            (INTERRUPT_VECTOR, _) => self.vectors.get_mut((which & 0xffff) as usize),
            (feature, _) => self.values.get_mut(usize::from(feature)),
        };
        value.ok_or(Status::INVALID_FIELD.into())
    }

    pub(crate) fn set(&mut self, command: &Command) -> Outcome<u32> {
        let (feature, value) = (find(command)?, command.cdw11.get());
        ensure(command.cdw10.get() & SAVE == 0, Status::NOT_SAVEABLE)?;
        if feature == NUMBER_OF_QUEUES {
            // However many the guest wants. All ones is reserved.
            ensure(value & 0xffff < 0xffff && value >> 16 < 0xffff, Status::INVALID_FIELD)?;
            return self.value(command).copied();
        }
        // Bits that have to be 0, and those of the feature's value.
        let (zeros, fields) = match feature {
            // One power state, number 0.
            POWER_MANAGEMENT => (0x1f, u32::MAX),
            // DULBE: reads of released blocks do not fail.
            ERROR_RECOVERY => (1 << 16, u32::MAX),
            TEMPERATURE_THRESHOLD => (0, 0xffff),
            // The vector, and CD, by which its interrupts are not coalesced.
            INTERRUPT_VECTOR => (0, 0x1_ffff),
            _ => (0, u32::MAX),
        };
        ensure(value & zeros == 0, Status::INVALID_FIELD)?;
        *self.value(command)? = value & fields;
        Ok(0)
    }

    pub(crate) fn get(&mut self, command: &Command) -> Outcome<u32> {
        ensure(command.cdw10.get() & SELECT == 0, Status::INVALID_FIELD)?;
        self.value(command).copied()
    }
}

/// Returns the number of a command's feature.
pub(crate) fn find(command: &Command) -> Outcome<u8> {
    match command.cdw10.to_bytes() {
        [feature @ 1..END, ..] if feature != LBA_RANGE_TYPE => Ok(feature),
        _ => Err(Status::INVALID_FIELD.into()),
    }
}
