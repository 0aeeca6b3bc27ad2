//! The messages of a monitor: lines of JSON.

use serde::{Deserialize, Serialize};

/// The version of the messages; every reply has it.
pub const VERSION: u32 = 1;

/// A request: one line of JSON, such as `{"ask":"registers","from":64}`.
///
/// Long lists are answered page by page: the first request has no `from`, and each further one has
/// the `next` of the page before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What the device is, and whether it runs a hook.
    Device,
    /// All registers and their values, without side effects of a read.
    Registers {
        /// The page.
        #[serde(default)]
        from: u64,
    },
    /// The value of one register, of a field of it, or of a byte of a memory.
    Register {
        /// Its name, as for [`PciFunction::peek`](crate::function::PciFunction::peek).
        name: String,
    },
    /// Changes a register or a field of it, as
    /// [`PciFunction::poke`](crate::function::PciFunction::poke) does. A monitor refuses it unless
    /// it [allows pokes](super::Monitor::allow_pokes).
    Poke {
        /// Its name.
        name: String,
        /// The value.
        value: u64,
    },
    /// All interrupt vectors.
    Interrupts {
        /// The page.
        #[serde(default)]
        from: u64,
    },
    /// The memory that the client has mapped.
    Dma {
        /// The page: an address.
        #[serde(default)]
        from: u64,
    },
    /// Sums: accesses, refused accesses, bytes of DMA, time in hooks.
    Counters,
    /// The accesses to each register, and to all else, of what has been accessed.
    Accesses {
        /// The page.
        #[serde(default)]
        from: u64,
    },
    /// The calls of each hook, and the time in them.
    Hooks {
        /// The page.
        #[serde(default)]
        from: u64,
    },
    /// What the guest has accessed that has no model.
    Unmodelled {
        /// The page.
        #[serde(default)]
        from: u64,
    },
    /// The last accesses, the oldest one first.
    Last,
}

/// A line of JSON in reply to each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// [`VERSION`].
    pub version: u32,
    /// The reply.
    #[serde(flatten)]
    pub reply: Reply,
}

/// A reply, named after its request: `{"version":1,"registers":{"items":[..],"next":64}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// To [`Request::Device`].
    Device(DeviceInfo),
    /// To [`Request::Registers`].
    Registers(Page<NamedValue>),
    /// To [`Request::Register`] and [`Request::Poke`], with the value after the poke.
    Register(NamedValue),
    /// To [`Request::Interrupts`].
    Interrupts(Page<Vector>),
    /// To [`Request::Dma`].
    Dma(Page<Mapping>),
    /// To [`Request::Counters`].
    Counters(Counters),
    /// To [`Request::Accesses`].
    Accesses(Page<AccessCount>),
    /// To [`Request::Hooks`].
    Hooks(Page<HookTime>),
    /// To [`Request::Unmodelled`].
    Unmodelled(Page<UnmodelledPlace>),
    /// To [`Request::Last`].
    Last(Vec<LastAccess>),
    /// The request is refused, for this reason.
    Error(String),
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items; a page may have none and not be the last one.
    pub items: Vec<T>,
    /// The `from` of the next page; `None` after the last one.
    pub next: Option<u64>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// The name of its declaration.
    pub name: String,
    /// The vendor id.
    pub vendor: u16,
    /// The device id.
    pub device: u16,
    /// The process of the device.
    pub process: u32,
    /// The time since the counters were zero, in nanoseconds.
    pub nanoseconds: u64,
    /// Whether [pokes](Request::Poke) are allowed.
    pub pokes: bool,
    /// The hook that runs now.
    pub hook: Option<RunningHook>,
}

/// A hook that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningHook {
    /// Its name.
    pub name: String,
    /// For how long, in nanoseconds.
    pub nanoseconds: u64,
}

/// The value of a register, of a field, or of a byte of a memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedValue {
    /// The name: `status`, `ring[3]`, `queues[3].tail`; of a field `control.mode`.
    pub name: String,
    /// The value.
    pub value: u64,
    /// Whether a read returns this value. If not, a hook computes it, and the value is the stored
    /// one.
    pub exact: bool,
    /// The fields that are not zero, as text: `computing, mode=Fast`.
    pub set: String,
}

/// An interrupt vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vector {
    /// `intx`, `msi`, `msix`, `err` or `req`.
    pub kind: String,
    /// Its number.
    pub vector: u32,
    /// Whether the client has assigned an eventfd.
    pub assigned: bool,
    /// Whether the client or the guest masks it.
    pub masked: bool,
    /// Whether an interrupt waits for its delivery.
    pub pending: bool,
    /// How often the device has raised it.
    pub raised: u64,
    /// How often its eventfd was signalled.
    pub delivered: u64,
}

/// Memory that the client has mapped for the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// The first address.
    pub iova: u64,
    /// The last address.
    pub last: u64,
    /// Whether the device may read it.
    pub read: bool,
    /// Whether the device may write it.
    pub write: bool,
    /// How the device reaches it: `mapped`, `file` or `messages`.
    pub by: String,
}

/// Sums over the time since the device was created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Reads, of registers and of all else, each register of a long access by itself.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Accesses, or parts of them, without effect, by the reason.
    pub refused: Vec<Refused>,
    /// Bytes that the device has read from the guest's memory.
    pub dma_read: u64,
    /// Bytes that the device has written to it.
    pub dma_written: u64,
    /// Calls of hooks.
    pub hook_calls: u64,
    /// The time in hooks.
    pub hook_nanoseconds: u64,
}

/// Accesses, or parts of them, without effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The reason.
    pub reason: String,
    /// Their number.
    pub count: u64,
}

/// The accesses to a register, or to all places of another kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessCount {
    /// The register, or the kind of places: `configuration space`, `MSI-X table`.
    pub name: String,
    /// Whether it is a register. Of a device with more than 16,384 registers, an array is counted
    /// as a whole, as its first element.
    pub register: bool,
    /// The number of reads.
    pub reads: u64,
    /// The number of writes.
    pub writes: u64,
}

/// The calls of the hooks of a register, or of a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookTime {
    /// The register, without indices; `Device::event`; `timers`; `memories`.
    pub name: String,
    /// The number of calls.
    pub calls: u64,
    /// The time in all of them, in nanoseconds.
    pub nanoseconds: u64,
    /// The time in the longest one.
    pub longest: u64,
}

/// A place without a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmodelledPlace {
    /// The index of the BAR.
    pub bar: u8,
    /// The offset in the BAR.
    pub offset: u64,
    /// The name, if it is declared, and the offset in what is named.
    pub name: Option<(String, u64)>,
    /// The number of reads.
    pub reads: u64,
    /// The number of writes.
    pub writes: u64,
    /// The first value that was written, and the last one.
    pub written: Option<(u64, u64)>,
}

/// An access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAccess {
    /// The number of earlier accesses.
    pub number: u64,
    /// The time since the counters were zero, in nanoseconds.
    pub nanoseconds: u64,
    /// The register; or the place, such as `configuration space + 0x4`, `buffer + 0x10`.
    pub name: String,
    /// `read`, `write`, or `kick` for a write through an eventfd.
    pub operation: String,
    /// The value, 0 for a kick; of a long access the first eight bytes.
    pub value: u64,
}
