//! Migration over real sockets: states, streams, and what a device does in between.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vfio_user::client::{AttachOptions, Client, DmaMapping};
use vfio_user::protocol::{
    DmaMapFlags, Feature, FeatureFlags, IrqIndex, MigrationFlags, MigrationState, RegionIndex,
};
use vfio_user::{Error, EventFd, Resumed, Server};
use vfio_user_tests::migrating_device::{Called, Event, MigratingDevice, Outside, Seen, reg};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno};
use vfio_user_tests::{PATIENCE, files};

use MigrationState::{PreCopy, Resuming, Running as Runs, Stop, StopCopy};

const STATES: [MigrationState; 5] = [Stop, Runs, StopCopy, Resuming, PreCopy];
/// Long enough for what should not happen.
const MOMENT: Duration = Duration::from_millis(50);
const PAGE: u64 = 0x1000;
const BAR0: RegionIndex = RegionIndex::Bar0;
const BAR2: RegionIndex = RegionIndex::Bar2;

/// A device that is served, and its client.
struct Place {
    client: Client,
    seen: Seen,
    /// By source.
    irqs: [EventFd; 2],
    _running: Running,
}

impl Place {
    fn new() -> Self {
        let (outside, seen) = Outside::new();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = Server::from_stream(theirs).unwrap();
        let running =
            Running::start(server, |server| server.serve(move || MigratingDevice::new(&outside)));
        let client = Client::from_stream(ours, AttachOptions::default()).unwrap();
        let irqs = [(); 2].map(|()| EventFd::new().unwrap());
        let assigned: Vec<_> = irqs.iter().map(Some).collect();
        client.set_irqs(IrqIndex::Msix, 0, &assigned).unwrap();
        Place { client, seen, irqs, _running: running }
    }

    /// With guest memory.
    fn with_memory(memory: &File, size: u64) -> Self {
        let place = Place::new();
        let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
        place
            .client
            .dma_map(DmaMapping { iova: 0, size, file: memory.as_fd(), offset: 0, rights })
            .unwrap();
        place
    }

    fn get(&self, offset: u64) -> u32 {
        self.client.region(BAR0).read(offset).unwrap()
    }

    fn set(&self, offset: u64, value: u32) {
        self.client.region(BAR0).write(offset, value).unwrap();
    }

    #[track_caller]
    fn go(&self, state: MigrationState) {
        self.client.set_migration_state(state).unwrap();
        assert_eq!(self.client.migration_state().unwrap(), state);
    }

    #[track_caller]
    fn refuses(&self, state: MigrationState) {
        let refused = self.client.set_migration_state(state);
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }

    fn save(&self) -> Vec<u8> {
        let mut stream = Vec::new();
        self.client.save(&mut stream).unwrap();
        stream
    }

    #[track_caller]
    fn load(&self, stream: &[u8]) {
        self.client.write_migration_data(stream).unwrap();
    }

    fn fired(&self, source: usize) -> bool {
        self.irqs[source].wait(PATIENCE).unwrap().is_some()
    }

    fn has_fired(&self, source: usize) -> bool {
        self.irqs[source].wait(MOMENT).unwrap().is_some()
    }
}

/// The state of a device that has stopped, which runs on then.
fn state_of(place: &Place) -> Vec<u8> {
    place.go(StopCopy);
    let stream = place.save();
    place.go(Runs);
    stream
}

