//! `client::Migration` against devices that fail at every step, in every way: never two of them
//! run.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use vfio_user::client::{
    self, AttachOptions, Client, Migration, MigrationError, MigrationErrorKind, MigrationProgress,
    MigrationReport, MigrationSide, RunningDevice,
};
use vfio_user::protocol::{Feature, MigrationState, RegionIndex};
use vfio_user::{Error, Resumed};
use vfio_user_tests::migrating_device::{Called, MigratingDevice, Outside, Seen, reg};
use vfio_user_tests::serve::Running;
use vfio_user_tests::tap::{Asked, Fate, Forgery, Tap};
use vfio_user_tests::wire::{command, errno, feature};

const FATES: [Fate; 5] =
    [Fate::Cut, Fate::Swallow, Fate::Mute, Fate::CutAfter, Fate::Refuse(errno::EIO)];

/// The request that fails.
#[derive(Clone, Copy, Debug)]
enum Step {
    GoesTo(MigrationState),
    /// The request of this number with this command, from 1.
    Data(u16, u32),
    /// The request of this number, from 1, whatever it is.
    Nth(u32),
    GetsState,
}

impl Step {
    fn fails(self, fate: Fate) -> impl FnMut(&Asked) -> Fate + Send + 'static {
        let mut before = 0;
        move |asked| {
            let is_it = match self {
                Step::GoesTo(state) => is_state(asked, feature::SET, Some(state)),
                Step::Nth(number) => {
                    before += 1;
                    before == number
                }
                Step::GetsState => is_state(asked, feature::GET, None),
                Step::Data(command, number) => {
                    before += u32::from(asked.command == command);
                    asked.command == command && before == number
                }
            };
            if is_it { fate } else { Fate::Pass }
        }
    }
}

fn is_state(asked: &Asked, operation: u32, state: Option<MigrationState>) -> bool {
    let mut head = (Feature::MigDeviceState as u32 | operation).to_le_bytes().to_vec();
    head.extend(state.into_iter().flat_map(|state| (state as u32).to_le_bytes()));
    let wanted = asked.payload.get(4..4 + head.len()) == Some(&head);
    asked.command == command::DEVICE_FEATURE && wanted
}

/// A device that is served behind a relay.
struct Place {
    running: Running,
    seen: Seen,
}

impl Place {
    fn new(scratch: u32) -> Self {
        let (outside, seen) = Outside::new();
        let running = Running::at_path(move || MigratingDevice::new(&outside));
        let client = Client::attach(running.path()).unwrap();
        client.region(RegionIndex::Bar0).write(reg::SCRATCH, scratch).unwrap();
        Place { running, seen }
    }

    fn tap(&self, fate: impl FnMut(&Asked) -> Fate + Send + 'static) -> (Tap, Client) {
        let tap = Tap::with(self.running.path(), fate);
        let options = AttachOptions { timeout: Duration::from_secs(2), ..AttachOptions::default() };
        let client = Client::attach_with(tap.socket(), options).unwrap();
        (tap, client)
    }

    /// Ends the server, which serves what has been sent first; what the device was called for.
    fn end(self) -> Vec<Called> {
        self.running.shutdown().shutdown();
        self.running.join().unwrap();
        self.seen.all()
    }
}

/// Whether the source was running when its server ended.
fn source_runs(called: &[Called]) -> bool {
    let last =
        called.iter().rev().find(|called| matches!(called, Called::Quiesce | Called::Resume(_)));
    !matches!(last, Some(Called::Quiesce))
}

/// Whether the destination was running with the state when its server ended.
fn destination_runs(called: &[Called]) -> bool {
    let last =
        called.iter().rev().find(|called| matches!(called, Called::Resume(_) | Called::Reset));
    matches!(last, Some(Called::Resume(Resumed::Loaded)))
}

struct Run {
    failure: MigrationError,
    source: bool,
    destination: bool,
}

/// A migration in which one of the devices fails.
fn run(side: MigrationSide, step: Step, fate: Fate) -> Run {
    let (source, destination) = (Place::new(7), Place::new(8));
    let of = |end| if end == side { fate } else { Fate::Pass };
    let (from_tap, from) = source.tap(step.fails(of(MigrationSide::Source)));
    let (to_tap, to) = destination.tap(step.fails(of(MigrationSide::Destination)));
    let moved = Migration::new(&from, &to).rounds(1).run(|_| ControlFlow::Continue(()));
    let failure = moved.expect_err("it fails");
    drop((from, to, from_tap, to_tap));
    let (source, destination) = (source_runs(&source.end()), destination_runs(&destination.end()));
    Run { failure, source, destination }
}

/// Runs cases at the same time: they wait most of the time.
fn each(side: MigrationSide, steps: &[Step], check: impl Fn(Step, Fate, Run) + Sync) {
    let check = &check;
    thread::scope(|scope| {
        for (step, fate) in steps.iter().flat_map(|step| FATES.map(|fate| (*step, fate))) {
            scope.spawn(move || check(step, fate, run(side, step, fate)));
        }
    });
}

