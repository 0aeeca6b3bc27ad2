//! Descriptors of a device's own: what is reported of them, and when.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard};

use Readiness::{Closed, Readable};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vfio_user::function::{BackgroundWork as _, Function as _, Migrate as _};
use vfio_user::protocol::{MigrationState, RegionIndex};
use vfio_user::{Bench, Cx, Device, EventFd, PciDevice, Readiness, Virtual, Watch, WatchError};

/// A device with ears: descriptors that it listens to.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xea25)]
#[bar(0: mem32, size = 0x1000)]
struct Ears {
    #[reg(0x00, wo, kick = Self::kicked)]
    kick: Virtual<u32>,
    #[migrate(skip)]
    listen: Mutex<Vec<OwnedFd>>,
    #[migrate(skip)]
    watches: Mutex<Vec<Option<Watch>>>,
    /// One that is given up by the first event of any.
    #[migrate(skip)]
    give_up: Option<usize>,
    #[migrate(skip)]
    heard: Vec<(usize, Readiness)>,
}

impl Device for Ears {
    type Event = (usize, Readiness);

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> vfio_user::Result<()> {
        for (ear, fd) in self.listen.get_mut().unwrap().iter().enumerate() {
            let watch = cx.watch(fd, move |readiness| (ear, readiness))?;
            self.watches.get_mut().unwrap().push(Some(watch));
        }
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, heard: Self::Event) {
        self.heard.push(heard);
        if let Some(ear) = self.give_up.take() {
            self.watches.get_mut().unwrap()[ear] = None;
        }
    }
}

impl Ears {
    fn kicked(&mut self, _: &mut Cx<'_, Self>) {
        self.heard.push((usize::MAX, Readable));
    }
}

fn ears<const N: usize>(give_up: Option<usize>) -> (Bench<Ears>, [UnixStream; N], [UnixStream; N]) {
    let pairs = [(); N].map(|()| UnixStream::pair().unwrap());
    let theirs = pairs.each_ref().map(|(_, theirs)| theirs.try_clone().unwrap());
    let listen = pairs.iter().map(|(_, theirs)| theirs.try_clone().unwrap().into());
    let device = Ears { give_up, ..listening(listen) };
    (Bench::new(device).unwrap(), pairs.map(|(ours, _)| ours), theirs)
}

fn listening(to: impl IntoIterator<Item = OwnedFd>) -> Ears {
    Ears { listen: Mutex::new(to.into_iter().collect()), ..Ears::default() }
}

fn watches(bench: &Bench<Ears>) -> MutexGuard<'_, Vec<Option<Watch>>> {
    bench.device().watches.lock().unwrap()
}

/// What the device hears in one turn.
fn hear(bench: &mut Bench<Ears>) -> Vec<(usize, Readiness)> {
    let before = bench.device().heard.len();
    bench.handle_events();
    bench.device().heard[before..].to_vec()
}

