//! A queue of frames between two threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many frames wait. Beyond that the sender has to wait, or the frame is lost.
const CAPACITY: usize = 256;

/// Frames that wait, first in first out.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    waiting: Mutex<VecDeque<Vec<u8>>>,
    arrived: Condvar,
}

impl Frames {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lock().len() >= CAPACITY
    }

    /// Adds a frame. Returns `false` if there is no room; it is lost then.
    pub(crate) fn push(&self, frame: Vec<u8>) -> bool {
        let mut waiting = self.lock();
        let has_room = waiting.len() < CAPACITY;
        if has_room {
            waiting.push_back(frame);
            self.arrived.notify_one();
        }
        has_room
    }

    /// Takes the first frame, if there is one.
    pub(crate) fn pop(&self) -> Option<Vec<u8>> {
        self.lock().pop_front()
    }

    /// Waits for frames and takes all of them.
    pub(crate) fn wait(&self) -> VecDeque<Vec<u8>> {
        let empty = |waiting: &mut VecDeque<_>| waiting.is_empty();
        let waiting = self.arrived.wait_while(self.lock(), empty);
        std::mem::take(&mut *waiting.unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}