#[test]
fn the_source_runs_on_unless_the_destination_was_made_to_run() {
    let steps = [
        Step::GoesTo(MigrationState::Resuming),
        Step::Data(command::MIG_DATA_WRITE, 1),
        Step::Data(command::MIG_DATA_WRITE, 2),
        Step::GoesTo(MigrationState::Stop),
    ];
    each(MigrationSide::Destination, &steps, |step, fate, Run { failure, source, destination }| {
        let context = format!("{step:?} {fate:?}: {failure} {:?}", failure.running);
        assert!(matches!(failure.running, RunningDevice::Source), "{context}");
        assert_eq!(
            (failure.side, source, destination),
            (MigrationSide::Destination, true, false),
            "{context}"
        );
    });
}

#[test]
fn the_source_stays_stopped_once_the_destination_may_run() {
    let steps = [Step::GoesTo(MigrationState::Running)];
    each(MigrationSide::Destination, &steps, |step, fate, Run { failure, source, destination }| {
        let context = format!("{step:?} {fate:?}: {failure} {:?}", failure.running);
        assert!(!(source && destination), "two devices run: {context}");
        let refused = matches!(fate, Fate::Refuse(_));
        let names_step = matches!(
            failure.reason,
            MigrationErrorKind::Refused { step: client::MigrationStep::Run, .. }
        );
        assert_eq!(names_step, refused, "{context}");
        let expected = match failure.running {
            RunningDevice::Source => refused && source,
            RunningDevice::Unknown => !refused && !source,
            _ => false,
        };
        assert!(expected, "{context}");
        let ran = matches!(fate, Fate::Mute | Fate::CutAfter);
        assert_eq!(destination, ran, "{context}");
    });
}

#[test]
fn the_destination_does_not_run_when_the_source_fails() {
    let steps = [
        Step::GoesTo(MigrationState::PreCopy),
        Step::Data(command::MIG_DATA_READ, 1),
        Step::GoesTo(MigrationState::StopCopy),
        Step::Data(command::MIG_DATA_READ, 3),
    ];
    each(MigrationSide::Source, &steps, |step, fate, Run { failure, source, destination }| {
        let context = format!("{step:?} {fate:?}: {failure} {:?}", failure.running);
        assert!(!destination, "{context}");
        assert_eq!(failure.side, MigrationSide::Source, "{context}");
        match failure.running {
            RunningDevice::Source => assert!(source, "{context}"),
            RunningDevice::Neither(_) => assert!(!matches!(fate, Fate::Refuse(_)), "{context}"),
            _ => panic!("{context}"),
        }
    });
}

/// An error reply alone does not say that the destination stands.
#[test]
fn a_destination_that_fails_to_run_has_to_confirm_that_it_is_stopped() {
    for lost in [Fate::Cut, Fate::Mute, Fate::Refuse(errno::EINVAL)] {
        let (source, destination) = (Place::new(7), Place::new(8));
        let (_from, from) = source.tap(|_| Fate::Pass);
        let mut gets = Step::GetsState.fails(lost);
        let (_to, to) = destination.tap(move |asked| {
            if is_state(asked, feature::SET, Some(MigrationState::Running)) {
                return Fate::Refuse(errno::EIO);
            }
            gets(asked)
        });
        let failure = Migration::new(&from, &to).run(|_| ControlFlow::Continue(())).unwrap_err();
        assert!(
            matches!(failure.running, RunningDevice::Unknown),
            "{lost:?}: {:?}",
            failure.running
        );
        drop((from, to));
        assert!(!source_runs(&source.end()), "{lost:?}");
    }
}

