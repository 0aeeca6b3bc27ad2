//! Tests of `vfu migrate` as a process, between servers in this process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user::client::Client;
use vfio_user::protocol::{Feature, MigrationState, RegionIndex};
use vfio_user::{Error, Resumed};
use vfio_user_tests::counter::{self, Counter};
use vfio_user_tests::migrating_device::{Called, MigratingDevice, Outside, Pinned, reg};
use vfio_user_tests::serve::Running;
use vfio_user_tests::tap::{Asked, Fate, Forgery, Tap};
use vfio_user_tests::wire::{command, errno, feature};
use vfio_user_tests::zoo::Zoo;

const BAR0: RegionIndex = RegionIndex::Bar0;
const BAR2: RegionIndex = RegionIndex::Bar2;

fn vfu(source: &Path, destination: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vfu"));
    command.arg("migrate").args([source, destination]).args(options).output().unwrap()
}

fn migrating_device() -> Running {
    let (outside, _) = Outside::new();
    Running::at_path(move || MigratingDevice::new(&outside))
}

/// Returns a device with some state.
fn used() -> Running {
    let running = migrating_device();
    let client = Client::attach(running.path()).unwrap();
    client.region(BAR0).write(reg::SCRATCH, 0xcafe_u32).unwrap();
    client.region(BAR2).write_bytes(0x12_3456, b"in memory").unwrap();
    running
}

/// Attaches when the previous client has detached: a relay forwards that with a delay.
#[track_caller]
fn attach(running: &Running) -> Client {
    let deadline = Instant::now() + vfio_user_tests::PATIENCE;
    loop {
        match Client::attach(running.path()) {
            Err(Error::DeviceInUse) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            attached => return attached.unwrap(),
        }
    }
}

#[track_caller]
fn assert_is_used(running: &Running) {
    let client = attach(running);
    assert_eq!(client.migration_state().unwrap(), MigrationState::Running);
    assert_eq!(client.region(BAR0).read::<u32>(reg::SCRATCH).unwrap(), 0xcafe);
    let mut bytes = [0; 9];
    client.region(BAR2).read_bytes(0x12_3456, &mut bytes).unwrap();
    assert_eq!(&bytes, b"in memory");
}

#[test]
fn a_device_moves_to_another_socket() {
    for (options, rounds) in [
        (&[][..], "1 round while it ran"),
        (&["--rounds=0"], "0 rounds"),
        (&["--enough=0"], " rounds"),
    ] {
        let (source, destination) = (used(), migrating_device());
        let output = vfu(source.path(), destination.path(), options);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        assert!(text.contains(rounds) && text.contains("the destination is running"), "{text}");
        assert_is_used(&destination);
    }
}

/// What a device has counted goes on, though only `Device::saving` stores it.
#[test]
fn a_counter_that_follows_the_time_goes_on_at_the_destination() {
    for options in [&[][..], &["--rounds=0"]] {
        let [saved, loaded] = [(); 2].map(|()| Arc::new(AtomicU32::new(0)));
        let [source, destination] = [&saved, &loaded].map(|calls| {
            let calls = Arc::clone(calls);
            Running::at_path(move || Counter::new(&calls))
        });
        let read =
            |at: &Running| -> u64 { attach(at).region(BAR0).read(counter::reg::ELAPSED).unwrap() };
        thread::sleep(Duration::from_millis(300));
        let (before, began) = (read(&source), Instant::now());
        let output = vfu(source.path(), destination.path(), options);
        assert!(output.status.success(), "{output:?}");
        let after = read(&destination);
        let passed = u64::try_from(began.elapsed().as_micros()).unwrap();
        // The destination was started with the source: a count of its own would be higher.
        assert!((before..before + passed).contains(&after), "{after} after {before} + {passed}");
        assert_eq!([&saved, &loaded].map(|calls| calls.load(SeqCst)), [1, 0]);
    }
}

#[test]
fn the_destination_may_stay_stopped() {
    let (source, destination) = (used(), migrating_device());
    let output = vfu(source.path(), destination.path(), &["--stopped"]);
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("the destination is stopped\n"));
    // It runs for its next client.
    assert_is_used(&destination);
}

