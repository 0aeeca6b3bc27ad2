//! A journal of the calls of a device's hooks, and a door that blocks a hook.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::PATIENCE;

/// A call of a device's hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `read_with` of a register.
    Read(&'static str),
    /// `write_with`, with the value on the bus.
    Write(&'static str, u64),
    /// `on_read`, with the value read.
    AfterRead(&'static str, u64),
    /// `on_write`, with the values before and after.
    AfterWrite(&'static str, u64, u64),
    /// `on_write` of an element.
    AfterElement(usize, u64, u64),
    /// An event.
    Event(u32),
    /// A client attached.
    Connected,
    /// A client left.
    Disconnected,
    /// A reset.
    Reset,
    /// Constructed.
    Started,
}

/// A list that one thread appends to and another one reads.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Shared<Vec<Call>>>);

#[derive(Debug, Default)]
struct Shared<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    #[track_caller]
    fn wait_while(&self, what: &str, unmet: impl FnMut(&mut T) -> bool) -> MutexGuard<'_, T> {
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, unmet);
        let (state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!result.timed_out(), "no sign of {what}");
        state
    }
}

impl Journal {
    /// Appends.
    pub fn record(&self, call: Call) {
        self.0.change(|calls| calls.push(call));
    }

    /// Takes all calls so far.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock())
    }

    /// Waits until `count` calls match, and takes all calls.
    ///
    /// # Panics
    ///
    /// If they do not come in time.
    #[track_caller]
    pub fn wait_for(&self, count: usize, matches: impl Fn(&Call) -> bool) -> Vec<Call> {
        let unmet =
            |calls: &mut Vec<Call>| calls.iter().filter(|call| matches(call)).count() < count;
        std::mem::take(&mut self.0.wait_while("calls", unmet))
    }
}

/// A door at which a device's hook waits.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Shared<Door>>);

#[derive(Debug, Default)]
struct Door {
    waiting: bool,
    open: bool,
}

impl Gate {
    /// Blocks until the door is opened.
    ///
    /// # Panics
    ///
    /// If it is not opened in time.
    pub fn pass(&self) {
        self.0.change(|door| door.waiting = true);
        let mut door = self.0.wait_while("the gate", |door| !door.open);
        *door = Door::default();
    }

    /// Waits until a hook blocks at the door.
    ///
    /// # Panics
    ///
    /// If it never does.
    pub fn wait_until_held(&self) {
        drop(self.0.wait_while("the hook", |door| !door.waiting));
    }

    /// Opens the door for the blocked hook, or for the next one.
    pub fn open(&self) {
        self.0.change(|door| door.open = true);
    }
}
