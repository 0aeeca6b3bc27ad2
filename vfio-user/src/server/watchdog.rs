//! Logs hooks that do not return: they hold up all devices of their thread.

use std::cell::OnceCell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{Span, warn};

use crate::protocol::{Command, Header, RegionAccess};
use crate::seldom::Seldom;

/// What takes longer is logged.
const SLOW: Duration = Duration::from_secs(1);
/// How often a thread is looked at.
const LOOK: Duration = Duration::from_millis(500);

thread_local! {
    /// That of this thread, if it is watched.
    static OWN: OnceCell<Arc<Activity>> = const { OnceCell::new() };
}

/// What a thread that serves devices does.
#[derive(Debug)]
struct Activity {
    /// Odd while code of a device's author runs.
    turns: AtomicU64,
    device: AtomicU64,
    served: Mutex<Served>,
    /// The request that is handled, and what it accesses.
    command: AtomicU16,
    region: AtomicU32,
    offset: AtomicU64,
}

/// The device that the thread serves.
#[derive(Debug)]
struct Served {
    span: Span,
    /// The device's own: the slow hooks of one keep no line of another's from the log.
    slow: Arc<Seldom>,
}

impl Activity {
    fn new() -> Self {
        Activity {
            turns: AtomicU64::new(0),
            device: AtomicU64::new(u64::MAX),
            served: Mutex::new(Served { span: Span::none(), slow: Arc::default() }),
            command: AtomicU16::new(0),
            region: AtomicU32::new(u32::MAX),
            offset: AtomicU64::new(0),
        }
    }

    fn turn_to(&self, id: u64, span: &Span, slow: &Arc<Seldom>) {
        self.command.store(0, Ordering::Relaxed);
        if self.device.swap(id, Ordering::Relaxed) != id {
            let served = Served { span: span.clone(), slow: Arc::clone(slow) };
            *self.served.lock().unwrap_or_else(PoisonError::into_inner) = served;
        }
    }

    /// What to log of a hook that does not return, unless that was logged lately.
    fn note_slow(&self) -> Option<(Span, u64)> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.slow.tell().map(|count| (served.span.clone(), count))
    }

    fn log(&self) {
        let Some((span, count)) = self.note_slow() else { return };
        let _entered = span.enter();
        let (region, offset) = (&self.region, &self.offset);
        let (region, offset) = (region.load(Ordering::Relaxed), offset.load(Ordering::Relaxed));
        match Command::try_from(self.command.load(Ordering::Relaxed)) {
            Ok(command) if region != u32::MAX => {
                warn!(%command, region, offset, count, "a hook has not returned for a second");
            }
            Ok(command) => warn!(%command, count, "a hook has not returned for a second"),
            Err(_) => warn!(count, "an event or a timer's hook has not returned for a second"),
        }
    }
}

/// Watches a thread while it lives.
#[derive(Debug)]
pub(super) struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches this thread.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub(super) fn start() -> io::Result<Self> {
        let activity = OWN.with(|own| Arc::clone(own.get_or_init(|| Arc::new(Activity::new()))));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let builder = thread::Builder::new().name("watchdog".to_owned());
        let thread = builder.spawn(move || watch(&activity, &stopped))?;
        Ok(Watchdog { stop, thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic.
            let _ = thread.join();
        }
    }
}

fn watch(activity: &Activity, stop: &AtomicBool) {
    let (mut seen, mut since, mut is_logged) = (0, Instant::now(), false);
    while !stop.load(Ordering::Acquire) {
        thread::park_timeout(LOOK);
        let now = activity.turns.load(Ordering::Relaxed);
        if now != seen {
            (seen, since, is_logged) = (now, Instant::now(), false);
        } else if now % 2 == 1 && !is_logged && since.elapsed() >= SLOW {
            activity.log();
            is_logged = true;
        }
    }
}

/// This thread turns to a device.
pub(super) fn note_device(id: u64, span: &Span, slow: &Arc<Seldom>) {
    with_own(|own| own.turn_to(id, span, slow));
}

/// This thread turns to a request.
pub(super) fn note_request(header: &Header, payload: &[u8]) {
    with_own(|own| {
        own.command.store(header.command.get(), Ordering::Relaxed);
        let is_access = matches!(header.command(), Ok(Command::RegionRead | Command::RegionWrite));
        let access =
            if is_access { zerocopy::FromBytes::read_from_prefix(payload).ok() } else { None };
        let access: Option<(RegionAccess, _)> = access;
        let (region, offset) =
            access.map_or((u32::MAX, 0), |(access, _)| (access.region.get(), access.offset.get()));
        own.region.store(region, Ordering::Relaxed);
        own.offset.store(offset, Ordering::Relaxed);
    });
}

/// Runs code of a device's author.
pub(super) fn watched<T>(run: impl FnOnce() -> T) -> T {
    let _leaves = Leaves(with_own(enter).unwrap_or(false));
    run()
}

/// Whether it is not in such code already.
fn enter(own: &Activity) -> bool {
    let is_outside = own.turns.load(Ordering::Relaxed).is_multiple_of(2);
    if is_outside {
        own.turns.fetch_add(1, Ordering::Relaxed);
    }
    is_outside
}

/// Notes the end, also of a hook that panics.
struct Leaves(bool);

impl Drop for Leaves {
    fn drop(&mut self) {
        if self.0 {
            with_own(|own| own.turns.fetch_add(1, Ordering::Relaxed));
        }
    }
}

fn with_own<T>(run: impl FnOnce(&Activity) -> T) -> Option<T> {
    OWN.try_with(|own| own.get().map(|own| run(own))).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_hooks_of_one_device_keep_no_line_of_another_from_the_log() {
        let activity = Activity::new();
        let (first, second) = (Arc::default(), Arc::default());
        let count = || activity.note_slow().map(|(_, count)| count);
        activity.turn_to(1, &Span::none(), &first);
        assert_eq!([count(), count(), count()], [Some(1), Some(2), None]);
        activity.turn_to(2, &Span::none(), &second);
        assert_eq!(count(), Some(1));
        activity.turn_to(1, &Span::none(), &first);
        assert_eq!([count(), count()], [Some(4), None]);
    }
}
