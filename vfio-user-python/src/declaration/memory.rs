//! Memory in a BAR.

use pyo3::prelude::*;
use vfio_user::__private::{MemoryRange, MemoryReset, StateField};

/// A memory, and its hook for writes.
#[derive(FromPyObject)]
pub(super) struct MemoryOf {
    range: RangeOf,
    hook: Option<Py<PyAny>>,
}

#[derive(FromPyObject)]
struct RangeOf {
    name: String,
    start: u64,
    end: u64,
    bar: Option<u8>,
    reset: Option<String>,
    doc: String,
}

/// What a device object keeps of the declaration of a memory.
pub(crate) struct OwnMemory {
    pub(crate) size: usize,
    pub(crate) field: StateField,
    pub(crate) hook: Option<Py<PyAny>>,
}

impl MemoryOf {
    pub(super) fn declared(&self, default_bar: u8) -> MemoryRange {
        let RangeOf { name, start, end, bar, reset, doc } = &self.range;
        let range = MemoryRange::new(name.clone().leak(), *start, *end)
            .with_bar(bar.unwrap_or(default_bar))
            .with_reset(match reset.as_deref() {
                Some("zero") => MemoryReset::Zero,
                Some(_) => MemoryReset::Keep,
                None => MemoryReset::Constructed,
            })
            .with_doc(doc.clone().leak());
        if self.hook.is_some() { range.with_hook() } else { range }
    }
}

impl OwnMemory {
    pub(super) fn of(MemoryOf { range, hook }: MemoryOf) -> Self {
        let size = range.end.saturating_sub(range.start);
        let field = StateField::new(range.name.leak(), "Vec<u8>").with_elements(size);
        OwnMemory { size: usize::try_from(size).unwrap_or(usize::MAX), field, hook }
    }
}
