//! Running a device again from its recording.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::difference::{Difference, Note};
use super::names;
use super::player::{Mismatch, Player, Source};
use super::steps;
use crate::device::{Clock, PciDevice};
use crate::error::Error;
use crate::function::{Function as _, PciFunction};
use crate::migration::StateError;
use crate::tape::{Act, Call, Entry, Header, RecordingError, Tap, TapeReader, Timed, Unrecorded};
use crate::wait::FOR_EVER;

/// A replay without a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replay {
    /// The number of entries that were compared.
    pub entries: u64,
    /// The time from the first entry to the last one, on the device's clock.
    pub time: Duration,
    /// What happened that the recording does not hold.
    pub unrecorded: Vec<Unrecorded>,
}

/// `214 entries in 3.2 s replayed without a difference`, and what was not compared.
impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Replay { entries, time, unrecorded } = self;
        write!(f, "{entries} entries of {time:.1?} replayed without a difference")?;
        write!(f, "{}", Note(unrecorded))
    }
}

/// The error of a replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The device does something else than its recording.
    #[error(transparent)]
    Differs(Box<Difference>),
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The recording is of another device.
    #[error("the recording is of `{theirs}`, the device is `{ours}`")]
    OtherDevice {
        /// The name, vendor and device of the recorded device.
        theirs: String,
        /// Those of this device.
        ours: String,
    },
    /// The configuration space has another layout than that of the recorded device.
    #[error("the configuration space of `{0}` has changed since the recording")]
    OtherLayout(String),
    /// The device cannot begin with the state in the recording.
    #[error("the state at the start of the recording cannot be loaded: {0}")]
    State(#[from] StateError),
    /// The device cannot be constructed.
    #[error("the device cannot be constructed: {0}")]
    Device(#[source] Box<Error>),
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        ReplayError::Recording(error.into())
    }
}

impl From<ReplayError> for Error {
    fn from(error: ReplayError) -> Self {
        Error::Tool(Box::new(error))
    }
}

/// Replays a recording with a new device, in no more time than its hooks take.
///
/// Each call of the recorded device is made again, at the same time on the device's clock. What the
/// device read by DMA and what arrived from other threads is taken from the recording; what calls
/// return, interrupts and DMA writes are compared with it.
///
/// # Errors
///
/// [`ReplayError::Differs`] with the first difference; other errors when the recording cannot be
/// read or is of another device.
pub fn replay<D: PciDevice>(device: D, recording: impl AsRef<Path>) -> Result<Replay, ReplayError> {
    let file = BufReader::new(File::open(recording)?);
    replay_from(device, TapeReader::new(file)?)
}

/// Returns the name of the device that a recording is of.
///
/// # Errors
///
/// When the file cannot be read, or is no recording.
pub fn recorded_device(recording: impl AsRef<Path>) -> Result<String, RecordingError> {
    let tape = TapeReader::new(BufReader::new(File::open(recording)?))?;
    Ok(tape.header().name.escape_debug().to_string())
}

fn replay_from<D: PciDevice, R: Read + Send + 'static>(
    device: D,
    tape: TapeReader<R>,
) -> Result<Replay, ReplayError> {
    let header = tape.header().clone();
    play(device, &header, Box::new(tape))
}

/// Plays entries that come from anywhere.
pub(super) fn play<D: PciDevice>(
    device: D,
    header: &Header,
    source: Box<dyn Source>,
) -> Result<Replay, ReplayError> {
    let start = Instant::now();
    let clock = Clock::stopped_at(start);
    let function = PciFunction::with_clock(device, clock);
    let function = function.map_err(|error| ReplayError::Device(Box::new(error)))?;
    check_device(header, &function.tape_header())?;
    let player = Arc::new(Player::new(source));
    let mut playing = Playing { function, player, start, time: Duration::ZERO };
    playing.load_state()?;
    playing.run()
}

fn check_device(theirs: &Header, ours: &Header) -> Result<(), ReplayError> {
    // The text goes to a terminal, and the recording may come from elsewhere.
    let name = |one: &Header| {
        format!("{}, {:04x}:{:04x}", one.name.escape_debug(), one.vendor, one.device)
    };
    if name(theirs) != name(ours) {
        return Err(ReplayError::OtherDevice { theirs: name(theirs), ours: name(ours) });
    }
    if theirs.layout != ours.layout {
        return Err(ReplayError::OtherLayout(ours.name.clone()));
    }
    Ok(())
}

struct Playing<D: PciDevice> {
    function: PciFunction<D>,
    player: Arc<Player>,
    start: Instant,
    time: Duration,
}

