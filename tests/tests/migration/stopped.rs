//! What a device takes while it is stopped, and what leads out of a state that it has refused.

use std::os::unix::net::UnixStream;

use vfio_user::client::{AttachOptions, Client};
use vfio_user::protocol::{IrqIndex, MigrationState, RegionIndex};
use vfio_user::{
    Cx, Device, Error, EventFd, PciDevice, ResetKind, Result, SavePhase, Server, Virtual,
};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno, feature};

use MigrationState::{PreCopy, Resuming, Running as Runs, Stop, StopCopy};

const BAR0: RegionIndex = RegionIndex::Bar0;
const CONFIG: RegionIndex = RegionIndex::Config;
/// Registers of the device in BAR 0.
const SCRATCH: u64 = 0x00;
const RAISE: u64 = 0x04;
const RESETS: u64 = 0x08;
/// The MSI-X table in BAR 0.
const TABLE: u64 = 0x2000;
const PBA: u64 = 0x3000;

/// The same device with a stream of ours and with one of its own.
macro_rules! device {
    ($name:ident, $(#[$migrate:meta])* { $($method:tt)* }) => {
        #[derive(Debug, Default, PciDevice)]
        #[pci(vendor = 0x1af4, device = 0x10f7)]
        #[bar(0: mem32, size = 0x4000)]
        #[bar(2: mem64, size = 0x10000)]
        #[irq(msix = 3, bar = 0, table = 0x2000, pba = 0x3000)]
        #[capability(express(flr), pm)]
        $(#[$migrate])*
        struct $name {
            #[reg(0x00)]
            scratch: u32,
            #[reg(0x04, wo, write_with = Self::raise)]
            raise: Virtual<u32>,
            #[reg(0x08, ro)]
            resets: u32,
            #[reg(0x800, bar = config)]
            in_config: u32,
            #[reg(0x804, bar = config, write_with = Self::hooked)]
            hooked: u32,
            #[migrate(skip)]
            taken: Vec<u8>,
        }

        impl $name {
            fn raise(&mut self, cx: &mut Cx<'_, Self>, vector: u32) {
                cx.irq(u16::try_from(vector).unwrap()).raise();
            }

            fn hooked(&mut self, _: &mut Cx<'_, Self>, value: u32) {
                self.hooked = value;
            }
        }

        impl Device for $name {
            type Event = ();

            fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
                self.resets += 1;
                self.taken.clear();
            }

            $($method)*
        }
    };
}

device!(Framed, {});
device!(
    Raw,
    #[migrate(raw)]
    {
        fn save_stream(
            &mut self,
            _: &mut Cx<'_, Self>,
            phase: SavePhase,
            offset: u64,
            data: &mut [u8],
        ) -> Result<usize> {
            let bytes =
                if phase == SavePhase::Stopped { self.scratch.to_le_bytes() } else { [0; 4] };
            let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let rest = if phase == SavePhase::Stopped { rest } else { &[] };
            let len = rest.len().min(data.len());
            data[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        }

        fn load_stream(&mut self, _: &mut Cx<'_, Self>, _: u64, data: &[u8]) -> Result<()> {
            self.taken.extend(data);
            Ok(())
        }

        fn loaded(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
            let taken = std::mem::take(&mut self.taken);
            let bytes = taken.try_into().map_err(|_| Error::device("it takes four bytes"))?;
            self.scratch = u32::from_le_bytes(bytes);
            Ok(())
        }
    }
);

struct Place {
    client: Client,
    irqs: Vec<EventFd>,
    _running: Running,
}

impl Place {
    fn new<D: PciDevice>(factory: impl FnMut() -> D + Send + 'static) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = Server::from_stream(theirs).unwrap();
        let running = Running::start(server, |server| server.serve(factory));
        let client = Client::from_stream(ours, AttachOptions::default()).unwrap();
        let irqs: Vec<_> = (0..3).map(|_| EventFd::new().unwrap()).collect();
        client.set_irqs(IrqIndex::Msix, 0, &irqs.iter().map(Some).collect::<Vec<_>>()).unwrap();
        Place { client, irqs, _running: running }
    }

    fn framed() -> Self {
        Place::new(Framed::default)
    }

    fn raw() -> Self {
        Place::new(Raw::default)
    }

    #[track_caller]
    fn go(&self, state: MigrationState) {
        self.client.set_migration_state(state).unwrap();
        assert_eq!(self.client.migration_state().unwrap(), state);
    }

    #[track_caller]
    fn refuses(&self, state: MigrationState) {
        let refused = self.client.set_migration_state(state);
        assert!(matches!(refused, Err(Error::Refused { .. })), "{state:?}: {refused:?}");
    }

    fn get(&self, region: RegionIndex, offset: u64) -> u32 {
        self.client.region(region).read(offset).unwrap()
    }

    fn set(&self, region: RegionIndex, offset: u64, value: u32) {
        self.client.region(region).write(offset, value).unwrap();
    }

    fn save(&self) -> Vec<u8> {
        let mut stream = Vec::new();
        self.client.save(&mut stream).unwrap();
        stream
    }
}

/// A state in which the device does not run, and how it gets there.
const STOPPED: [&[MigrationState]; 4] = [&[Stop], &[StopCopy], &[PreCopy, StopCopy], &[Resuming]];

#[test]
fn configuration_space_and_the_msix_table_are_written_in_every_state() {
    for place in [Place::framed as fn() -> Place, Place::raw] {
        for path in STOPPED {
            let place = place();
            for state in path {
                place.go(*state);
            }
            // Command, a 32-bit BAR, a 64-bit one in parts, the line, MSI-X control.
            place.client.region(CONFIG).write(4, 0x0406_u16).unwrap();
            place.set(CONFIG, 0x10, 0xfe00_0abc);
            place.set(CONFIG, 0x18, 0xd000_0000);
            place.client.region(CONFIG).write(0x1c, 7_u8).unwrap();
            place.client.region(CONFIG).write(0x3c, 11_u8).unwrap();
            place.set(BAR0, TABLE + 0x10, 0xfee0_1000);
            place
                .client
                .region(BAR0)
                .write_bytes(TABLE + 0x18, &[0x45, 0, 0, 0, 1, 0, 0, 0])
                .unwrap();
            // What the device is does not change: registers, ids, pending bits.
            place.set(BAR0, SCRATCH, 5);
            place.set(CONFIG, 0, 0xffff_ffff);
            place.set(BAR0, PBA, 0xffff_ffff);
            let check = |when: &str| {
                let context = format!("{path:?}, {when}");
                let read = |offset| place.get(CONFIG, offset);
                assert_eq!(read(4) & 0xffff, 0x0406, "{context}");
                assert_eq!(read(0x10), 0xfe00_0000, "{context}");
                assert_eq!((read(0x18), read(0x1c)), (0xd000_0004, 7), "{context}");
                assert_eq!(read(0x3c) & 0xff, 11, "{context}");
                assert_eq!(place.get(BAR0, TABLE + 0x10), 0xfee0_1000, "{context}");
                assert_eq!(place.get(BAR0, TABLE + 0x18), 0x45, "{context}");
                assert_eq!(place.get(BAR0, TABLE + 0x1c), 1, "{context}");
                assert_eq!(place.get(BAR0, SCRATCH), 0, "{context}");
                assert_eq!(read(0), 0x10f7_1af4, "{context}");
                assert_eq!(place.get(BAR0, PBA), 0, "{context}");
            };
            check("stopped");
            place.go(Runs);
            check("running");
        }
    }
}

#[test]
fn a_destination_with_a_stream_of_its_own_keeps_what_its_vmm_restores() {
    let (from, to) = (Place::raw(), Place::raw());
    from.set(BAR0, SCRATCH, 0xcafe);
    from.go(StopCopy);
    let stream = from.save();
    to.go(Resuming);
    to.set(CONFIG, 0x10, 0xc000_0000);
    to.client.write_migration_data(&stream).unwrap();
    to.client.region(CONFIG).write(4, 6_u16).unwrap();
    to.go(Stop);
    to.set(CONFIG, 0x14, 0xffff_ffff);
    to.go(Runs);
    assert_eq!(to.get(BAR0, SCRATCH), 0xcafe);
    assert_eq!((to.get(CONFIG, 4) & 0xffff, to.get(CONFIG, 0x10)), (6, 0xc000_0000));
}

#[test]
fn nothing_runs_because_of_what_a_vmm_restores() {
    let place = Place::framed();
    let pcie = (0x40..0x100).step_by(4).find(|at| place.get(CONFIG, *at) & 0xff == 0x10).unwrap();
    place.go(Stop);
    // A function-level reset, and registers of the device itself.
    place.client.region(CONFIG).write(pcie + 8, 0x8000_u16).unwrap();
    place.set(CONFIG, 0x800, 3);
    place.set(CONFIG, 0x804, 3);
    assert_eq!(place.get(BAR0, RESETS), 0);
    assert_eq!((place.get(CONFIG, 0x800), place.get(CONFIG, 0x804)), (3, 0));
    place.go(Runs);
    assert_eq!(place.get(BAR0, RESETS), 0);
}

#[test]
fn a_vector_that_a_vmm_masks_stays_masked() {
    let place = Place::framed();
    let msix = (0x40..0x100).step_by(4).find(|at| place.get(CONFIG, *at) & 0xff == 0x11).unwrap();
    place.client.region(CONFIG).write(msix + 2, 0x8000_u16).unwrap();
    (0..3).for_each(|vector| place.set(BAR0, TABLE + vector * 16 + 12, 0));
    place.go(Stop);
    place.set(BAR0, TABLE + 12, 1);
    place.go(Runs);
    (0..2).for_each(|vector| place.set(BAR0, RAISE, vector));
    assert!(place.irqs[1].wait(vfio_user_tests::PATIENCE).unwrap().is_some());
    assert_eq!(place.irqs[0].wait(std::time::Duration::ZERO).unwrap(), None);
    assert_eq!(place.get(BAR0, PBA), 1, "it pends");
    place.go(Stop);
    place.set(BAR0, TABLE + 12, 0);
    assert_eq!(place.irqs[0].wait(std::time::Duration::ZERO).unwrap(), None, "it is stopped");
    place.go(Runs);
    assert!(place.irqs[0].wait(vfio_user_tests::PATIENCE).unwrap().is_some());
}

/// What is written in RESUMING, and whether the device may leave it.
fn inputs(good: &[u8], other: &[u8]) -> Vec<(&'static str, Vec<Vec<u8>>, bool)> {
    let half = good.len() / 2;
    let mut damaged = good.to_vec();
    damaged[half] ^= 0x10;
    vec![
        ("nothing", vec![], true),
        ("empty writes", vec![vec![], vec![]], true),
        ("all of it", vec![good.to_vec()], true),
        ("two halves", vec![good[..half].to_vec(), good[half..].to_vec()], true),
        ("the first byte", vec![good[..1].to_vec()], false),
        ("a half", vec![good[..half].to_vec()], false),
        ("all but a byte", vec![good[..good.len() - 1].to_vec()], false),
        ("a byte more", vec![[good, &[0]].concat()], false),
        ("a byte more, later", vec![good.to_vec(), vec![0]], false),
        ("twice", vec![good.to_vec(), good.to_vec()], false),
        ("damaged", vec![damaged], false),
        ("damaged, then good", vec![vec![0; 9], good.to_vec()], false),
        ("of another device", vec![other.to_vec()], false),
    ]
}

#[test]
fn only_a_reset_leads_out_of_a_refused_state() {
    let stream_of = |place: Place| {
        place.set(BAR0, SCRATCH, 0xcafe);
        place.go(StopCopy);
        place.save()
    };
    let (framed, raw) = (stream_of(Place::framed()), stream_of(Place::raw()));
    for (place, good, other) in
        [(Place::framed as fn() -> Place, &framed, &raw), (Place::raw, &raw, &framed)]
    {
        for (name, writes, is_good) in inputs(good, other) {
            // A stream of four bytes has no checksum.
            if good.len() == 4 && name == "damaged" {
                continue;
            }
            for target in [Stop, Runs, StopCopy, PreCopy] {
                arc(&place(), good, &writes, is_good, target, name);
            }
        }
    }
}

fn arc(
    place: &Place,
    good: &[u8],
    writes: &[Vec<u8>],
    is_good: bool,
    target: MigrationState,
    name: &str,
) {
    place.set(BAR0, SCRATCH, 7);
    place.go(Resuming);
    let mut bytes = 0;
    for data in writes {
        let _ = place.client.write_migration_data(data);
        bytes += data.len();
    }
    if is_good {
        place.go(target);
        place.go(Runs);
        let expected = if bytes == 0 { 7 } else { 0xcafe };
        assert_eq!(place.get(BAR0, SCRATCH), expected, "{name} to {target:?}");
        return;
    }
    place.refuses(target);
    for state in [Stop, Runs, StopCopy, Resuming, PreCopy, MigrationState::Error] {
        assert_eq!(place.client.migration_state().unwrap(), MigrationState::Error, "{name}");
        place.refuses(state);
    }
    assert!(place.client.write_migration_data(good).is_err(), "{name}");
    assert!(place.client.read_migration_data(&mut [0; 8]).is_err(), "{name}");
    // It answers, and nothing changes.
    place.set(BAR0, SCRATCH, 9);
    assert_ne!(place.get(BAR0, SCRATCH), 9, "{name}");
    place.client.reset().unwrap();
    assert_eq!(place.client.migration_state().unwrap(), Runs, "{name}");
    assert_eq!((place.get(BAR0, SCRATCH), place.get(BAR0, RESETS)), (0, 1), "{name}");
    place.go(Resuming);
    place.client.write_migration_data(good).unwrap();
    place.go(Runs);
    assert_eq!(place.get(BAR0, SCRATCH), 0xcafe, "{name}");
}

/// A device whose client leaves after a refusal is reset for the next one.
#[test]
fn the_next_client_gets_a_device_that_was_reset() {
    let running = Running::at_path(Framed::default);
    let client = Client::attach(running.path()).unwrap();
    client.region(BAR0).write(SCRATCH, 7_u32).unwrap();
    client.set_migration_state(Resuming).unwrap();
    assert!(client.write_migration_data(b"this is no stream").is_err());
    assert!(client.set_migration_state(Runs).is_err());
    drop(client);
    let client = Client::attach(running.path()).unwrap();
    assert_eq!(client.migration_state().unwrap(), Runs);
    assert_eq!(client.region(BAR0).read::<u32>(SCRATCH).unwrap(), 0);
    assert_eq!(client.region(BAR0).read::<u32>(RESETS).unwrap(), 1);
}

#[test]
fn features_answer_as_the_kernel_does() {
    let (_running, mut client) = serve::over_pair(Framed::default);
    client.negotiate();
    let mut get = |argsz: u32, flags: u32, data: &[u32]| {
        let payload = wire::words(&[&[argsz, flags], data].concat());
        client.request(command::DEVICE_FEATURE, &payload, &[])
    };
    // Methods that a feature lacks.
    for flags in
        [0x2_0001, 0x2_0009, 0x6_0001, 0x7_0001, 0x6_0009, 0x7_0009, 0x1_0006, 0x1_0007, 0x2_0008]
    {
        get(64, flags, &[0; 4]).fails_with(errno::EINVAL);
    }
    // Features that there are not, whatever the method.
    for number in [0, 3, 4, 5, 10, 11, 0xffff] {
        for operation in [feature::GET, feature::SET, feature::PROBE | feature::GET] {
            get(64, operation | number, &[0; 4]).fails_with(errno::ENOTTY);
        }
    }
    // A probe of a feature alone, and of all that it has.
    for flags in [0x4_0001, 0x5_0001, 0x4_0002, 0x5_0002, 0x6_0002, 0x7_0002, 0x5_0009] {
        assert_eq!(get(8, flags, &[]).ok(), wire::words(&[8, flags]));
    }
    // No descriptor comes with a state.
    assert_eq!(get(16, 0x1_0002, &[]).ok(), wire::words(&[16, 0x1_0002, 2, u32::MAX]));
    let set = get(16, 0x2_0002, &[1, u32::MAX]).ok();
    assert_eq!(set, wire::words(&[16, 0x2_0002, 1, u32::MAX]));
    // An error is no state to go to.
    for number in [0, 5, 7, 8] {
        get(16, 0x2_0002, &[number, u32::MAX]).fails_with(errno::EINVAL);
    }
    assert_eq!(get(16, 0x1_0001, &[]).ok(), wire::words(&[16, 0x1_0001, 5, 0]));
}

#[test]
fn the_version_reply_names_the_page_size_of_devices_that_migrate() {
    let reply = |pair: (Running, vfio_user_tests::raw::RawClient)| {
        let (_running, mut client) = pair;
        let version = wire::version(0, r#"{"capabilities":{}}"#);
        String::from_utf8(client.request(command::VERSION, &version, &[]).ok()[4..].to_vec())
            .unwrap()
    };
    for text in [reply(serve::over_pair(Framed::default)), reply(serve::over_pair(Raw::default))] {
        assert!(text.contains(r#""migration":{"pgsize":4096}"#), "{text}");
    }
    let pinned = reply(serve::over_pair(vfio_user_tests::migrating_device::Pinned::default));
    assert!(!pinned.contains("pgsize\":"), "{pinned}");
}