#[test]
fn the_source_runs_on_when_the_destination_refuses() {
    for options in [&[][..], &["--rounds=0"]] {
        let (source, destination) = (used(), Running::at_path(Zoo::default));
        let output = vfu(source.path(), destination.path(), options);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        let named = format!("{}: the destination refused to ", destination.path().display());
        assert!(error.contains(&named), "{error}");
        assert!(error.contains("the state: EINVAL"), "{error}");
        assert!(error.ends_with("gives the reason\nthe source runs on\n"), "{error}");
        assert_is_used(&source);
        let client = attach(&destination);
        assert_eq!(client.migration_state().unwrap(), MigrationState::Running);
    }
}

#[test]
fn devices_that_cannot_are_named() {
    let (source, pinned) = (used(), Running::at_path(Pinned::default));
    let missing = Path::new("/nowhere/device.sock");
    for (from, to, at, why) in [
        (source.path(), pinned.path(), pinned.path(), "the device does not migrate"),
        (pinned.path(), source.path(), pinned.path(), "the device does not migrate"),
        (source.path(), missing, missing, "No such file"),
    ] {
        let output = vfu(from, to, &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with(&format!("vfu: {}", at.display())), "{error}");
        assert!(error.contains(why), "{error}");
    }
    assert_is_used(&source);
}

#[test]
fn a_device_with_a_client_is_named_at_once() {
    for source_is_busy in [true, false] {
        let (source, destination) = (used(), migrating_device());
        let busy = if source_is_busy { source.path() } else { destination.path() };
        let client = Client::attach(busy).unwrap();
        let began = Instant::now();
        let output = vfu(source.path(), destination.path(), &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        let expected =
            format!("vfu: {}: another client is attached to the device\n", busy.display());
        assert_eq!(error, expected);
        assert!(began.elapsed() < Duration::from_secs(4), "before any answer could be too late");
        // Its client notices nothing.
        assert_eq!(client.migration_state().unwrap(), MigrationState::Running);
        drop(client);
        assert_is_used(&source);
    }
}

fn save_or_load(command: &str, running: &Running, file: &Path, options: &[&str]) -> Output {
    let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
    vfu.arg(command).arg(running.path()).arg(file).args(options).output().unwrap()
}

#[test]
fn a_state_is_saved_to_a_file_and_loaded_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state");
    let (source, destination) = (used(), migrating_device());
    let saved = save_or_load("save", &source, &file, &[]);
    assert!(saved.status.success(), "{saved:?}");
    let metadata = fs::metadata(&file).unwrap();
    let expected = format!("saved {} bytes; the device runs\n", metadata.len());
    assert_eq!(String::from_utf8(saved.stdout).unwrap(), expected);
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_is_used(&source);
    let loaded = save_or_load("load", &destination, &file, &["--json"]);
    assert!(loaded.status.success(), "{loaded:?}");
    let json: serde_json::Value = serde_json::from_slice(&loaded.stdout).unwrap();
    assert_eq!(json["bytes"], metadata.len());
    assert_is_used(&destination);
}

