//! A device that is recorded while it is served.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, thread};

use serde_bytes::ByteBuf;
use tracing::warn;

use super::recorder::Recorder;
use crate::device::PciDevice;
use crate::dma::Dma;
use crate::error::Result;
use crate::function::{
    BackgroundWork, Doorbell, Function, Interrupts, Migrate, PciFunction, Region,
};
use crate::limits::Limits;
use crate::model::Bar;
use crate::monitor;
use crate::protocol::{Errno, MigrationState, RegionIndex};
use crate::tape::{Call, Outcome, Tap, TapeWriter, Unrecorded};

/// A device whose recording is written to a file while it is served.
///
/// The clock of the device stops while one of its hooks runs: a replay sees the same times.
/// The state at the start comes first, then each call of the device and what happens in it. When
/// the file cannot be written, one line is logged, the recording ends, and the device goes on.
///
/// ```no_run
/// # use vfio_user::{Device, PciDevice};
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Edu {}
/// # impl Device for Edu { type Event = (); }
/// use vfio_user::Server;
/// use vfio_user::function::{Function, PciFunction};
/// use vfio_user::record::Recorded;
///
/// let server = Server::bind("/run/edu.sock")?;
/// server.serve_functions(|| {
///     let edu = PciFunction::new(Edu::default())?;
///     Ok(Box::new(Recorded::new(edu, "edu.rec")?) as Box<dyn Function>)
/// })?;
/// # Ok::<(), vfio_user::Error>(())
/// ```
pub struct Recorded<D: PciDevice> {
    function: PciFunction<D>,
    recorder: Arc<Recorder>,
}

/// Ends the recording of a call, also when it panics.
struct Running<'a> {
    recorder: &'a Recorder,
    outcome: Outcome,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let panicked = thread::panicking();
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Done);
        self.recorder.end(if panicked { Outcome::Panicked } else { outcome });
    }
}

impl<D: PciDevice> Recorded<D> {
    /// Begins a recording of a device in a new file, or in place of an existing one.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or the state of the device cannot be saved.
    pub fn new(function: PciFunction<D>, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let start = Instant::now();
        function.clock().stop_at(start);
        let mut writer = TapeWriter::create(path, &function.tape_header())?;
        let migrates = function.descriptor().state().is_some();
        if migrates {
            writer.state(&function.save()?)?;
        }
        writer.flush()?;
        let recorder = Arc::new(Recorder::new(path.to_owned(), start, writer));
        let tap: Arc<dyn Tap> = recorder.clone();
        if !migrates {
            tap.unrecorded(Unrecorded::State);
        }
        if function.descriptor().bars().iter().flatten().any(Bar::is_shared) {
            tap.unrecorded(Unrecorded::SharedBar);
        }
        if D::EVENTS.is_none() {
            warn!(
                device = function.name(),
                "events that threads post are not recorded: their type lacks the traits of serde"
            );
        }
        function.set_tap(&tap);
        Ok(Recorded { function, recorder })
    }

    /// Returns the device with the state that the runtime keeps for it.
    pub fn function(&self) -> &PciFunction<D> {
        &self.function
    }

    fn call<T>(
        &mut self,
        call: Call,
        run: impl FnOnce(&mut PciFunction<D>) -> T,
        outcome: impl FnOnce(&T) -> Outcome,
    ) -> T {
        self.call_unless(|_| false, call, run, outcome)
    }

    /// Runs a call that is not written if it `is_silent` and nothing happens in it.
    fn call_unless<T>(
        &mut self,
        is_silent: impl FnOnce(&PciFunction<D>) -> bool,
        call: Call,
        run: impl FnOnce(&mut PciFunction<D>) -> T,
        outcome: impl FnOnce(&T) -> Outcome,
    ) -> T {
        let now = Instant::now();
        self.function.clock().stop_at(now);
        self.recorder.begin(call, is_silent(&self.function), now);
        let mut running = Running { recorder: &self.recorder, outcome: Outcome::Done };
        let result = run(&mut self.function);
        running.outcome = outcome(&result);
        result
    }

    fn done(&mut self, call: Call, run: impl FnOnce(&mut PciFunction<D>)) {
        self.call(call, run, |()| Outcome::Done);
    }
}

pub(super) fn refusal<T>(result: &Result<T, Errno>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(errno) => Outcome::Refused(errno.get()),
    }
}

pub(super) fn answer(result: Result<bool, Errno>) -> Outcome {
    match result {
        Ok(answer) => Outcome::Answer(answer),
        refused => refusal(&refused),
    }
}

fn copy(data: &[u8]) -> ByteBuf {
    data.to_vec().into()
}

