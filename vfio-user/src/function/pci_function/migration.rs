//! The migration states of a device, and its behaviour in them.

mod raw;
mod size;

use std::mem;
use std::os::fd::AsFd as _;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags};

use super::state::{Loading, MemoryRestore, Saving, unsent};
use super::{PciDevice, PciFunction};
use crate::device::{Method, Resumed};
use crate::function::Migrate;
use crate::log_throttle::LogThrottle;
use crate::migration::{StateError, next};
use crate::model::ResetKind;
use crate::protocol::{Errno, MigrationState};
use crate::wait::wait_for;

use size::StateSize;

/// The number of rounds in which events that post further events are delivered before the device
/// stops.
const ROUNDS: usize = 64;

/// The state of a migration.
#[derive(Debug, Default)]
pub(super) struct Migration {
    stream: Stream,
    /// Whether events, timers, doorbells and interrupts are held back.
    is_held: bool,
    /// Whether the device has not run since its state was loaded.
    is_loaded: bool,
    /// Whether all of the state has been read since the device stopped: another device may run with
    /// it.
    is_saved: bool,
    /// Throttles the log of failures, which a client may repeat without limit.
    failures: LogThrottle,
    state_size: StateSize,
    floods: LogThrottle,
    /// Throttles the warning that a saved state is large.
    pub(super) large: LogThrottle,
}

/// The state that is transferred.
#[derive(Debug, Default)]
enum Stream {
    #[default]
    None,
    Out(Box<Saving>),
    In(Box<Loading>),
    /// The memory that a load has overwritten, which is being restored.
    Back(Box<MemoryRestore>),
    /// A stream of the device's own format, and the number of bytes so far.
    Raw(u64),
}

impl<D: PciDevice> Migrate for PciFunction<D> {
    fn quiesce(&mut self) {
        // The device has quiesced before the reset that it waits for.
        if self.is_resetting() {
            return;
        }
        self.call(Method::Quiesce, D::quiesce);
    }

    fn stop(&mut self) {
        self.finish_waiting_reset();
        self.hold();
    }

    fn resume(&mut self) {
        if self.is_resetting() {
            return;
        }
        self.release();
        if mem::take(&mut self.migration.is_saved) {
            self.restore_state_file();
        }
        let is_loaded = mem::take(&mut self.migration.is_loaded);
        let resumed = if is_loaded { Resumed::Loaded } else { Resumed::Continued };
        self.call(Method::Resume, |device, cx| device.resume(cx, resumed));
    }

    fn migration_state(&self) -> Option<MigrationState> {
        let migrates = self.descriptor.state().is_some() || self.descriptor.has_raw_stream();
        migrates.then(|| self.runtime.migration_state.get())
    }

    fn migrate(&mut self, target: MigrationState) -> Result<(), Errno> {
        loop {
            let current = self.runtime.migration_state.get();
            if current == target && target != MigrationState::Error {
                return Ok(());
            }
            let next = next(current, target).ok_or(Errno::EINVAL)?;
            self.step(current, next).map_err(|error| {
                if let Some(count) = self.migration.failures.hit() {
                    tracing::warn!(?current, ?next, %error, count, "the migration failed");
                }
                errno(&error)
            })?;
            tracing::debug!(from = ?current, to = ?next, "migration");
        }
    }

    fn read_state(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        if self.is_raw() {
            return self.read_raw(data);
        }
        let Stream::Out(saving) = &mut self.migration.stream else { return Err(Errno::EINVAL) };
        let read = saving.read(&self.runtime.shared, data).map_err(|error| {
            if let Some(count) = self.migration.failures.hit() {
                tracing::warn!(%error, count, "the state cannot be read");
            }
            errno(&error)
        })?;
        if saving.is_over() {
            self.notify_saved();
        }
        Ok(read)
    }

    fn write_state(&mut self, data: &[u8]) -> Result<(), Errno> {
        if self.is_raw() {
            return self.write_raw(data);
        }
        let Stream::In(loading) = &mut self.migration.stream else { return Err(Errno::EINVAL) };
        let pushed = loading.push(&self.runtime.shared, data);
        pushed.map_err(|error| self.refuse_state(&error))
    }

    fn continue_state(&mut self) -> Result<bool, Errno> {
        let Stream::In(loading) = &mut self.migration.stream else {
            return Ok(self.restore_some());
        };
        let continued = loading.continue_memory(&self.runtime.shared);
        continued.map_err(|error| self.refuse_state(&error))
    }

    fn cancel_load(&mut self) {
        self.take_load_back();
    }