/// Whether the device's thread would have something to do.
fn is_awake(bench: &Bench<Ears>) -> bool {
    let wake = bench.function().wake();
    wake.is_some_and(|wake| {
        poll(&mut [PollFd::new(wake, PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() > 0
    })
}

#[test]
fn it_is_reported_once_a_turn_as_long_as_there_is_something_to_read() {
    let (mut bench, [mut left, mut right], [mut ear, _]) = ears(None);
    assert!(!is_awake(&bench));
    assert_eq!(hear(&mut bench), []);
    left.write_all(b"hi").unwrap();
    assert!(is_awake(&bench));
    assert_eq!(hear(&mut bench), [(0, Readable)]);
    assert_eq!(hear(&mut bench), [(0, Readable)]);
    ear.read_exact(&mut [0; 1]).unwrap();
    right.write_all(b"!").unwrap();
    assert_eq!(hear(&mut bench), [(0, Readable), (1, Readable)]);
    ear.read_exact(&mut [0; 1]).unwrap();
    assert_eq!(hear(&mut bench), [(1, Readable)]);
}

#[test]
fn a_closed_other_end_is_reported_once_and_keeps_no_loop_awake() {
    let (mut bench, [mut other], [mut ear]) = ears(None);
    other.write_all(b"last words").unwrap();
    drop(other);
    assert_eq!(hear(&mut bench), [(0, Closed)]);
    assert!(watches(&bench)[0].as_ref().unwrap().is_closed());
    assert!(!is_awake(&bench));
    assert_eq!(hear(&mut bench), []);
    let mut words = String::new();
    ear.read_to_string(&mut words).unwrap();
    assert_eq!(words, "last words");
}

#[test]
fn half_a_connection_that_is_closed_is_closed() {
    let (mut bench, [other], _ears) = ears(None);
    other.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!([hear(&mut bench), hear(&mut bench)], [vec![(0, Closed)], vec![]]);
    assert!(!is_awake(&bench));
}

#[test]
fn the_end_of_a_pipe_is_reported_once() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut bench = Bench::new(listening([reader.into()])).unwrap();
    assert_eq!(hear(&mut bench), []);
    drop(writer);
    assert_eq!([hear(&mut bench), hear(&mut bench)], [vec![(0, Closed)], vec![]]);
}

#[test]
fn of_one_that_is_paused_nothing_is_reported() {
    let (mut bench, [mut left, right], _ears) = ears(None);
    let all =
        |bench: &Bench<Ears>, what: fn(&Watch)| watches(bench).iter().flatten().for_each(what);
    all(&bench, Watch::pause);
    left.write_all(b"x").unwrap();
    drop(right);
    // That one is closed wakes its thread, but no more than once.
    assert_eq!([hear(&mut bench), hear(&mut bench)], [vec![], vec![]]);
    assert!(!is_awake(&bench));
    all(&bench, Watch::resume);
    assert!(is_awake(&bench));
    assert_eq!(hear(&mut bench), [(0, Readable), (1, Closed)]);
    all(&bench, Watch::pause);
    assert_eq!(hear(&mut bench), []);
    all(&bench, Watch::resume);
    assert_eq!(hear(&mut bench), [(0, Readable)], "the other has been notified");
}

#[test]
fn of_one_that_is_dropped_nothing_comes_though_it_is_ready() {
    for given_up in [0, 1] {
        let (mut bench, [mut left, mut right], _ears) = ears(Some(given_up));
        left.write_all(b"x").unwrap();
        right.write_all(b"x").unwrap();
        let first = hear(&mut bench);
        assert_eq!(first[0], (0, Readable));
        assert_eq!(first.len(), 2 - given_up, "the one that is given up may have been reported");
        assert_eq!(hear(&mut bench), [(1 - given_up, Readable)]);
    }
}

#[test]
fn any_thread_may_drop_one_at_any_time() {
    let (mut bench, streams, _ears) = ears::<64>(None);
    for mut stream in &streams {
        stream.write_all(b"x").unwrap();
    }
    let watches = std::mem::take(&mut *watches(&bench));
    let dropper = std::thread::spawn(move || drop(watches));
    while !dropper.is_finished() {
        hear(&mut bench);
    }
    dropper.join().unwrap();
    assert_eq!(hear(&mut bench), []);
    assert!(!is_awake(&bench));
}

#[test]
fn the_device_may_close_its_own_descriptor() {
    let (mut bench, [mut other], [ear]) = ears(None);
    bench.device().listen.lock().unwrap().clear();
    drop(ear);
    other.write_all(b"x").unwrap();
    assert_eq!(hear(&mut bench), [(0, Readable)]);
}

#[test]
fn files_and_directories_are_refused() {
    for file in [File::open("/proc/self/exe").unwrap(), File::open("/").unwrap()] {
        let error = Bench::new(listening([file.into()])).unwrap_err();
        assert!(matches!(error, vfio_user::Error::Watch(WatchError::AlwaysReady)), "{error}");
    }
}

#[test]
fn a_device_watches_so_many_and_no_more() {
    let event = EventFd::new().unwrap();
    let clones = |count| (0..count).map(|_| event.as_fd().try_clone_to_owned().unwrap());
    // Each of them takes two descriptors here, and processes may be limited to 1024.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(8192), most).unwrap();
    let mut bench = Bench::new(listening(clones(Watch::LIMIT))).unwrap();
    event.signal();
    assert_eq!(hear(&mut bench).len(), Watch::LIMIT, "none is forgotten");
    drop(bench);
    let error = Bench::new(listening(clones(Watch::LIMIT + 1))).unwrap_err();
    assert!(matches!(error, vfio_user::Error::Watch(WatchError::TooMany)), "{error}");
}

#[test]
fn a_stopped_device_is_notified_of_nothing_until_it_goes_on() {
    let (mut bench, [mut other], _ears) = ears(None);
    bench.function_mut().migrate(MigrationState::Stop).unwrap();
    other.write_all(b"x").unwrap();
    assert!(bench.function().wake().is_none());
    assert_eq!(hear(&mut bench), []);
    bench.function_mut().migrate(MigrationState::Running).unwrap();
    assert!(is_awake(&bench));
    assert_eq!(hear(&mut bench), [(0, Readable)]);
}

#[test]
fn doorbells_and_descriptors_get_on_with_each_other() {
    let (mut bench, [mut other], [mut ear]) = ears(None);
    let bell: OwnedFd = bench.function_mut().doorbell_fd(RegionIndex::Bar0, 0).unwrap();
    let bell = EventFd::from_fd(bell).unwrap();
    bell.signal();
    other.write_all(b"x").unwrap();
    assert_eq!(hear(&mut bench), [(usize::MAX, Readable), (0, Readable)]);
    ear.read_exact(&mut [0; 1]).unwrap();
    bench.function_mut().disconnected();
    bell.signal();
    assert!(!is_awake(&bench), "the client has gone");
    other.write_all(b"x").unwrap();
    assert_eq!(hear(&mut bench), [(0, Readable)]);
    watches(&bench).clear();
    assert!(!is_awake(&bench));
}