#[test]
fn a_state_that_cannot_be_saved_or_loaded_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let source = used();
    let output = save_or_load("save", &source, Path::new("/no/such/directory/state"), &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_is_used(&source);
    let garbage = dir.path().join("garbage");
    fs::write(&garbage, "no state").unwrap();
    for file in [&garbage, Path::new("/no/such/file")] {
        let output = save_or_load("load", &source, file, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    // The refused state has left nothing.
    attach(&source).region(BAR0).read::<u32>(reg::SCRATCH).unwrap();
}

/// The request during which one of the devices dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    GoesTo(MigrationState),
    Reads(usize),
    Writes(usize),
}

impl Moment {
    /// Returns a function that detects this request.
    fn watch(self) -> impl FnMut(&Asked) -> bool {
        let mut before = 0;
        move |asked| {
            let (command, number) = match self {
                Moment::GoesTo(state) => return goes_to(state, asked),
                Moment::Reads(number) => (command::MIG_DATA_READ, number),
                Moment::Writes(number) => (command::MIG_DATA_WRITE, number),
            };
            before += usize::from(asked.command == command);
            asked.command == command && before == number
        }
    }
}

fn goes_to(state: MigrationState, asked: &Asked) -> bool {
    let flags = (Feature::MigDeviceState as u32 | feature::SET).to_le_bytes();
    let sets = [flags, (state as u32).to_le_bytes()].concat();
    asked.command == command::DEVICE_FEATURE && asked.payload.get(4..12) == Some(&sets)
}

/// Checks that `vfu` fails because of the device at `dead`, and returns its last output.
#[track_caller]
fn assert_lost(output: Output, dead: &Path) -> String {
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{error}");
    let (what, outcome) = error.split_once('\n').unwrap();
    let closed = format!("vfu: {}: the peer closed the connection", dead.display());
    assert_eq!(what, closed);
    outcome.to_owned()
}

#[test]
fn the_source_runs_on_when_the_destination_dies() {
    for (moment, options, has_stopped) in [
        (Moment::GoesTo(MigrationState::Resuming), &[][..], false),
        (Moment::Writes(1), &[], false),
        (Moment::Writes(1), &["--rounds=0"], true),
        (Moment::Writes(2), &["--rounds=1"], true),
        (Moment::GoesTo(MigrationState::Stop), &[], true),
        (Moment::GoesTo(MigrationState::Stop), &["--stopped"], true),
    ] {
        let (source, destination) = (used(), migrating_device());
        let watched = Tap::on(source.path());
        let dead = Tap::cut_at(destination.path(), moment.watch());
        let output = vfu(&watched.socket(), &dead.socket(), options);
        assert_eq!(assert_lost(output, &dead.socket()), "the source runs on\n", "{moment:?}");
        let stops = |asked: &Asked| goes_to(MigrationState::StopCopy, asked);
        assert_eq!(watched.asked().iter().any(stops), has_stopped, "{moment:?}");
        assert_is_used(&source);
    }
}

#[test]
fn the_destination_is_as_it_was_when_the_source_dies() {
    for (moment, options) in [
        (Moment::GoesTo(MigrationState::PreCopy), &[][..]),
        (Moment::Reads(1), &[]),
        (Moment::Reads(2), &[]),
        (Moment::GoesTo(MigrationState::StopCopy), &[]),
        (Moment::Reads(1), &["--rounds=0"]),
        (Moment::Reads(2), &["--rounds=0"]),
    ] {
        let (source, destination) = (migrating_device(), used());
        let client = Client::attach(source.path()).unwrap();
        client.region(BAR2).write_bytes(0x12_3456, b"elsewhere").unwrap();
        drop(client);
        let dead = Tap::cut_at(source.path(), moment.watch());
        let outcome = assert_lost(vfu(&dead.socket(), destination.path(), options), &dead.socket());
        assert!(outcome.starts_with("the source does not run on: "), "{outcome}");
        assert_is_used(&destination);
    }
}

/// The source may run only if the destination cannot have been started.
#[test]
fn the_source_stays_stopped_when_the_destination_may_run() {
    thread::scope(|scope| {
        for fate in [Fate::Cut, Fate::Swallow, Fate::Mute, Fate::CutAfter] {
            scope.spawn(move || assert_unknown(fate));
        }
    });
}

#[track_caller]
fn assert_unknown(fate: Fate) {
    let (outside, seen) = Outside::new();
    let source = Running::at_path(move || MigratingDevice::new(&outside));
    let destination = migrating_device();
    let watched = Tap::on(source.path());
    let runs = |asked: &Asked| goes_to(MigrationState::Running, asked);
    let tapped =
        Tap::with(destination.path(), move |asked| if runs(asked) { fate } else { Fate::Pass });
    let output = vfu(&watched.socket(), &tapped.socket(), &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{fate:?}: {error}");
    for text in [
        format!("vfu: {}: ", tapped.socket().display()),
        "the outcome is unknown".to_owned(),
        "the source stays stopped".to_owned(),
        format!("attach a client to {}", watched.socket().display()),
    ] {
        assert!(error.contains(&text), "{fate:?}: {text:?} is not in\n{error}");
    }
    assert!(!watched.asked().iter().any(runs), "{fate:?}: the source was made to run");
    seen.expect(Called::Quiesce);
    seen.expect(Called::Saved);
    seen.expect_nothing();
    // As the text says, it runs for its next client.
    drop(attach(&source));
    seen.expect(Called::Resume(Resumed::Continued));
}

/// A destination that refuses to run does not run.
#[test]
fn the_source_runs_on_when_the_destination_refuses_to_run() {
    let (source, destination) = (used(), migrating_device());
    let tapped = Tap::with(destination.path(), |asked| {
        if goes_to(MigrationState::Running, asked) { Fate::Refuse(errno::EIO) } else { Fate::Pass }
    });
    let output = vfu(source.path(), &tapped.socket(), &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.ends_with("the source runs on\n"), "{error}");
    assert_is_used(&source);
    let client = attach(&destination);
    assert_eq!(client.region(BAR0).read::<u32>(reg::SCRATCH).unwrap(), 0x55, "it was reset");
}

#[test]
fn the_source_runs_on_when_vfu_is_interrupted() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (source, destination) = (used(), migrating_device());
        let (sender, reads) = channel();
        // A source whose state never ends.
        let tapped = Tap::with(source.path(), move |asked| {
            if asked.command == command::MIG_DATA_READ {
                thread::sleep(Duration::from_millis(50));
                let _ = sender.send(());
            }
            Fate::Pass
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_vfu"));
        let sockets = [tapped.socket(), destination.path().to_owned()];
        command.arg("migrate").args(sockets).args(["--enough=0", "--rounds=4000000000"]);
        let vfu = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        reads.recv_timeout(vfio_user_tests::PATIENCE).unwrap();
        kill(Pid::from_raw(vfu.id().try_into().unwrap()), signal).unwrap();
        let output = vfu.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(error, "vfu: interrupted\nthe source runs on\n");
        assert_is_used(&source);
    }
}

/// Sends every kind of wrong reply, to each request from the first on.
#[test]
fn vfu_ends_whatever_a_device_answers() {
    let next = AtomicU32::new(0);
    let cases: Vec<_> = [true, false]
        .into_iter()
        .flat_map(|is_source| [1, 2, 3, 4, 6, 8].map(|number| (is_source, number)))
        .flat_map(|(is_source, number)| Forgery::ALL.map(|forgery| (is_source, number, forgery)))
        .collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, SeqCst) as usize) {
                    let (is_source, number, forgery) = *case;
                    assert_ends(is_source, number, forgery);
                }
            });
        }
    });
}

#[track_caller]
fn assert_ends(is_source: bool, number: usize, forgery: Forgery) {
    let places = [used(), migrating_device()];
    let taps = [true, false].map(|end| {
        let mut before = 0;
        let running = if end { &places[0] } else { &places[1] };
        Tap::with(running.path(), move |_| {
            before += 1;
            let is_it = end == is_source && before == number;
            if is_it { Fate::Forge(forgery) } else { Fate::Pass }
        })
    });
    let output = vfu(&taps[0].socket(), &taps[1].socket(), &["--time-limit=20"]);
    let text = String::from_utf8(output.stderr).unwrap();
    let context = format!("{is_source} {number} {forgery:?}: {text}");
    match output.status.code() {
        Some(0) => assert!(!output.stdout.is_empty(), "{context}"),
        Some(2) => {
            assert!(text.starts_with("vfu: ") && !text.contains("panicked"), "{context}");
            let attached = text.contains("the source runs on") || text.contains("does not run on");
            // A failure before anything is stopped reports only the failure.
            assert!(attached || number <= 3, "{context}");
        }
        Some(3) => assert!(text.contains("the outcome is unknown"), "{context}"),
        code => panic!("{code:?}: {context}"),
    }
}
