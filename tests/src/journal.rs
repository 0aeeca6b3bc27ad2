//! What a device was called for, and a door that it can be held at.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::PATIENCE;

/// Something that a device was called for.
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

/// A list that grows on one thread and is looked at on another.
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
        assert!(!result.timed_out(), "waited in vain for {what}");
        state
    }
}

impl Journal {
    /// Appends.
    pub fn record(&self, call: Call) {
        self.0.change(|calls| calls.push(call));
    }

    /// Takes everything so far.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock())
    }

    /// Waits until there are `count` calls that match, and takes everything.
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
    /// The hook waits until the door is opened.
    ///
    /// # Panics
    ///
    /// If it is not opened in time.
    pub fn pass(&self) {
        self.0.change(|door| door.waiting = true);
        let mut door = self.0.wait_while("the gate", |door| !door.open);
        *door = Door::default();
    }

    /// Waits until the hook waits.
    ///
    /// # Panics
    ///
    /// If it never does.
    pub fn wait_until_held(&self) {
        drop(self.0.wait_while("the hook", |door| !door.waiting));
    }

    /// Lets the hook go on, or the next one through.
    pub fn open(&self) {
        self.0.change(|door| door.open = true);
    }
}