#[test]
fn everything_arrives_in_pieces_of_any_size() {
    let from = Place::new();
    from.set(reg::SCRATCH, 0xcafe);
    assert_eq!([from.get(reg::COUNT), from.get(reg::COUNT)], [1, 2]);
    from.client.region(BAR2).write_bytes(0x1f_fff0, b"the last bytes").unwrap();
    from.client.region(RegionIndex::Config).write(4, 0x0406_u16).unwrap();
    from.go(StopCopy);
    let mut stream = Vec::new();
    for size in [1, 2, 3, 5, 8, 13, 1000].iter().cycle() {
        let mut piece = vec![0; *size];
        match from.client.read_migration_data(&mut piece).unwrap() {
            0 => break,
            read => stream.extend_from_slice(&piece[..read]),
        }
    }
    assert_eq!(from.client.read_migration_data(&mut [0; 8]).unwrap(), 0);
    let to = Place::new();
    to.go(Resuming);
    for byte in &stream {
        to.load(&[*byte]);
    }
    to.go(Stop);
    assert_eq!(to.get(reg::SCRATCH), 0xcafe);
    to.go(Runs);
    to.seen.expect(Called::Quiesce);
    to.seen.expect(Called::Loaded);
    to.seen.expect(Called::Resume(Resumed::Loaded));
    assert_eq!(to.get(reg::COUNT), 3);
    let mut bytes = [0; 16];
    to.client.region(BAR2).read_bytes(0x1f_fff0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"the last bytes\0\0");
    assert_eq!(to.client.region(RegionIndex::Config).read::<u16>(4).unwrap(), 0x0406);
    from.go(Runs);
    from.seen.expect(Called::Quiesce);
    from.seen.expect(Called::Saved);
    from.seen.expect(Called::Resume(Resumed::Continued));
    assert_eq!(from.get(reg::COUNT), 3, "the source goes on unharmed");
}

#[test]
fn every_state_leads_to_every_other_but_one() {
    for from in STATES {
        for to in STATES {
            let place = Place::new();
            place.set(reg::SCRATCH, 7);
            place.go(from);
            if (from, to) == (StopCopy, PreCopy) {
                place.refuses(to);
                assert_eq!(place.client.migration_state().unwrap(), from);
            } else {
                place.go(to);
            }
            place.go(if (from, to) == (StopCopy, PreCopy) { from } else { to });
            place.go(Runs);
            assert_eq!(place.get(reg::SCRATCH), 7, "{from:?} to {to:?}");
            place.set(reg::RAISE, 0);
            assert!(place.fired(0));
        }
    }
}

#[test]
fn states_that_there_are_not_are_refused_and_change_nothing() {
    let (outside, seen) = Outside::new();
    let (_running, mut client) = serve::over_pair(move || MigratingDevice::new(&outside));
    client.negotiate();
    let set = |state: u32| wire::words(&[16, 0x2_0002, state, 0]);
    for state in [0, 5, 7, 8, 9, u32::MAX] {
        client.request(command::DEVICE_FEATURE, &set(state), &[]).fails_with(errno::EINVAL);
    }
    client.request(command::DEVICE_FEATURE, &set(1)[..12], &[]).fails_with(errno::EINVAL);
    let get = |argsz: u32| wire::words(&[argsz, 0x1_0002]);
    client.request(command::DEVICE_FEATURE, &get(15), &[]).fails_with(errno::EINVAL);
    let state = client.request(command::DEVICE_FEATURE, &get(16), &[]).ok();
    assert_eq!(state, wire::words(&[16, 0x1_0002, 2, u32::MAX]), "no descriptor");
    seen.expect_nothing();
    // Data without a stream, and of sizes that do not fit.
    let read = |argsz: u32, size: u32| wire::words(&[argsz, size]);
    client.request(command::MIG_DATA_READ, &read(108, 100), &[]).fails_with(errno::EINVAL);
    client.request(command::MIG_DATA_WRITE, &read(8, 0), &[]).fails_with(errno::EINVAL);
    client.request(command::DEVICE_FEATURE, &set(3), &[]).ok();
    client.request(command::MIG_DATA_READ, &read(107, 100), &[]).fails_with(errno::EINVAL);
    let size = (1 << 20) + 1;
    client.request(command::MIG_DATA_READ, &read(size + 8, size), &[]).fails_with(errno::EINVAL);
    client.request(command::MIG_DATA_READ, &read(8, 0)[..7], &[]).fails_with(errno::EINVAL);
    assert_eq!(client.request(command::MIG_DATA_READ, &read(8, 0), &[]).ok(), read(8, 0));
    client.request(command::DEVICE_FEATURE, &set(4), &[]).ok();
    client.request(command::MIG_DATA_WRITE, &read(12, 4), &[]).fails_with(errno::EINVAL);
    client.request(command::MIG_DATA_READ, &read(8, 0), &[]).fails_with(errno::EINVAL);
}