#[test]
fn the_caller_ends_a_migration_in_any_round() {
    let is_last = |progress: &MigrationProgress| {
        matches!(progress, MigrationProgress::Round { number: None, .. })
    };
    let is_first = |progress: &MigrationProgress| matches!(progress, MigrationProgress::Copied(_));
    for is_over in [is_last as fn(&MigrationProgress) -> bool, is_first] {
        let (source, destination) = (Place::new(7), Place::new(8));
        let (_from, from) = source.tap(|_| Fate::Pass);
        let (_to, to) = destination.tap(|_| Fate::Pass);
        let failed = Migration::new(&from, &to).run(|progress| {
            if is_over(&progress) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let failure = failed.unwrap_err();
        assert!(matches!(failure.running, RunningDevice::Source), "{:?}", failure.running);
        assert_eq!(failure.to_string(), "the migration was cancelled");
        drop((from, to));
        assert!(source_runs(&source.end()));
        assert!(!destination_runs(&destination.end()));
    }
}

#[test]
fn a_destination_may_be_left_stopped() {
    let (source, destination) = (Place::new(7), Place::new(8));
    let (_from, from) = source.tap(|_| Fate::Pass);
    let (_to, to) = destination.tap(|_| Fate::Pass);
    let moved = Migration::new(&from, &to).leave_stopped().run(|_| ControlFlow::Continue(()));
    assert!(!moved.unwrap().is_running);
    assert_eq!(to.migration_state().unwrap(), MigrationState::Stop);
    assert_eq!(from.migration_state().unwrap(), MigrationState::Stop);
    assert_eq!(to.region(RegionIndex::Bar0).read::<u32>(reg::SCRATCH).unwrap(), 7);
    assert!(matches!(from.read_migration_data(&mut [0; 8]), Err(Error::Refused { .. })));
}

/// What a migration ended with, and which of the two devices ran afterwards.
struct End {
    moved: Result<MigrationReport, MigrationError>,
    source: bool,
    destination: bool,
    /// Whether the request that was to be forged was sent.
    is_forged: bool,
}

/// A migration with one device that answers one request wrongly.
fn forged(side: MigrationSide, number: u32, forgery: Forgery) -> End {
    let (source, destination) = (Place::new(7), Place::new(8));
    let fate = |end| if end == side { Fate::Forge(forgery) } else { Fate::Pass };
    let step = Step::Nth(number);
    let (from_tap, from) = source.tap(step.fails(fate(MigrationSide::Source)));
    let (to_tap, to) = destination.tap(step.fails(fate(MigrationSide::Destination)));
    let moved = Migration::new(&from, &to).rounds(1).run(|_| ControlFlow::Continue(()));
    drop((from, to));
    let asked = if side == MigrationSide::Source { from_tap.asked() } else { to_tap.asked() };
    let is_forged = u32::try_from(asked.len()).unwrap() >= number;
    let (source, destination) = (source_runs(&source.end()), destination_runs(&destination.end()));
    End { moved, source, destination, is_forged }
}

/// A state of the source that is all ones or zeros is no state, but it is one of a device that is
/// not asked again: what it says of itself has to be believed.
fn lies(forgery: Forgery) -> bool {
    matches!(forgery, Forgery::Ones | Forgery::Zeros)
}

fn check_forged(side: MigrationSide, number: u32, forgery: Forgery) -> bool {
    let End { moved, source, destination, is_forged } = forged(side, number, forgery);
    let context = format!("{side:?} {number} {forgery:?}: {moved:?}, {source} {destination}");
    assert!(!(source && destination), "two devices run: {context}");
    match &moved {
        Ok(_) => assert!(destination || lies(forgery), "{context}"),
        Err(failure) => {
            assert!(failure.to_string().len() > 8, "{context}");
            match failure.running {
                RunningDevice::Source => assert!(source, "{context}"),
                RunningDevice::Unknown => assert!(!source, "{context}"),
                RunningDevice::Neither(_) => assert!(!destination, "{context}"),
                _ => panic!("{context}"),
            }
        }
    }
    is_forged
}

/// Attaching takes two requests.
const FIRST: u32 = 3;

#[test]
fn whatever_one_answer_is_a_migration_ends_and_one_device_runs_at_most() {
    let next = AtomicU32::new(0);
    let cases: Vec<_> = [MigrationSide::Source, MigrationSide::Destination]
        .into_iter()
        .flat_map(|side| (FIRST..FIRST + 8).map(move |number| (side, number)))
        .flat_map(|(side, number)| Forgery::ALL.map(|forgery| (side, number, forgery)))
        .collect();
    let forged = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, SeqCst) as usize) {
                    let (side, number, forgery) = *case;
                    forged.fetch_add(check_forged(side, number, forgery).into(), SeqCst);
                }
            });
        }
    });
    let forged = forged.into_inner();
    assert!(forged >= 100, "{forged} answers were forged");
}

/// While the source runs, and when it has stopped.
#[test]
fn a_state_without_end_ends_with_the_time_limit() {
    for rounds in [1, 0] {
        let (source, destination) = (Place::new(7), Place::new(8));
        let (_from, from) = source.tap(|_| Fate::Pass);
        let (_to, to) = destination.tap(|asked| {
            // Each takes its time, so that the limit passes.
            if asked.command == command::MIG_DATA_WRITE {
                thread::sleep(Duration::from_millis(300));
            }
            Fate::Pass
        });
        let limit = Duration::from_millis(200);
        let migration = Migration::new(&from, &to).rounds(rounds).time_limit(limit);
        let failure = migration.run(|_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(failure.reason, MigrationErrorKind::TooLong(_)), "{failure}");
        assert_eq!(failure.to_string(), "the migration took longer than 200ms");
        assert!(matches!(failure.running, RunningDevice::Source), "{:?}", failure.running);
        drop((from, to));
        assert!(source_runs(&source.end()));
        assert!(!destination_runs(&destination.end()));
    }
}
