//! The entries of a recording.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// The device that a recording is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    /// What the guest can see of the layout.
    pub(crate) layout: ByteBuf,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A part of the state that the device begins with.
    State(ByteBuf),
    /// The server calls the device. What belongs to the call follows.
    Call(Call),
    /// The call returns, if it returns more than success.
    Outcome(Outcome),
    /// The client changes what the device uses: its memory, its interrupts.
    Act(Act),
    /// What the device finds or receives.
    Input(Input),
    /// What leaves the device.
    Output(Output),
    /// From here on, something is not in the recording.
    Unrecorded(Unrecorded),
    /// The end.
    End,
}

/// A call of the device by its server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Call {
    Read { region: u32, offset: u64, len: u32 },
    Write { region: u32, offset: u64, data: ByteBuf },
    Divides { region: u32, is_write: bool, start: u64, end: u64 },
    Reset,
    ResetAsWanted,
    Connected,
    Disconnected,
    Removed,
    DmaMapped { first: u64, last: u64 },
    DmaUnmapped { first: u64, last: u64 },
    IrqsChanged,
    Quiesce,
    Stop,
    Resume,
    Migrate { target: u32 },
    ReadState { len: u32 },
    WriteState { data: ByteBuf },
    ContinueState,
    CancelLoad,
    CatchUp,
    Work,
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Success, with nothing to say. It is not written.
    Done,
    /// The bytes that it has read.
    Data(ByteBuf),
    /// Its answer to a question.
    Answer(bool),
    /// The error number of a refusal.
    Refused(u32),
    /// A hook has panicked.
    Panicked,
}

/// A change by the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    Map { first: u64, last: u64, rights: u8, kind: RegionKind },
    Unmap { first: u64, last: u64 },
    PauseDma,
    UnpauseDma,
    EndDma,
    LeaveDma,
    Attach { max_data: u64, probes: bool },
    Detach,
    Expire,
    Reply { header: [u8; 16], payload: Option<ByteBuf> },
    Assign { index: u32, start: u32, count: u32 },
    Deassign { index: u32, start: u32, count: u32 },
    DisableIrqs { index: u32 },
    Mask { index: u32, vectors: Vec<u32>, masked: bool },
    EndIrqs,
    LeaveIrqs,
}

/// How a region of the client's memory is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RegionKind {
    Mapped,
    File,
    Messages,
}

/// What the device finds or receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Input {
    /// The eventfd of a doorbell was signalled.
    Doorbell(u32),
    /// A guest has stored to a watched register in shared memory.
    Watched { register: u32, bits: u64 },
    /// An event of another thread, at this place among those that are delivered together.
    Event { place: u32, of_session: bool, event: ByteBuf },
    /// An event for a descriptor that is ready.
    Ready(ByteBuf),
    /// Bytes that were read from the client's memory.
    Dma { iova: u64, data: ByteBuf },
    /// A read of the client's memory that failed.
    DmaFault { iova: u64, len: u64, fault: Fault },
}

/// What leaves the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Output {
    /// An interrupt was signalled.
    Interrupt { index: u32, vector: u32 },
    /// Bytes were written to the client's memory.
    Dma { iova: u64, data: ByteBuf, fault: Option<Fault> },
    /// A request was sent to the client.
    Request { command: u16, payload: ByteBuf },
}

/// Why mapped memory could not be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    Lost,
    NotMapped,
    Misaligned,
    Io(i32),
}

/// What happened to a device that its recording does not hold. A replay may differ because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unrecorded {
    /// A BAR is shared memory, which the client accesses without messages.
    SharedBar,
    /// The device does not migrate: a replay begins with a new device.
    State,
    /// Threads of the device accessed the client's memory or raised interrupts.
    Threads,
    /// The device took the address or the file of mapped memory, or slices of it.
    DirectMemory,
    /// The device took the eventfd of an interrupt.
    Eventfd,
    /// A tool changed registers through a monitor.
    Poke,
    /// Events from threads or of descriptors arrived whose type does not implement the traits of
    /// serde.
    Events,
}

impl fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unrecorded::SharedBar => "accesses of the client to memory of a BAR that it maps",
            Unrecorded::State => "the state at the start: the device does not migrate",
            Unrecorded::Threads => "DMA and interrupts of the device's own threads",
            Unrecorded::DirectMemory => "accesses to the client's memory by address or file",
            Unrecorded::Eventfd => "signals of an eventfd that the device has taken",
            Unrecorded::Poke => "registers that a tool has changed through the monitor",
            Unrecorded::Events => "events of a type without the traits of serde",
        })
    }
}