fn count(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

impl<D: PciDevice> Function for Recorded<D> {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn running_hook(&self) -> Option<Arc<dyn fmt::Display + Send + Sync>> {
        self.function.running_hook()
    }

    fn regions(&self) -> u32 {
        self.function.regions()
    }

    fn region(&self, index: RegionIndex) -> Region<'_> {
        self.function.region(index)
    }

    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let call = Call::Read { region: region.into(), offset, len: count(data) };
        let read = self.call(
            call,
            |function| function.read(region, offset, data).map(|()| copy(data)),
            |read| match read {
                Ok(data) => Outcome::Data(data.clone()),
                refused => refusal(refused),
            },
        );
        read.map(drop)
    }

    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let call = Call::Write { region: region.into(), offset, data: copy(data) };
        self.call(call, |function| function.write(region, offset, data), refusal)
    }

    fn divides(
        &mut self,
        region: RegionIndex,
        is_write: bool,
        range: Range<u64>,
    ) -> Result<bool, Errno> {
        let Range { start, end } = range;
        let call = Call::Divides { region: region.into(), is_write, start, end };
        self.call(
            call,
            |function| function.divides(region, is_write, range),
            |answer| self::answer(*answer),
        )
    }

    fn doorbells(&self, region: RegionIndex) -> Vec<Doorbell> {
        self.function.doorbells(region)
    }

    fn doorbell_fd(&mut self, region: RegionIndex, index: usize) -> io::Result<OwnedFd> {
        self.function.doorbell_fd(region, index)
    }

    fn reset(&mut self) {
        self.done(Call::Reset, Function::reset);
    }

    fn connected(&mut self) {
        self.done(Call::Connected, Function::connected);
    }

    fn disconnected(&mut self) {
        self.done(Call::Disconnected, Function::disconnected);
        self.recorder.flush();
    }

    fn on_removed(&mut self) -> Result<()> {
        let removed = self.call(Call::Removed, Function::on_removed, |_| Outcome::Done);
        self.recorder.flush();
        removed
    }

    fn dma_mapped(&mut self, range: RangeInclusive<u64>) {
        let (first, last) = (*range.start(), *range.end());
        self.done(Call::DmaMapped { first, last }, |function| function.dma_mapped(range));
    }

    fn dma_unmapped(&mut self, range: RangeInclusive<u64>) {
        let (first, last) = (*range.start(), *range.end());
        self.done(Call::DmaUnmapped { first, last }, |function| function.dma_unmapped(range));
    }

    fn irqs_changed(&mut self) {
        self.done(Call::IrqsChanged, Function::irqs_changed);
    }

    fn limit(&mut self, limits: Limits) {
        Function::limit(&mut self.function, limits);
    }

    fn observe(&mut self) -> Option<Arc<monitor::Observer>> {
        Function::observe(&mut self.function)
    }

    fn answer(&mut self, question: &monitor::Question) -> monitor::Answer {
        if matches!(question, monitor::Question::Poke(..)) {
            self.recorder.unrecorded(Unrecorded::Poke);
        }
        Function::answer(&mut self.function, question)
    }

    fn interrupts(&self) -> &Arc<Interrupts> {
        self.function.interrupts()
    }

    fn dma(&self) -> &Dma {
        self.function.dma()
    }
}

impl<D: PciDevice> Migrate for Recorded<D> {
    fn quiesce(&mut self) {
        self.done(Call::Quiesce, Migrate::quiesce);
    }

    fn stop(&mut self) {
        self.done(Call::Stop, Migrate::stop);
    }

    fn resume(&mut self) {
        self.done(Call::Resume, Migrate::resume);
    }

    fn migration_state(&self) -> Option<MigrationState> {
        self.function.migration_state()
    }

    fn migrate(&mut self, target: MigrationState) -> Result<(), Errno> {
        let call = Call::Migrate { target: target.into() };
        self.call(call, |function| function.migrate(target), refusal)
    }

    fn read_state(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        let call = Call::ReadState { len: count(data) };
        self.call(call, |function| function.read_state(data), refusal)
    }

    fn write_state(&mut self, data: &[u8]) -> Result<(), Errno> {
        let call = Call::WriteState { data: copy(data) };
        self.call(call, |function| function.write_state(data), refusal)
    }

    fn continue_state(&mut self) -> Result<bool, Errno> {
        self.call(Call::ContinueState, Migrate::continue_state, |answer| self::answer(*answer))
    }

    fn cancel_load(&mut self) {
        self.done(Call::CancelLoad, Migrate::cancel_load);
    }

    fn state_size(&self) -> u64 {
        self.function.state_size()
    }
}

impl<D: PciDevice> BackgroundWork for Recorded<D> {
    fn catch_up(&mut self) {
        self.call_unless(|_| true, Call::CatchUp, PciFunction::catch_up, |()| Outcome::Done);
    }

    fn wants_reset(&self) -> bool {
        self.function.wants_reset()
    }

    fn reset_as_wanted(&mut self) {
        self.done(Call::ResetAsWanted, BackgroundWork::reset_as_wanted);
    }

    fn has_work(&self) -> bool {
        self.function.has_work()
    }

    fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.function.wake()
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.function.deadline()
    }

    fn next_poll(&self) -> Option<Instant> {
        self.function.next_poll()
    }

    fn poll(&mut self) -> bool {
        self.function.poll()
    }

    fn work(&mut self) {
        self.call_unless(
            |function| !function.has_own_work(),
            Call::Work,
            PciFunction::work,
            |()| Outcome::Done,
        );
    }
}

impl<D: PciDevice> Drop for Recorded<D> {
    fn drop(&mut self) {
        self.recorder.finish();
    }
}

impl<D: PciDevice> fmt::Debug for Recorded<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("function", &self.function).finish_non_exhaustive()
    }
}
