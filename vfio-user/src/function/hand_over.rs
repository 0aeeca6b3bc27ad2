//! What a function passes to the same function in another program, which continues with it.

use serde::{Deserialize, Serialize};

use crate::model::DataMatch;
use crate::parcel::{ByteRange, FdNumber};

/// Whether a function can be handed over to another program.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handing {
    /// It runs, and can be handed over.
    Running,
    /// It is stopped until a client attaches, and can be handed over.
    Stopped,
    /// Not now, for this reason, which passes by itself.
    Later(&'static str),
    /// Not in its present state.
    Never(&'static str),
}

/// The records of a function; its bytes and descriptors are in a parcel.
#[doc(hidden)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FunctionRecord {
    /// The stream of its state, without memory of BARs.
    pub(crate) state: ByteRange,
    pub(crate) shared: Vec<SharedRecord>,
    pub(crate) doorbells: Vec<DoorbellRecord>,
}

/// The memory of a BAR.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SharedRecord {
    pub(crate) bar: u8,
    pub(crate) file: FdNumber,
    pub(crate) offset: u64,
}

/// The eventfd of a doorbell.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct DoorbellRecord {
    pub(crate) bar: u8,
    pub(crate) offset: u64,
    /// `None` for any value.
    pub(crate) value: Option<u64>,
    pub(crate) eventfd: FdNumber,
}

impl DoorbellRecord {
    pub(crate) fn data_match(&self) -> DataMatch {
        self.value.map_or(DataMatch::Any, DataMatch::Value)
    }
}