    fn state_size(&self) -> u64 {
        let shared = &self.runtime.shared;
        match &self.migration.stream {
            Stream::Out(saving) => saving.size(shared, || self.state_size_now()),
            _ if self.runtime.migration_state.get() == MigrationState::Error => 0,
            _ => self.state_size_now().saturating_add(unsent(shared)),
        }
    }
}

impl<D: PciDevice> PciFunction<D> {
    pub(in crate::function) fn is_held(&self) -> bool {
        self.migration.is_held
    }

    pub(super) fn is_saved(&self) -> bool {
        self.migration.is_saved
    }

    /// Delivers posted events, and holds everything back from now on.
    pub(super) fn hold(&mut self) {
        if self.migration.is_held {
            return;
        }
        for _ in 0..ROUNDS {
            self.work_now();
            if self.runtime.events.is_empty() {
                break;
            }
        }
        let is_over = self.runtime.events.is_empty();
        if let Some(count) = (!is_over).then(|| self.migration.floods.hit()).flatten() {
            tracing::warn!(
                count,
                "the device keeps posting events while it stops; they stay pending"
            );
        }
        self.migration.is_held = true;
        self.runtime.interrupts.hold();
    }

    /// Ends the holding back.
    fn release(&mut self) {
        if mem::take(&mut self.migration.is_held) {
            self.runtime.interrupts.release();
        }
        self.runtime.dma.unpause();
    }

    /// Prepares the device, which has stopped, for saving its state.
    pub(crate) fn prepare_saving(&mut self) {
        self.call(Method::Saving, D::saving);
    }

    /// Stops the device as for a client that is about to read the state.
    ///
    /// # Errors
    ///
    /// [`StateError::MemoryHeld`]; the device runs on.
    pub(crate) fn stop_to_save(&mut self) -> Result<(), StateError> {
        self.stop_in_order()?;
        self.prepare_saving();
        Ok(())
    }

    /// Quiesces the device, delivers its events until it holds no memory, and holds everything.
    fn stop_in_order(&mut self) -> Result<(), StateError> {
        self.call(Method::Quiesce, D::quiesce);
        if !self.wait_for_release() {
            self.resume();
            return Err(StateError::MemoryHeld);
        }
        self.hold();
        Ok(())
    }

    /// Whether all memory is released in time.
    fn wait_for_release(&mut self) -> bool {
        let (unmap, start) = (self.runtime.dma.pause(), Instant::now());
        loop {
            self.deliver_events();
            let Ok(Some(released)) = unmap.release_event() else { return unmap.is_released() };
            let left = self.runtime.dma.limits().release.saturating_sub(start.elapsed());
            let fds = [Some(released.as_fd()), self.runtime.events.wake()];
            let mut fds: Vec<_> =
                fds.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            let is_in_time = !left.is_zero();
            let has_events = !self.runtime.events.is_empty();
            if !is_in_time || (!has_events && wait_for(&mut fds, left).is_err()) {
                return false;
            }
        }
    }

    /// Stops the device as for a client, returns the state, and resumes the device.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save), and [`StateError::MemoryHeld`].
    pub(crate) fn save_in_order(&mut self) -> Result<Vec<u8>, StateError> {
        self.stop_to_save()?;
        let saved = self.save();
        self.resume();
        saved
    }

    /// Stops the device as for a client, loads a stream, and resumes the device with the new state,
    /// or with the old one if the stream is refused.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and [`StateError::MemoryHeld`].
    pub(crate) fn load_in_order(&mut self, stream: &[u8]) -> Result<(), StateError> {
        self.stop_in_order()?;
        let loaded = self.load(stream);
        if loaded.is_ok() {
            self.runtime.events.clear();
            self.migration.is_loaded = true;
        }
        self.resume();
        loaded
    }

    /// Stops a device that has just been loaded until its first client attaches.
    pub(super) fn hold_as_loaded(&mut self) {
        self.runtime.events.clear();
        self.migration.is_loaded = true;
        self.migration.is_held = true;
        self.runtime.interrupts.hold();
    }

    /// Handles a client that attaches: the device runs for it.
    pub(super) fn attach(&mut self) {
        let was_held = self.migration.is_held;
        self.runtime.migration_state.set(MigrationState::Running);
        if was_held {
            self.resume();
        }
    }

    /// Handles a client that leaves. If the client had stopped the device, another device may run
    /// elsewhere by now, so the device stays stopped until the next client attaches. A device that
    /// is half loaded is reset.
    pub(super) fn detach(&mut self) {
        // Memory that is still held belongs to a session that has ended.
        self.finish_waiting_reset();
        let is_broken = self.is_half_loaded();
        self.drop_stream();
        if is_broken {
            self.reset_by(ResetKind::Device);
            self.run_after_reset();
        }
    }