#[test]
fn only_devices_that_migrate_say_so() {
    let place = Place::new();
    let flags = MigrationFlags::STOP_COPY | MigrationFlags::PRE_COPY;
    assert_eq!(place.client.migration_flags().unwrap(), flags);
    let (get, both) = (FeatureFlags::GET, FeatureFlags::GET | FeatureFlags::SET);
    assert!(place.client.has_feature(Feature::MigDeviceState, both).unwrap());
    assert!(place.client.has_feature(Feature::MigDataSize, get).unwrap());
    let (running, client) = serve::function(vfio_user_tests::ram::Ram::new());
    let mut client = client;
    for feature in [1, 2, 9] {
        let get = wire::words(&[100, 0x1_0000 | feature]);
        client.request(command::DEVICE_FEATURE, &get, &[]).fails_with(errno::ENOTTY);
        let probe = wire::words(&[100, 0x5_0000 | feature]);
        client.request(command::DEVICE_FEATURE, &probe, &[]).fails_with(errno::ENOTTY);
    }
    drop((client, running));
}

#[test]
fn a_device_that_is_stopped_shows_what_it_is_and_takes_nothing() {
    let place = Place::new();
    place.set(reg::SCRATCH, 1);
    assert_eq!(place.get(reg::COUNT), 1);
    place.set(reg::DELAY, 1);
    place.seen.expect(Called::Expired);
    assert!(place.fired(0));
    place.set(reg::DELAY, 20);
    place.go(Stop);
    place.seen.clear();
    place.seen.remote().post(Event::Number(77)).unwrap();
    for _ in 0..3 {
        assert_eq!(place.get(reg::COUNT), 0, "a hook would count");
        place.set(reg::SCRATCH, 2);
        place.set(reg::RAISE, 0);
        place.client.region(BAR2).write(0, 5_u32).unwrap();
    }
    assert_eq!(place.get(reg::SCRATCH), 1);
    assert_eq!(place.client.region(RegionIndex::Config).read::<u32>(0).unwrap(), 0x10f9_1af4);
    assert!(!place.has_fired(0));
    place.seen.expect_nothing();
    place.go(Runs);
    place.seen.expect(Called::Resume(Resumed::Continued));
    let mut later = [(); 2].map(|()| place.seen.next());
    later.sort_by_key(|called| *called == Called::Expired);
    assert_eq!(later, [Called::Event(77), Called::Expired]);
    assert!(place.fired(0));
    assert_eq!((place.get(reg::SCRATCH), place.get(reg::COUNT)), (1, 2));
    assert_eq!(place.client.region(BAR2).read::<u32>(0).unwrap(), 0);
}

