//! Shared memory on its way into a stream and back.

use crate::device::cx::Runtime;
use crate::migration::{Content, Memory, StateError, StreamWriter};
use crate::shared::Shared;

/// Zeros are looked for in as much at a time.
const PAGE: usize = 4096;

/// Adds all shared memory to a stream.
pub(super) fn save<E>(runtime: &Runtime<E>, writer: &mut StreamWriter) -> Result<(), StateError> {
    for (bar, shared) in (0..).zip(&runtime.shared) {
        for area in shared.areas() {
            let mut page = [0; PAGE];
            for offset in area.clone().step_by(PAGE) {
                let len = PAGE.min(usize::try_from(area.end - offset).unwrap_or(PAGE));
                let page = &mut page[..len];
                shared.read(offset, page).map_err(|error| StateError::Memory(Box::new(error)))?;
                let is_zero = page.iter().all(|byte| *byte == 0);
                let content =
                    if is_zero { Content::Zeros(len as u64) } else { Content::Bytes(page) };
                writer.memory(&Memory { bar, offset, content });
            }
        }
    }
    Ok(())
}

/// Parts of shared memory that have been found to lie inside of it.
#[derive(Debug, Default)]
pub(super) struct MemoryLoad {
    parts: Vec<(u8, u64, Vec<u8>)>,
    /// What may still come, in bytes.
    left: u64,
}

impl MemoryLoad {
    /// Of at most as much memory as there is.
    pub(super) fn new<E>(runtime: &Runtime<E>) -> Self {
        let areas = runtime.shared.iter().flat_map(Shared::areas);
        MemoryLoad { parts: Vec::new(), left: areas.map(|area| area.end - area.start).sum() }
    }

    pub(super) fn add<E>(
        &mut self,
        runtime: &Runtime<E>,
        part: &Memory<'_>,
    ) -> Result<(), StateError> {
        let Memory { bar, offset, content } = *part;
        let len = match content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Zeros(len) => len,
        };
        let end = offset.saturating_add(len);
        let mut areas = runtime.shared(bar).areas().iter();
        let is_inside = areas.any(|area| area.start <= offset && end <= area.end);
        let left = self.left.checked_sub(len).filter(|_| is_inside);
        self.left = left.ok_or(StateError::MemoryOutside { bar, offset, len })?;
        let bytes = match content {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::Zeros(len) => vec![0; usize::try_from(len).unwrap_or(0)],
        };
        self.parts.push((bar, offset, bytes));
        Ok(())
    }

    /// Exchanges memory and what was loaded. Done twice, nothing has happened.
    pub(super) fn exchange<E>(&mut self, runtime: &Runtime<E>) {
        for (bar, offset, bytes) in &mut self.parts {
            let (shared, mut old) = (runtime.shared(*bar), vec![0; bytes.len()]);
            let exchanged =
                shared.read(*offset, &mut old).and_then(|()| shared.write(*offset, bytes));
            match exchanged {
                Ok(()) => *bytes = old,
                Err(error) => tracing::error!(bar, offset, %error, "shared memory is not loaded"),
            }
        }
        // The last of two parts that overlap comes back first.
        self.parts.reverse();
    }
}
