//! `Device::saving` runs before each state that is taken, however it is taken.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use vfio_user::client::Client;
use vfio_user::client::Migration;
use vfio_user::function::PciFunction;
use vfio_user::protocol::{MigrationState, RegionIndex};
use vfio_user::{Bench, Server};
use vfio_user_tests::counter::{Counter, reg};
use vfio_user_tests::serve::Running;

const BAR0: RegionIndex = RegionIndex::Bar0;

/// A served device, and how often its state was about to be taken.
struct Place {
    running: Running,
    calls: Arc<AtomicU32>,
}

impl Place {
    fn new() -> Self {
        let calls = Arc::new(AtomicU32::new(0));
        let made = Arc::clone(&calls);
        Place { running: Running::at_path(move || Counter::new(&made)), calls }
    }

    fn attach(&self) -> Client {
        Client::attach(self.running.path()).unwrap()
    }

    fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }
}

fn elapsed(client: &Client) -> u64 {
    client.region(BAR0).read(reg::ELAPSED).unwrap()
}

/// Lets enough time pass that a counter that starts anew is far behind.
#[track_caller]
fn aged(client: &Client) -> u64 {
    thread::sleep(Duration::from_millis(300));
    let elapsed = elapsed(client);
    assert!(elapsed >= 300_000, "{elapsed}");
    elapsed
}

/// The counter goes on from `before`, which was read at `since` on another device.
#[track_caller]
fn assert_goes_on(client: &Client, before: u64, since: Instant) {
    let now = elapsed(client);
    let passed = u64::try_from(since.elapsed().as_micros()).unwrap();
    assert!((before..=before + passed + 1).contains(&now), "{now} after {before} + {passed}");
}

/// With a round while the device runs, and without.
#[test]
fn a_state_that_is_read_over_a_socket_is_brought_up_to_date_once() {
    for first in [MigrationState::PreCopy, MigrationState::StopCopy] {
        let (source, destination) = (Place::new(), Place::new());
        let (from, to) = (source.attach(), destination.attach());
        let since = Instant::now();
        let before = aged(&from);
        let mut stream = Vec::new();
        from.set_migration_state(first).unwrap();
        from.save(&mut stream).unwrap();
        if first == MigrationState::PreCopy {
            assert_eq!(source.calls(), 0, "it runs");
            from.set_migration_state(MigrationState::StopCopy).unwrap();
            from.save(&mut stream).unwrap();
        }
        assert_eq!(source.calls(), 1, "{first:?}");
        to.set_migration_state(MigrationState::Resuming).unwrap();
        to.load(&mut &stream[..]).unwrap();
        to.set_migration_state(MigrationState::Running).unwrap();
        assert_goes_on(&to, before, since);
        assert_eq!(to.region(BAR0).read::<u32>(reg::SAVINGS).unwrap(), 1);
        assert_eq!(destination.calls(), 0);
        // The source runs on with the same counter, and is saved again.
        from.set_migration_state(MigrationState::Running).unwrap();
        assert_goes_on(&from, before, since);
        from.set_migration_state(MigrationState::StopCopy).unwrap();
        assert_eq!(source.calls(), 2);
    }
}

#[test]
fn a_migration_brings_the_state_up_to_date_and_so_does_the_way_back() {
    let (source, destination) = (Place::new(), Place::new());
    let (from, to) = (source.attach(), destination.attach());
    let since = Instant::now();
    let before = aged(&from);
    Migration::new(&from, &to).run(|_| ControlFlow::Continue(())).unwrap();
    assert_goes_on(&to, before, since);
    let (since, before) = (Instant::now(), elapsed(&to));
    Migration::new(&to, &from).run(|_| ControlFlow::Continue(())).unwrap();
    assert_goes_on(&from, before, since);
    assert_eq!((source.calls(), destination.calls()), (1, 1));
    assert_eq!(from.region(BAR0).read::<u32>(reg::SAVINGS).unwrap(), 2);
}

/// A device that is served with its state in a file.
fn keeping(socket: &Path, file: &Path) -> Place {
    let calls = Arc::new(AtomicU32::new(0));
    let made = Arc::clone(&calls);
    let (server, file) = (Server::bind(socket).unwrap(), file.to_owned());
    let running = Running::start(server, move |server| {
        server.serve_functions(move || {
            let mut function = PciFunction::new(Counter::new(&made))?;
            function.keep_state(&file)?;
            Ok(Box::new(function))
        })
    });
    Place { running, calls }
}

#[test]
fn a_state_that_is_kept_in_a_file_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let [socket, file] = ["socket", "state"].map(|name| folder.path().join(name));
    let first = keeping(&socket, &file);
    let client = Client::attach(&socket).unwrap();
    let made = first.calls();
    let since = Instant::now();
    let before = aged(&client);
    drop(client);
    // Its client has left, and the server ends.
    first.running.shutdown().shutdown();
    first.running.join().unwrap();
    assert!(first.calls.load(SeqCst) > made, "its state was taken");
    let _second = keeping(&socket, &file);
    let client = Client::attach(&socket).unwrap();
    assert_goes_on(&client, before, since);
}

#[test]
fn a_bench_brings_the_state_up_to_date() {
    let calls = Arc::new(AtomicU32::new(0));
    let mut bench = Bench::new(Counter::new(&calls)).unwrap();
    bench.advance(Duration::from_secs(7));
    let stream = bench.save();
    assert_eq!(calls.load(SeqCst), 1);
    let mut target = Bench::new(Counter::new(&Arc::default())).unwrap();
    target.advance(Duration::from_secs(100));
    target.load(&stream).unwrap();
    assert_eq!(target.read::<u64>(0, reg::ELAPSED), 7_000_000);
    target.advance(Duration::from_micros(5));
    bench.advance(Duration::from_micros(6));
    assert_eq!(target.read::<u64>(0, reg::ELAPSED), 7_000_005);
    assert_eq!(bench.read::<u64>(0, reg::ELAPSED), 7_000_006);
}
