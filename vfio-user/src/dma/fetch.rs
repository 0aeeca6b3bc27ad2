//! Reads that do not wait for the client.

use std::sync::{Arc, Mutex, PoisonError};

use super::rights::Rights;
use super::{Dma, DmaError, DmaGuard, DmaSegment};

type Bytes = Result<Vec<u8>, DmaError>;
type Then = Box<dyn FnOnce(Bytes) + Send>;

/// A read that has started.
pub(crate) enum Fetch {
    /// The read failed to start.
    Failed(DmaError),
    /// No message to the client is needed.
    Held(Held),
    Pending(Pending),
}

/// A held range that can be read at any time; its data is not copied until then.
pub(crate) struct Held {
    held: DmaGuard,
    len: usize,
}

impl Held {
    pub(crate) fn read(self) -> Bytes {
        let mut data = vec![0; self.len];
        self.held.read(0, &mut data).map(|()| data)
    }
}

/// A range of which some must be read by messages.
pub(crate) struct Pending {
    held: DmaGuard,
}

/// The parts that have been read, and those that are missing.
struct Gathered {
    parts: Vec<Vec<u8>>,
    missing: usize,
    /// Taken once the read has failed.
    then: Option<Then>,
}

impl Dma {
    /// Starts to read a range.
    pub(crate) fn fetch(&self, iova: u64, len: usize) -> Fetch {
        if len > self.transfers().max_queued() {
            return Fetch::Failed(DmaError::TooMuch { iova, len });
        }
        let held = self.table(iova).and_then(|table| table.hold(iova, len, Rights::READ));
        let held = match held {
            Ok(held) => held,
            Err(error) => return Fetch::Failed(error),
        };
        if held.segments().iter().any(DmaSegment::is_by_messages) {
            return Fetch::Pending(Pending { held });
        }
        Fetch::Held(Held { held, len })
    }
}

impl Pending {
    /// Sends the requests, and calls `then` on the thread that serves the client once all data is
    /// there.
    pub(crate) fn then(self, then: impl FnOnce(Bytes) + Send + 'static) {
        let count = self.held.segments().len();
        let gathered = Arc::new(Mutex::new(Gathered {
            parts: vec![Vec::new(); count],
            missing: count,
            then: Some(Box::new(then)),
        }));
        for (place, segment) in self.held.into_iter().enumerate() {
            let all = Arc::clone(&gathered);
            let begun = segment.fetch(move |bytes| add(&all, place, bytes));
            if let Err(error) = begun {
                add(&gathered, place, Err(error));
            }
        }
    }
}

/// Adds a part, and calls `then` if it was the last one or failed.
fn add(gathered: &Mutex<Gathered>, place: usize, bytes: Bytes) {
    let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
    gathered.missing -= 1;
    let result = match bytes {
        Err(error) => Err(error),
        Ok(bytes) => {
            gathered.parts[place] = bytes;
            if gathered.missing > 0 {
                return;
            }
            Ok(joined(std::mem::take(&mut gathered.parts)))
        }
    };
    let then = gathered.then.take();
    drop(gathered);
    if let Some(then) = then {
        then(result);
    }
}

fn joined(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => parts.concat(),
    }
}
