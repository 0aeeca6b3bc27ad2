//! Logs hooks that do not return, because they block all devices of their thread.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use tracing::field::display;
use tracing::{Span, warn};

use crate::log_throttle::LogThrottle;
use crate::protocol::{Command, Header, RegionAccess};

/// A hook that takes longer is logged.
const SLOW: Duration = Duration::from_secs(1);
/// The interval between checks of a thread.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

thread_local! {
    /// The activity of this thread, if it is watched.
    static OWN: OnceCell<Arc<Activity>> = const { OnceCell::new() };
    /// The watchdog of this thread, while a server has it.
    static SHARED: RefCell<Weak<Watchdog>> = const { RefCell::new(Weak::new()) };
}

/// The current activity of a thread that serves devices.
#[derive(Debug)]
struct Activity {
    /// Odd while device code runs.
    turns: AtomicU64,
    /// The number of the device that the thread serves.
    device: AtomicU64,
    watched_device: Mutex<Option<Arc<WatchedDevice>>>,
    /// The current request, and the access in it.
    command: AtomicU16,
    region: AtomicU32,
    offset: AtomicU64,
}

/// A device, with the data for the log of its slow hooks.
pub(super) struct WatchedDevice {
    /// The number of this instance: a replaced device has another one.
    id: u64,
    span: Span,
    /// A throttle per device, so that the slow hooks of one do not suppress the log of another.
    slow: LogThrottle,
    /// Displays the name of the running hook.
    hook: Option<Arc<dyn fmt::Display + Send + Sync>>,
}

impl WatchedDevice {
    /// Registers a device; `hook` displays the name of the running hook.
    pub(super) fn new(span: &Span, hook: Option<Arc<dyn fmt::Display + Send + Sync>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        WatchedDevice { id, span: span.clone(), slow: LogThrottle::default(), hook }
    }
}

impl fmt::Debug for WatchedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedDevice").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Activity {
    fn new() -> Self {
        Activity {
            turns: AtomicU64::new(0),
            device: AtomicU64::new(u64::MAX),
            watched_device: Mutex::default(),
            command: AtomicU16::new(0),
            region: AtomicU32::new(u32::MAX),
            offset: AtomicU64::new(0),
        }
    }

    fn turn_to(&self, watched_device: &Arc<WatchedDevice>) {
        self.command.store(0, Ordering::Relaxed);
        if self.device.swap(watched_device.id, Ordering::Relaxed) != watched_device.id {
            *self.watched_device.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Arc::clone(watched_device));
        }
    }

    /// Returns the device whose hook does not return, and the count of such hooks, unless one was
    /// logged lately.
    fn note_slow(&self) -> Option<(Arc<WatchedDevice>, u64)> {
        let watched_device =
            self.watched_device.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let count = watched_device.slow.hit()?;
        Some((watched_device, count))
    }

    fn log(&self) {
        let Some((watched_device, count)) = self.note_slow() else { return };
        let _entered = watched_device.span.enter();
        let hook = watched_device.hook.as_ref().map(display);
        let (region, offset) = (&self.region, &self.offset);
        let (region, offset) = (region.load(Ordering::Relaxed), offset.load(Ordering::Relaxed));
        match Command::try_from(self.command.load(Ordering::Relaxed)) {
            Ok(command) if region != u32::MAX => {
                let text = "a call has not returned for a second";
                warn!(hook, %command, region, offset, count, "{text}");
            }
            Ok(command) => warn!(hook, %command, count, "a call has not returned for a second"),
            Err(_) => {
                warn!(hook, count, "a call outside of a request has not returned for a second");
            }
        }
    }
}

/// Watches a thread while it lives. All servers on the thread share it.
#[derive(Debug)]
pub(super) struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The thread that is watched.
    watched: ThreadId,
}

impl Watchdog {
    /// Returns the watchdog of this thread, and starts one if there is none.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub(super) fn of_this_thread() -> io::Result<Arc<Self>> {
        if let Some(running) = SHARED.with_borrow(Weak::upgrade) {
            return Ok(running);
        }
        let started = Arc::new(Self::start()?);
        SHARED.set(Arc::downgrade(&started));
        Ok(started)
    }

    fn start() -> io::Result<Self> {
        let activity = OWN.with(|own| Arc::clone(own.get_or_init(|| Arc::new(Activity::new()))));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let builder = thread::Builder::new().name("watchdog".to_owned());
        let thread = builder.spawn(move || watch(&activity, &stopped))?;
        Ok(Watchdog { stop, thread: Some(thread), watched: thread::current().id() })
    }

    /// Returns whether it watches this thread.
    pub(super) fn is_of_this_thread(&self) -> bool {
        self.watched == thread::current().id()
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
        thread::park_timeout(CHECK_INTERVAL);
        let now = activity.turns.load(Ordering::Relaxed);
        if now != seen {
            (seen, since, is_logged) = (now, Instant::now(), false);
        } else if now % 2 == 1 && !is_logged && since.elapsed() >= SLOW {
            activity.log();
            is_logged = true;
        }
    }
}

/// Notes which device this thread serves from now on.
pub(super) fn note_device(watched_device: &Arc<WatchedDevice>) {
    with_own(|own| own.turn_to(watched_device));
}

/// Notes which request this thread handles from now on.
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

/// Runs device code under the watchdog.
pub(super) fn watched<T>(run: impl FnOnce() -> T) -> T {
    let _leaves = Leaves(with_own(enter).unwrap_or(false));
    run()
}

/// Notes the start of device code. Returns whether the thread was not in device code already.
fn enter(own: &Activity) -> bool {
    let is_outside = own.turns.load(Ordering::Relaxed).is_multiple_of(2);
    if is_outside {
        own.turns.fetch_add(1, Ordering::Relaxed);
    }
    is_outside
}

/// Notes the end of device code, also after a panic.
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
        let [first, second] = [(); 2].map(|()| Arc::new(WatchedDevice::new(&Span::none(), None)));
        let count = || activity.note_slow().map(|(_, count)| count);
        activity.turn_to(&first);
        assert_eq!([count(), count(), count()], [Some(1), Some(2), None]);
        activity.turn_to(&second);
        assert_eq!(count(), Some(1));
        activity.turn_to(&first);
        assert_eq!([count(), count()], [Some(4), None]);
    }

    #[test]
    fn servers_of_one_thread_share_a_watchdog_and_each_thread_has_its_own() {
        let [one, other] = [(); 2].map(|()| Watchdog::of_this_thread().unwrap());
        assert!(Arc::ptr_eq(&one, &other) && one.is_of_this_thread());
        thread::scope(|scope| {
            let elsewhere = scope.spawn(|| {
                assert!(!one.is_of_this_thread());
                assert!(!Arc::ptr_eq(&one, &Watchdog::of_this_thread().unwrap()));
            });
            elsewhere.join().unwrap();
        });
    }
}
