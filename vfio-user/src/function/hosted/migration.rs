//! Where a device is in its migration, and what it may do there.

mod raw;
mod size;

use std::mem;

use super::state::{Loading, Saving};
use super::{Hosted, PciDevice};
use crate::device::{Method, Resumed};
use crate::migration::{StateError, next};
use crate::model::ResetKind;
use crate::protocol::{Errno, MigrationState};
use crate::seldom::Seldom;

use size::StateSize;

/// How often events that lead to others are delivered before the device stops.
const ROUNDS: usize = 64;

/// What goes on in a migration.
#[derive(Debug, Default)]
pub(super) struct Migration {
    stream: Stream,
    /// Whether everything is held: events, timers, doorbells, interrupts.
    is_held: bool,
    /// Whether the device has not run since it was loaded.
    is_loaded: bool,
    /// Whether all of its state has been read, since it stopped: another device may run with it.
    is_saved: bool,
    /// What went wrong, which a client may try again and again.
    failures: Seldom,
    state_size: StateSize,
    floods: Seldom,
    /// The state was large when it was saved.
    pub(super) large: Seldom,
}

/// The state on its way.
#[derive(Debug, Default)]
enum Stream {
    #[default]
    None,
    Out(Box<Saving>),
    In(Box<Loading>),
    /// Of the device's own making, so many bytes of it.
    Raw(u64),
}

impl<D: PciDevice> Hosted<D> {
    pub(super) fn is_held(&self) -> bool {
        self.migration.is_held
    }

    pub(super) fn is_saved(&self) -> bool {
        self.migration.is_saved
    }