#[test]
fn memory_goes_ahead_and_what_has_changed_follows() {
    let from = Place::new();
    let region = from.client.region(BAR2);
    let mut expected = vec![0; MigratingDevice::SHARED];
    let pattern = (0..=250).cycle();
    expected[0x5000..0x10_5000].iter_mut().zip(pattern).for_each(|(byte, value)| *byte = value);
    region.write_bytes(0, &expected).unwrap();
    from.go(PreCopy);
    let first = from.save();
    assert!(first.len() > 0x10_0000 && first.len() < 0x10_8000, "{}", first.len());
    assert_eq!(from.save(), b"", "nothing has changed");
    for offset in [0, 0x5000, 0x1f_ffff] {
        expected[offset] ^= 0x81;
        region.write(offset as u64, expected[offset]).unwrap();
    }
    expected[0x8000..0x9000].fill(0);
    region.write_bytes(0x8000, &[0; 0x1000]).unwrap();
    let second = from.save();
    assert!(second.len() > 3 * 0x1000 && second.len() < 0x3100, "{}", second.len());
    region.write_bytes(0x10_0000, &[9; 3]).unwrap();
    expected[0x10_0000..0x10_0003].fill(9);
    from.set(reg::SCRATCH, 3);
    from.go(StopCopy);
    let last = from.save();
    assert!(last.len() > 0x1000 && last.len() < 0x2000, "{}", last.len());
    let to = Place::new();
    // What it had goes.
    to.client.region(BAR2).write_bytes(0x1000, &[7; 0x2000]).unwrap();
    to.go(Resuming);
    for part in [&first, &second, &last] {
        to.load(part);
    }
    to.go(Runs);
    let mut moved = vec![1; expected.len()];
    to.client.region(BAR2).read_bytes(0, &mut moved).unwrap();
    assert!(moved == expected);
    assert_eq!(to.get(reg::SCRATCH), 3);
}

#[test]
fn a_cancelled_save_is_begun_anew() {
    let from = Place::new();
    from.client.region(BAR2).write(0x3000, 1_u8).unwrap();
    from.go(PreCopy);
    let first = from.save();
    from.go(Runs);
    from.go(PreCopy);
    assert_eq!(from.save(), first, "all of it");
    from.go(StopCopy);
    let rest = from.save();
    from.go(StopCopy);
    assert_eq!(from.save(), b"");
    from.go(Stop);
    from.go(StopCopy);
    assert_eq!(from.save(), [first, rest].concat(), "the same without going ahead");
}

#[test]
fn a_refused_state_leaves_the_device_as_it_was() {
    let poisoned = Place::new();
    poisoned.set(reg::POISON, 1);
    poisoned.client.region(BAR2).write_bytes(0, &[1; 0x3000]).unwrap();
    let poison = state_of(&poisoned);
    let healthy = state_of(&Place::new());
    let to = Place::new();
    let mut bytes = vec![0; MigratingDevice::SHARED];
    let mut damaged = healthy.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for bad in [&poison[..], &poison[..poison.len() - 1], &damaged] {
        to.set(reg::SCRATCH, 9);
        to.client.region(BAR2).write_bytes(0, &[0; 0x3000]).unwrap();
        to.client.region(BAR2).write_bytes(0x800, &[2; 0x1000]).unwrap();
        to.go(Resuming);
        let _ = to.client.write_migration_data(bad);
        to.refuses(Runs);
        assert_eq!(to.client.migration_state().unwrap(), MigrationState::Error);
        to.client.region(BAR2).read_bytes(0, &mut bytes).unwrap();
        assert!(bytes[0x800..0x1800].iter().all(|byte| *byte == 2));
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 0x1000);
        assert_eq!(to.get(reg::SCRATCH), 9);
        to.client.reset().unwrap();
    }
    to.go(Resuming);
    to.load(&healthy);
    to.go(Runs);
    assert_eq!(to.get(reg::SCRATCH), 0x55);
}

#[test]
fn a_device_may_leave_without_a_state() {
    let place = Place::new();
    place.set(reg::SCRATCH, 8);
    place.go(Resuming);
    place.go(Runs);
    place.seen.expect(Called::Quiesce);
    place.seen.expect(Called::Resume(Resumed::Continued));
    assert_eq!(place.get(reg::SCRATCH), 8);
    let stream = state_of(&place);
    place.go(Resuming);
    place.load(&stream[..stream.len() / 2]);
    place.client.reset().unwrap();
    assert_eq!(place.client.migration_state().unwrap(), Runs);
    assert_eq!(place.get(reg::SCRATCH), 0x55);
}

