//! Where the monitor's thread leaves a question for the device's thread, which never waits for it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use std::{io, mem};

use nix::poll::{PollFd, PollFlags};

use super::question::{Answer, Question};
use crate::eventfd::EventFd;
use crate::wait::wait_for;

/// The time in which a device that does not run a long hook answers.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time once it has not answered.
const IMPATIENCE: Duration = Duration::from_millis(10);
/// The times between two questions: the device's thread spends one part of this number on answers.
const SHARE: u32 = 20;
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(50));

/// The place for one question and its answer.
#[derive(Debug)]
pub(crate) struct Desk {
    sheet: Mutex<Sheet>,
    /// Wakes the device's thread.
    asked: Arc<EventFd>,
    answered: EventFd,
    /// Ends the monitor's thread.
    closed: EventFd,
}

#[derive(Debug, Default)]
enum Sheet {
    #[default]
    Empty,
    Question(Question),
    /// The answer, and the time that it took.
    Answer(Answer, Duration),
}

/// For the device's thread.
impl Desk {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Desk {
            sheet: Mutex::default(),
            asked: Arc::new(EventFd::new()?),
            answered: EventFd::new()?,
            closed: EventFd::new()?,
        })
    }

    /// Returns an eventfd that is readable while there is a question.
    pub(crate) fn asked(&self) -> &Arc<EventFd> {
        &self.asked
    }

    /// Answers the question, if there is one.
    pub(crate) fn answer(&self, answer: impl FnOnce(&Question) -> Answer) {
        // The other thread only moves a question in and out under the lock. If it does so now, the
        // descriptor stays readable.
        let mut sheet = match self.sheet.try_lock() {
            Ok(sheet) => sheet,
            // An answer has panicked; the question is gone.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.asked.take();
        if let Sheet::Question(question) = mem::take(&mut *sheet) {
            let start = Instant::now();
            let answer = answer(&question);
            *sheet = Sheet::Answer(answer, start.elapsed());
            self.answered.signal();
        }
    }

    /// Ends the monitor's thread.
    pub(super) fn close(&self) {
        self.closed.signal();
    }
}

/// For the monitor's thread.
#[derive(Debug)]
pub(super) struct Asker {
    desk: Arc<Desk>,
    patience: Duration,
    /// When the next question may be asked.
    not_before: Instant,
}

impl Asker {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        Asker { desk, patience: PATIENCE, not_before: Instant::now() }
    }

    /// Returns a descriptor that is readable once the thread is to end.
    pub(super) fn closed(&self) -> BorrowedFd<'_> {
        self.desk.closed.as_fd()
    }

    /// Waits for the answer; `None` if the device does not answer in time, or the thread is to end.
    pub(super) fn ask(&mut self, question: Question) -> Option<Answer> {
        self.sleep(self.not_before.saturating_duration_since(Instant::now()));
        self.desk.answered.take();
        *self.sheet() = Sheet::Question(question);
        self.desk.asked.signal();
        let [answered, closed] =
            [&self.desk.answered, &self.desk.closed].map(|eventfd| eventfd.as_fd());
        let mut fds = [answered, closed].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        // If the wait fails, there is no answer.
        let _ = wait_for(&mut fds, self.patience);
        let sheet = mem::take(&mut *self.sheet());
        let Sheet::Answer(answer, took) = sheet else {
            self.patience = IMPATIENCE;
            return None;
        };
        self.patience = PATIENCE;
        self.not_before = Instant::now() + (took * SHARE).clamp(PAUSES.0, PAUSES.1);
        Some(answer)
    }

    /// Waits, but not once the thread is to end.
    pub(super) fn sleep(&self, time: Duration) {
        // If the wait fails, the thread goes on earlier.
        let _ = wait_for(&mut [PollFd::new(self.closed(), PollFlags::POLLIN)], time);
    }

    fn sheet(&self) -> MutexGuard<'_, Sheet> {
        self.desk.sheet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