    /// Delivers what has been posted, and holds everything from now on.
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
        if let Some(count) = (!is_over).then(|| self.migration.floods.tell()).flatten() {
            tracing::warn!(count, "a device stops that posts events without end; they wait");
        }
        self.migration.is_held = true;
        self.runtime.interrupts.hold();
    }

    /// Holds nothing any more.
    fn let_go(&mut self) {
        if mem::take(&mut self.migration.is_held) {
            self.runtime.interrupts.release();
        }
        self.runtime.dma.unpause();
    }

    /// Goes on where it was stopped, or with what was loaded.
    pub(crate) fn go_on(&mut self) {
        if self.is_resetting() {
            return;
        }
        self.let_go();
        if mem::take(&mut self.migration.is_saved) {
            self.take_kept_back();
        }
        let is_loaded = mem::take(&mut self.migration.is_loaded);
        let resumed = if is_loaded { Resumed::Loaded } else { Resumed::Continued };
        self.call(Method::Resume, |device, cx| device.resume(cx, resumed));
    }

    /// Its state, of which it has stopped to change, is about to be taken.
    pub(crate) fn prepare_saving(&mut self) {
        self.call(Method::Saving, D::saving);
    }

    /// Stops as for a client that is about to read the state.
    pub(crate) fn stop_to_save(&mut self) {
        self.call(Method::Quiesce, D::quiesce);
        self.hold();
        self.prepare_saving();
    }

    /// Stops as for a client, gives the state, and goes on.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    pub(crate) fn save_in_order(&mut self) -> Result<Vec<u8>, StateError> {
        self.stop_to_save();
        let saved = self.save();
        self.go_on();
        saved
    }

    /// Stops as for a client, becomes what a stream says, and goes on with that, or as it was if the
    /// stream is refused.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(crate) fn load_in_order(&mut self, stream: &[u8]) -> Result<(), StateError> {
        self.call(Method::Quiesce, D::quiesce);
        self.hold();
        let loaded = self.load(stream);
        if loaded.is_ok() {
            self.runtime.events.clear();
            self.migration.is_loaded = true;
        }
        self.go_on();
        loaded
    }

    /// A device that has just been loaded waits for its first client.
    pub(super) fn stand_still_as_loaded(&mut self) {
        self.runtime.events.clear();
        self.migration.is_loaded = true;
        self.migration.is_held = true;
        self.runtime.interrupts.hold();
    }

    /// A client has come: for it the device runs.
    pub(super) fn attach(&mut self) {
        let was_held = self.migration.is_held;
        self.runtime.state.set(MigrationState::Running);
        if was_held {
            self.go_on();
        }
    }

    /// The client has gone. If it had stopped the device, another one may run it elsewhere by now: it stays
    /// stopped until the next client comes. What it has left half loaded is reset.
    pub(super) fn detach(&mut self) {
        // What is still held is of a session that has ended.
        self.finish_waiting_reset();
        let is_broken = self.is_half_loaded();
        self.drop_stream();
        if is_broken {
            self.reset_by(ResetKind::Device);
            self.run_after_reset();
        }
    }

    /// After a reset the device runs, whatever it was. What has been read of its state stays good.
    pub(super) fn run_after_reset(&mut self) {
        if self.runtime.state.get() != MigrationState::PreCopy {
            self.drop_stream();
            self.runtime.state.set(MigrationState::Running);
        }
        self.migration.is_loaded = false;
        self.migration.is_saved = false;
        self.let_go();
    }

    fn drop_stream(&mut self) {
        if let Stream::In(loading) = mem::take(&mut self.migration.stream) {
            loading.take_back(&self.runtime.shared);
        }
    }

    /// Goes to another state, by the shortest path. If there is none, nothing happens; if a step fails,
    /// the device stays in the state before it, or in [`MigrationState::Error`] if it has refused what
    /// was loaded.
    pub(super) fn migrate_to(&mut self, target: MigrationState) -> Result<(), Errno> {
        loop {
            let current = self.runtime.state.get();
            if current == target && target != MigrationState::Error {
                return Ok(());
            }
            let next = next(current, target).ok_or(Errno::EINVAL)?;
            self.step(current, next).map_err(|error| {
                if let Some(count) = self.migration.failures.tell() {
                    tracing::warn!(?current, ?next, %error, count, "migration fails");
                }
                errno(&error)
            })?;
            tracing::debug!(from = ?current, to = ?next, "migration");
        }
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
                self.runtime.state.set(to);
                self.go_on();
            }
            _ => self.drop_stream(),
        }
        self.runtime.state.set(to);
        Ok(())
    }

    /// The device stops; if its state cannot be saved, it goes on.
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
                self.go_on();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Becomes what has been written. If nothing was, nothing happens. A device that refuses it must not
    /// run without it: only a reset leads out of its state then.
    fn take_loaded(&mut self) -> Result<(), StateError> {
        let has_loaded = match mem::take(&mut self.migration.stream) {
            Stream::In(loading) if loading.has_begun() => {
                let loaded = self.finish_loading(*loading);
                if loaded.is_err() {
                    self.break_down();
                }
                loaded.map(|()| true)
            }
            Stream::Raw(size) if size > 0 => self.finish_raw().map(|()| true),
            _ => Ok(false),
        }?;
        if has_loaded {
            // What was posted is of the state that is gone.
            self.runtime.events.clear();
            self.migration.is_loaded = true;
            self.migration.is_saved = false;
        }
        Ok(())
    }

    /// Reads on in the state.
    pub(super) fn read_stream(&mut self, data: &mut [u8]) -> Result<usize, Errno> {
        if self.is_raw() {
            return self.read_raw(data);
        }
        let Stream::Out(saving) = &mut self.migration.stream else { return Err(Errno::EINVAL) };
        let read = saving.read(&self.runtime.shared, data).map_err(|error| {
            if let Some(count) = self.migration.failures.tell() {
                tracing::warn!(%error, count, "the state cannot be read");
            }
            errno(&error)
        })?;
        if saving.is_over() {
            self.tell_saved();
        }
        Ok(read)
    }

    /// Tells the device, once, that all of its state has been read.
    fn tell_saved(&mut self) {
        if !mem::replace(&mut self.migration.is_saved, true) {
            self.set_kept_aside();
            self.call(Method::Saved, D::saved);
        }
    }

    /// Writes on in the state.
    pub(super) fn write_stream(&mut self, data: &[u8]) -> Result<(), Errno> {
        if self.is_raw() {
            return self.write_raw(data);
        }
        let Stream::In(loading) = &mut self.migration.stream else { return Err(Errno::EINVAL) };
        loading.push(&self.runtime.shared, data).map_err(|error| {
            if let Some(count) = self.migration.failures.tell() {
                tracing::warn!(%error, count, "the state is refused");
            }
            errno(&error)
        })
    }
}

/// What the client is told.
fn errno(error: &StateError) -> Errno {
    match error {
        StateError::Memory(_) => Errno::EIO,
        _ => Errno::EINVAL,
    }
}
