//! What listens to a device and writes its recording.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use tracing::error;

use crate::tape::{Act, Call, Entry, Fault, Input, Outcome, Output, Tap, TapeWriter, Unrecorded};

/// The recorder of one device. A failure to write ends the recording, and not the device.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once the recording has ended.
    writer: Option<TapeWriter<BufWriter<File>>>,
    /// The time of the call or change that is recorded now.
    now: Instant,
    /// The thread that serves the device.
    thread: ThreadId,
    /// Whether a call runs.
    is_inside: bool,
    /// A call that is written if something happens in it.
    silent: Option<Call>,
    unrecorded: BTreeSet<Unrecorded>,
}

impl Recorder {
    pub(super) fn new(
        path: PathBuf,
        start: Instant,
        writer: TapeWriter<BufWriter<File>>,
    ) -> Recorder {
        let state = State {
            writer: Some(writer),
            now: start,
            thread: thread::current().id(),
            is_inside: false,
            silent: None,
            unrecorded: BTreeSet::new(),
        };
        Recorder { path, start, state: Mutex::new(state) }
    }

    /// Begins a call, and returns its time. One that `is_silent` is written only if something
    /// happens in it.
    pub(super) fn begin(&self, call: Call, is_silent: bool, now: Instant) {
        let mut state = self.begin_at(now);
        state.is_inside = true;
        if is_silent {
            state.silent = Some(call);
        } else {
            self.write(&mut state, &Entry::Call(call));
        }
    }

    /// Ends a call.
    pub(super) fn end(&self, outcome: Outcome) {
        let mut state = self.state();
        if outcome != Outcome::Done {
            self.write(&mut state, &Entry::Outcome(outcome));
        }
        state.silent = None;
        state.is_inside = false;
    }

    /// Writes what is buffered.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        let flushed = state.writer.as_mut().map_or(Ok(()), TapeWriter::flush);
        self.check(&mut state, flushed);
    }

    /// Ends the recording.
    pub(super) fn finish(&self) {
        let mut state = self.begin_at(Instant::now());
        self.write(&mut state, &Entry::End);
        let flushed = state.writer.as_mut().map_or(Ok(()), TapeWriter::flush);
        self.check(&mut state, flushed);
        state.writer = None;
    }

    fn begin_at(&self, now: Instant) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.now = state.now.max(now);
        state.thread = thread::current().id();
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole entries.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state if the device's own thread is here. What other threads do is only noted.
    fn of_device(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.state();
        if state.thread == thread::current().id() {
            return Some(state);
        }
        drop(state);
        self.unrecorded(Unrecorded::Threads);
        None
    }

    /// Writes what leaves the device.
    fn output(&self, output: impl FnOnce() -> Output) {
        if let Some(mut state) = self.of_device() {
            self.write(&mut state, &Entry::Output(output()));
        }
    }

    fn write(&self, state: &mut State, entry: &Entry) {
        let time = state.now.saturating_duration_since(self.start);
        let silent = state.silent.take();
        let Some(writer) = &mut state.writer else { return };
        let call = silent.map_or(Ok(()), |call| writer.entry(time, &Entry::Call(call)));
        let written = call.and_then(|()| writer.entry(time, entry));
        self.check(state, written);
    }

    fn check(&self, state: &mut State, written: io::Result<()>) {
        if let Err(error) = written {
            let path = self.path.display();
            error!(%error, %path, "the recording ends here: it cannot be written");
            state.writer = None;
        }
    }
}

impl Tap for Recorder {
    fn act(&self, act: Act) {
        if self.state().is_inside {
            return;
        }
        let mut state = self.begin_at(Instant::now());
        self.write(&mut state, &Entry::Act(act));
    }

    fn unrecorded(&self, what: Unrecorded) {
        let mut state = self.state();
        if state.unrecorded.insert(what) {
            self.write(&mut state, &Entry::Unrecorded(what));
        }
    }

    fn note(&self, input: Input) {
        let mut state = self.state();
        self.write(&mut state, &Entry::Input(input));
    }

    fn interrupt(&self, index: u32, vector: u32) {
        self.output(|| Output::Interrupt { index, vector });
    }

    fn read(
        &self,
        iova: u64,
        data: &mut [u8],
        access: &mut dyn FnMut(&mut [u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let result = access(data);
        if let Some(mut state) = self.of_device() {
            let input = match result {
                Ok(()) => Input::Dma { iova, data: data.to_vec().into() },
                Err(fault) => Input::DmaFault { iova, len: data.len() as u64, fault },
            };
            self.write(&mut state, &Entry::Input(input));
        }
        result
    }

    fn write(
        &self,
        iova: u64,
        data: &[u8],
        access: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let result = access();
        let fault = result.err();
        self.output(|| Output::Dma { iova, data: data.to_vec().into(), fault });
        result
    }

    fn request(&self, command: u16, payload: &[&[u8]]) {
        self.output(|| Output::Request { command, payload: payload.concat().into() });
    }
}