/// What the device is doing.
enum Step<'a> {
    Call(&'a Call),
    Act(&'a Act),
    Nothing,
}

impl<D: PciDevice> Playing<D> {
    /// Loads the state that the recording begins with, unless a new device has the same.
    fn load_state(&mut self) -> Result<(), ReplayError> {
        let mut state = Vec::new();
        while let Some(Timed { entry: Entry::State(part), .. }) = self.player.peek()? {
            state.extend_from_slice(&part);
            self.player.take();
        }
        if !state.is_empty() && self.function.save()? != state {
            self.function.load(&state)?;
        }
        let tap: Arc<dyn Tap> = self.player.clone();
        self.function.set_tap(&tap);
        let writes = Arc::clone(self.function.dma().transfers().posted_writes());
        self.function.interrupts().follow(&writes);
        Ok(())
    }

    fn run(mut self) -> Result<Replay, ReplayError> {
        while let Some(next) = self.player.peek()? {
            let Timed { number, time, entry } = next.clone();
            self.set_time(number, time)?;
            let step = match &entry {
                Entry::End => break,
                Entry::Call(call) => {
                    self.player.take();
                    self.call(number, call)?;
                    Step::Call(call)
                }
                Entry::Act(act) => {
                    self.player.take();
                    steps::act(&mut self.function, act)
                        .map_err(|problem| RecordingError::Entry { entry: number, problem })?;
                    Step::Act(act)
                }
                _ => {
                    self.leftover(next);
                    Step::Nothing
                }
            };
            if let Some(mismatch) = self.player.difference() {
                return Err(self.differs(&step, number, mismatch));
            }
        }
        let (entries, unrecorded) = (self.player.entries() + 1, self.player.unrecorded_kinds());
        Ok(Replay { entries, time: self.time, unrecorded })
    }

    fn set_time(&mut self, number: u64, time: Duration) -> Result<(), ReplayError> {
        let now = self.start.checked_add(time).filter(|_| time <= FOR_EVER);
        let problem = || format!("its time is {time:?} after the start");
        let now = now.ok_or_else(|| RecordingError::Entry { entry: number, problem: problem() })?;
        self.function.clock().stop_at(now);
        self.time = time;
        Ok(())
    }

    /// Makes a call again, and compares its end.
    fn call(&mut self, number: u64, call: &Call) -> Result<(), ReplayError> {
        let replayed = steps::call(&mut self.function, call)
            .map_err(|problem| RecordingError::Entry { entry: number, problem })?;
        let head = self.player.peek()?;
        let Some(head) = head else { return Ok(()) };
        let recorded = match &head.entry {
            Entry::Outcome(outcome) => outcome.clone(),
            // It belongs to the call.
            Entry::Input(_) | Entry::Output(_) if !steps::is_request(&head.entry) => {
                self.player.differ(Some(head), None);
                return Ok(());
            }
            _ => crate::tape::Outcome::Done,
        };
        if recorded == replayed {
            if matches!(head.entry, Entry::Outcome(_)) {
                self.player.take();
            }
        } else {
            let recorded = Timed { entry: Entry::Outcome(recorded), ..head };
            self.player.differ(Some(recorded), Some(Entry::Outcome(replayed)));
        }
        Ok(())
    }

    /// Compares a request to the client that the device has queued; nothing else is left behind a
    /// call.
    fn leftover(&mut self, next: Timed) {
        let sent = steps::is_request(&next.entry).then(|| steps::send(&self.function)).flatten();
        match sent {
            Some(output) => self.player.output(output),
            None => self.player.differ(Some(next), None),
        }
    }

    fn differs(&self, step: &Step<'_>, number: u64, mismatch: Mismatch) -> ReplayError {
        let during = match step {
            Step::Call(call) => names::call(call, &self.function),
            Step::Act(act) => names::act(act),
            Step::Nothing => "a request to the client".to_owned(),
        };
        let nothing = || "nothing".to_owned();
        let Mismatch { recorded, replayed } = mismatch;
        let (left, right) = match (&recorded, &replayed) {
            (Some(recorded), Some(replayed)) => names::pair(&recorded.entry, replayed),
            (recorded, replayed) => (
                recorded.as_ref().map_or_else(nothing, |recorded| names::entry(&recorded.entry)),
                replayed.as_ref().map_or_else(nothing, names::entry),
            ),
        };
        let entry = recorded.map_or(number, |recorded| recorded.number);
        let (recorded, replayed) = (left, right);
        let (time, unrecorded) = (self.time, self.player.unrecorded_kinds());
        let difference = Difference { entry, time, during, recorded, replayed, unrecorded };
        ReplayError::Differs(Box::new(difference))
    }
}