    /// Makes the device run after a reset, from any state. State that has been read stays valid.
    pub(super) fn run_after_reset(&mut self) {
        if self.runtime.migration_state.get() != MigrationState::PreCopy {
            self.drop_stream();
            self.runtime.migration_state.set(MigrationState::Running);
        }
        self.migration.is_loaded = false;
        self.migration.is_saved = false;
        self.release();
    }

    fn drop_stream(&mut self) {
        self.finish_cancelled_load();
        self.migration.stream = Stream::None;
    }

    /// Cancels the load of a state, and restores at once what it has overwritten.
    pub(super) fn finish_cancelled_load(&mut self) {
        self.take_load_back();
        while self.restore_some() {}
    }

    /// Cancels the load of a state; what it has overwritten is restored in slices.
    pub(super) fn take_load_back(&mut self) {
        if let Stream::In(_) = self.migration.stream
            && let Stream::In(loading) = mem::take(&mut self.migration.stream)
        {
            self.migration.stream = Stream::Back(loading.take_back().into());
        }
    }

    /// Restores a slice of the memory that a load has overwritten; returns whether more is left.
    fn restore_some(&mut self) -> bool {
        let Stream::Back(memory) = &mut self.migration.stream else { return false };
        let is_left = memory.restore_some(&self.runtime.shared);
        if !is_left {
            self.migration.stream = Stream::None;
        }
        is_left
    }

    fn step(&mut self, from: MigrationState, to: MigrationState) -> Result<(), StateError> {
        use MigrationState::{PreCopy, Resuming, Running, Stop, StopCopy};
        match (from, to) {
            (PreCopy, StopCopy) => self.conclude_saving()?,
            (Running, Stop) => self.hold(),
            (Running | Stop, PreCopy | StopCopy | Resuming) if self.is_raw() => {
                if to == StopCopy {
                    self.prepare_saving();
                }
                self.migration.stream = Stream::Raw(0);
            }
            (Running, PreCopy) => self.migration.stream = Stream::Out(self.begin_saving().into()),
            (Stop, StopCopy) => {
                self.prepare_saving();
                let mut saving = self.begin_saving();
                saving.conclude(&self.runtime.shared, self.save_state()?);
                self.migration.stream = Stream::Out(saving.into());
            }
            (Stop, Resuming) => self.migration.stream = Stream::In(self.begin_loading().into()),
            (Resuming, Stop) => self.take_loaded()?,
            (Stop, Running) => {
                self.runtime.migration_state.set(to);
                self.resume();
            }
            _ => self.drop_stream(),
        }
        self.runtime.migration_state.set(to);
        Ok(())
    }

    /// Stops the device and completes the saved state. If the state cannot be saved, the device
    /// resumes.
    fn conclude_saving(&mut self) -> Result<(), StateError> {
        self.hold();
        self.prepare_saving();
        if let Stream::Raw(offset) = &mut self.migration.stream {
            *offset = 0;
            return Ok(());
        }
        match (self.save_state(), &mut self.migration.stream) {
            (Ok(state), Stream::Out(saving)) => saving.conclude(&self.runtime.shared, state),
            (Ok(_), _) => {}
            (Err(error), _) => {
                self.resume();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Loads the state that has been written, if any. A device that refuses the state must not run
    /// without it: only a reset leaves the error state.
    fn take_loaded(&mut self) -> Result<(), StateError> {
        let has_loaded = match mem::take(&mut self.migration.stream) {
            Stream::In(mut loading) if loading.has_begun() => {
                let loaded = self.finish_loading(&mut loading);
                if loaded.is_err() {
                    self.break_down();
                    self.migration.stream = Stream::Back(loading.take_back().into());
                }
                loaded.map(|()| true)
            }
            Stream::Raw(size) if size > 0 => self.finish_raw().map(|()| true),
            _ => Ok(false),
        }?;
        if has_loaded {
            // Posted events belong to the state that was replaced.
            self.runtime.events.clear();
            self.migration.is_loaded = true;
            self.migration.is_saved = false;
        }
        Ok(())
    }

    /// Notifies the device, once, that all of its state has been read.
    fn notify_saved(&mut self) {
        if !mem::replace(&mut self.migration.is_saved, true) {
            self.move_state_file();
            self.call(Method::Saved, D::saved);
        }
    }

    fn refuse_state(&mut self, error: &StateError) -> Errno {
        if let Some(count) = self.migration.failures.hit() {
            tracing::warn!(%error, count, "the state is refused");
        }
        errno(error)
    }
}

/// Returns the error that the client receives.
fn errno(error: &StateError) -> Errno {
    match error {
        StateError::Memory(_) => Errno::EIO,
        _ => Errno::EINVAL,
    }
}