#[test]
fn after_a_reset_the_device_runs() {
    for state in STATES {
        let place = Place::new();
        place.set(reg::SCRATCH, 8);
        place.go(state);
        place.seen.clear();
        place.client.reset().unwrap();
        let expected = if state == PreCopy { PreCopy } else { Runs };
        assert_eq!(place.client.migration_state().unwrap(), expected);
        assert_eq!(place.get(reg::SCRATCH), 0x55);
        place.seen.expect(Called::Quiesce);
        place.seen.expect(Called::Reset);
        place.seen.expect_nothing();
        place.set(reg::RAISE, 0);
        assert!(place.fired(0));
        if state == PreCopy {
            place.go(StopCopy);
            let stream = place.save();
            place.go(Resuming);
            place.load(&stream);
            place.go(Runs);
        }
    }
}

#[test]
fn a_device_that_was_stopped_runs_for_the_next_client() {
    let (outside, seen) = Outside::new();
    let running = Running::at_path(move || MigratingDevice::new(&outside));
    let client = Client::attach(running.path()).unwrap();
    client.region(BAR0).write(reg::SCRATCH, 3_u32).unwrap();
    client.set_migration_state(StopCopy).unwrap();
    seen.expect(Called::Quiesce);
    let remote = seen.remote();
    drop(client);
    remote.post(Event::Number(5)).unwrap();
    std::thread::sleep(MOMENT);
    seen.expect_nothing();
    let client = Client::attach(running.path()).unwrap();
    seen.expect(Called::Resume(Resumed::Continued));
    seen.expect(Called::Event(5));
    assert_eq!(client.migration_state().unwrap(), Runs);
    assert_eq!(client.region(BAR0).read::<u32>(reg::SCRATCH).unwrap(), 3);
}

#[test]
fn a_timer_goes_on_where_it_is_loaded_and_interrupts_wait_for_their_eventfd() {
    let from = Place::new();
    from.set(reg::DELAY, 100);
    from.go(Stop);
    // It is over before the device runs again: elsewhere.
    std::thread::sleep(2 * MOMENT);
    let stream = {
        from.go(StopCopy);
        from.save()
    };
    let to = Place::new();
    to.go(Resuming);
    to.load(&stream);
    to.go(Runs);
    assert!(to.fired(0));
    assert!(!from.has_fired(0));
}

/// A device that works on jobs is moved back and forth: every job is done once, every interrupt
/// comes.
#[test]
fn nothing_is_lost_or_doubled_under_load() {
    const JOBS: u32 = 1000;
    let memory = files::memory(PAGE);
    let mut places = [Place::with_memory(&memory, PAGE), Place::with_memory(&memory, PAGE)];
    let mut next = 0;
    for _ in 0..100 {
        for _ in 0..JOBS / 100 {
            places[0].set(reg::JOB, next);
            places[0].set(reg::RAISE, 0);
            next += 1;
        }
        if next % 30 == 0 {
            places[0].go(PreCopy);
            let ahead = places[0].save();
            places[0].go(StopCopy);
            places[1].go(Resuming);
            places[1].load(&ahead);
        } else {
            places[0].go(StopCopy);
            places[1].go(Resuming);
        }
        let rest = places[0].save();
        places[1].load(&rest);
        places[1].go(Runs);
        places.swap(0, 1);
    }
    let raised = |place: &Place| place.irqs[0].take().unwrap_or(0);
    let deadline = std::time::Instant::now() + PATIENCE;
    while places[0].get(reg::DONE) < JOBS {
        assert!(std::time::Instant::now() < deadline, "{} done", places[0].get(reg::DONE));
    }
    assert_eq!(raised(&places[0]) + raised(&places[1]), u64::from(JOBS));
    let mut counts = vec![0; JOBS as usize * 4];
    memory.read_exact_at(&mut counts, 0).unwrap();
    let wrong = counts.chunks(4).position(|count| count != [1, 0, 0, 0]);
    assert_eq!(wrong, None, "a job was not done once");
}
