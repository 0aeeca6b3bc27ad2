//! Entries of a recording in words, with the names of registers.

use std::fmt::{self, Write as _};

use crate::bus::AccessKind;
use crate::device::PciDevice;
use crate::function::{AccessedPlace, PciFunction};
use crate::protocol::{Command, Errno, IrqIndex, RegionIndex};
use crate::tape::{Act, Call, Entry, Input, Outcome, Output};

/// The bytes of a value that are shown.
const SHOWN: usize = 16;

/// Returns what a call is: `read of edu.status`.
pub(super) fn call<D: PciDevice>(call: &Call, function: &PciFunction<D>) -> String {
    let place = |region: u32, offset, is_write, size| {
        let access = AccessKind { is_write, size };
        AccessedPlace { function, region: RegionIndex::from(region), offset, access }
    };
    match call {
        Call::Read { region, offset, len } => {
            let len = usize::try_from(*len).unwrap_or(usize::MAX);
            format!("read of {}", place(*region, *offset, false, len))
        }
        Call::Write { region, offset, data } => {
            let place = place(*region, *offset, true, data.len());
            format!("write of {} to {place}", Bytes(data))
        }
        Call::DmaMapped { first, last } => format!("map of {first:#x}..={last:#x}"),
        Call::DmaUnmapped { first, last } => format!("unmap of {first:#x}..={last:#x}"),
        Call::WriteState { data } => format!("WriteState of {} bytes", data.len()),
        other => format!("{other:?}"),
    }
}

/// Returns what the client changes.
pub(super) fn act(act: &Act) -> String {
    match act {
        Act::Reply { .. } => "reply of the client".to_owned(),
        Act::Mask { index, vectors, masked } => {
            let change = if *masked { "Mask" } else { "Unmask" };
            format!("{change} of {} vectors of index {index}", vectors.len())
        }
        other => format!("{other:?}"),
    }
}

/// Returns what an entry says that the device does, or receives.
pub(super) fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Input(input) => self::input(input),
        Entry::Output(output) => self::output(output),
        Entry::Outcome(outcome) => self::outcome(outcome),
        Entry::Act(act) => self::act(act),
        Entry::Call(_) => "a call".to_owned(),
        Entry::State(part) => format!("{} bytes of state", part.len()),
        Entry::Unrecorded(what) => what.to_string(),
        Entry::End => "the end".to_owned(),
    }
}

fn input(input: &Input) -> String {
    let read = |iova: u64, len| format!("a DMA read of {len} bytes at {iova:#x}");
    match input {
        Input::Dma { iova, data } => read(*iova, data.len() as u64),
        Input::DmaFault { iova, len, .. } => read(*iova, *len),
        Input::Doorbell(index) => format!("doorbell {index}"),
        Input::Watched { register, bits } => format!("a store of {bits:#x} to page {register}"),
        Input::Event { .. } => "an event".to_owned(),
        Input::Ready(_) => "an event of a descriptor".to_owned(),
    }
}

fn output(output: &Output) -> String {
    match output {
        Output::Interrupt { index, vector } => match IrqIndex::try_from(*index) {
            Ok(index @ (IrqIndex::Msi | IrqIndex::Msix)) => format!("interrupt {index} {vector}"),
            Ok(index) => format!("interrupt {index}"),
            Err(error) => error.to_string(),
        },
        Output::Dma { iova, data, .. } => {
            format!("a DMA write of {} bytes at {iova:#x}, {}", data.len(), Bytes(data))
        }
        Output::Request { command, payload } => match Command::try_from(*command) {
            Ok(command) => format!("a {command} of {}", Bytes(payload)),
            Err(error) => error.to_string(),
        },
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "success".to_owned(),
        Outcome::Data(data) => Bytes(data).to_string(),
        Outcome::Answer(answer) => answer.to_string(),
        Outcome::Refused(errno) => format!("refusal {}", Errno::from_wire(*errno)),
        Outcome::Panicked => "a panic".to_owned(),
    }
}

/// A value, if it can be one of a register, or the first bytes.
struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.0.len(), 1 | 2 | 4 | 8) {
            let mut value = [0; 8];
            value[..self.0.len()].copy_from_slice(self.0);
            return write!(f, "{:#x}", u64::from_le_bytes(value));
        }
        for (place, byte) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if place == 0 { "" } else { " " };
            write!(f, "{separator}{byte:02x}")?;
        }
        if self.0.len() > SHOWN { f.write_str("..") } else { Ok(()) }
    }
}

/// Shows both of two entries; of two DMA writes at one address, the first byte that differs.
pub(super) fn pair(recorded: &Entry, replayed: &Entry) -> (String, String) {
    let (mut left, mut right) = (entry(recorded), entry(replayed));
    if let (
        Entry::Output(Output::Dma { iova, data: one, .. }),
        Entry::Output(Output::Dma { iova: other_iova, data: other, .. }),
    ) = (recorded, replayed)
        && (iova, one.len()) == (other_iova, other.len())
        && let Some(at) = one.iter().zip(other.iter()).position(|(one, other)| one != other)
    {
        // Writing to a string does not fail.
        let _ = write!(left, " (byte {at}: {:#04x})", one[at]);
        let _ = write!(right, " (byte {at}: {:#04x})", other[at]);
    }
    (left, right)
}
