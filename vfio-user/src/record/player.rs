//! What answers a device from its recording, and compares.

use std::fmt;
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::protocol::IrqIndex;
use crate::tape::{
    Entry, Fault, Input, Output, RecordingError, Tap, TapeReader, Timed, Unrecorded,
};

/// Entries in order.
pub(super) trait Source: Send {
    /// Returns the next entry; `None` after the last one.
    ///
    /// # Errors
    ///
    /// [`RecordingError`].
    fn next(&mut self) -> Result<Option<Timed>, RecordingError>;
}

impl<R: Read + Send> Source for TapeReader<R> {
    fn next(&mut self) -> Result<Option<Timed>, RecordingError> {
        TapeReader::next(self)
    }
}

/// The player of one recording.
pub(super) struct Player {
    /// The thread that replays. What other threads of the device do is not compared.
    thread: ThreadId,
    state: Mutex<State>,
}

struct State {
    source: Box<dyn Source>,
    head: Option<Timed>,
    /// The number of entries that were played.
    entries: u64,
    difference: Option<Mismatch>,
    error: Option<RecordingError>,
    unrecorded: Vec<Unrecorded>,
}

/// What the recording has, and what the device does instead: `None` is nothing.
#[derive(Clone, Debug)]
pub(super) struct Mismatch {
    pub(super) recorded: Option<Timed>,
    pub(super) replayed: Option<Entry>,
}

impl Player {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        let state = State {
            source,
            head: None,
            entries: 0,
            difference: None,
            error: None,
            unrecorded: Vec::new(),
        };
        Player { thread: thread::current().id(), state: Mutex::new(state) }
    }

    /// Returns the next entry without taking it.
    ///
    /// # Errors
    ///
    /// That of the recording, once.
    pub(super) fn peek(&self) -> Result<Option<Timed>, RecordingError> {
        let mut state = self.state();
        let head = state.peek().cloned();
        state.error.take().map_or(Ok(head), Err)
    }

    /// Takes the next entry.
    pub(super) fn take(&self) {
        self.state().take();
    }

    /// Notes a difference, if it is the first one.
    pub(super) fn differ(&self, recorded: Option<Timed>, replayed: Option<Entry>) {
        let mismatch = Mismatch { recorded, replayed };
        self.state().difference.get_or_insert(mismatch);
    }

    pub(super) fn difference(&self) -> Option<Mismatch> {
        self.state().difference.clone()
    }

    pub(super) fn entries(&self) -> u64 {
        self.state().entries
    }

    pub(super) fn unrecorded_kinds(&self) -> Vec<Unrecorded> {
        self.state().unrecorded.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every step is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_device(&self) -> Option<MutexGuard<'_, State>> {
        let state = (self.thread == thread::current().id()).then(|| self.state())?;
        state.difference.is_none().then_some(state)
    }

    /// Compares what leaves the device.
    pub(super) fn output(&self, output: Output) {
        let Some(mut state) = self.of_device() else { return };
        let replayed = Entry::Output(output);
        match state.peek() {
            Some(head) if head.entry == replayed => state.take(),
            _ => state.differ(replayed),
        }
    }
}

impl State {
    fn peek(&mut self) -> Option<&Timed> {
        while self.head.is_none() {
            match self.source.next() {
                Ok(Some(Timed { entry: Entry::Unrecorded(what), .. })) => {
                    self.entries += 1;
                    self.unrecorded.push(what);
                }
                Ok(Some(head)) => self.head = Some(head),
                Ok(None) => return None,
                Err(error) => {
                    self.error.get_or_insert(error);
                    return None;
                }
            }
        }
        self.head.as_ref()
    }

    fn take(&mut self) {
        if self.head.take().is_some() {
            self.entries += 1;
        }
    }

    fn differ(&mut self, replayed: Entry) {
        // Where the recording breaks off, nothing can be compared.
        if self.error.is_none() {
            let recorded = self.head.clone();
            self.difference.get_or_insert(Mismatch { recorded, replayed: Some(replayed) });
        }
    }
}

impl Tap for Player {
    fn replays(&self) -> bool {
        true
    }

    fn next(&self, is_wanted: fn(&Input) -> bool) -> Option<Input> {
        let mut state = self.of_device()?;
        let Entry::Input(input) = &state.peek()?.entry else { return None };
        let input = is_wanted(input).then(|| input.clone())?;
        state.take();
        Some(input)
    }

    fn interrupt(&self, index: u32, vector: u32) {
        debug_assert!(IrqIndex::try_from(index).is_ok(), "an index of ours");
        self.output(Output::Interrupt { index, vector });
    }

    fn read(
        &self,
        iova: u64,
        data: &mut [u8],
        _: &mut dyn FnMut(&mut [u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(mut state) = self.of_device() else { return Err(Fault::Lost) };
        let len = data.len() as u64;
        let recorded = match state.peek().map(|head| &head.entry) {
            Some(Entry::Input(Input::Dma { iova: at, data: bytes }))
                if (*at, bytes.len()) == (iova, data.len()) =>
            {
                data.copy_from_slice(bytes);
                Some(Ok(()))
            }
            Some(Entry::Input(Input::DmaFault { iova: at, len: count, fault }))
                if (*at, *count) == (iova, len) =>
            {
                Some(Err(*fault))
            }
            _ => None,
        };
        if recorded.is_some() {
            state.take();
        } else {
            state.differ(Entry::Input(Input::DmaFault { iova, len, fault: Fault::Lost }));
        }
        recorded.unwrap_or(Err(Fault::Lost))
    }

    fn write(
        &self,
        iova: u64,
        data: &[u8],
        _: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(mut state) = self.of_device() else { return Err(Fault::Lost) };
        let recorded = match state.peek().map(|head| &head.entry) {
            Some(Entry::Output(Output::Dma { iova: at, data: bytes, fault }))
                if (*at, &bytes[..]) == (iova, data) =>
            {
                Some(*fault)
            }
            _ => None,
        };
        let Some(fault) = recorded else {
            let data = data.to_vec().into();
            state.differ(Entry::Output(Output::Dma { iova, data, fault: None }));
            return Err(Fault::Lost);
        };
        state.take();
        fault.map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("entries", &self.entries()).finish_non_exhaustive()
    }
}
