//! Accesses to registers: those without hooks against a model of bits, those of a device that uses
//! every attribute against the same device after a migration.

use arbitrary::Arbitrary;
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, ResetKind};
use vfio_user_tests::language::Language;
use vfio_user_tests::register_model::{Model, PLAIN};
use vfio_user_tests::zoo::{Kit, Zoo};

#[derive(Arbitrary, Debug)]
enum Input {
    Plain(Vec<Step>),
    Migrated(Vec<Step>),
}

#[derive(Arbitrary, Debug)]
enum Step {
    Read {
        region: u8,
        offset: u16,
        len: u8,
    },
    Write {
        region: u8,
        offset: u16,
        data: Bytes,
    },
    Reset(bool),
    Event(u32),
    /// Saves the device and loads another one.
    Migrate,
}

/// The bytes of an access.
#[derive(Arbitrary, Debug)]
enum Bytes {
    One(u8),
    Two([u8; 2]),
    Four([u8; 4]),
    Eight([u8; 8]),
    Many([u8; 24]),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::One(byte) => std::slice::from_ref(byte),
            Bytes::Two(bytes) => bytes,
            Bytes::Four(bytes) => bytes,
            Bytes::Eight(bytes) => bytes,
            Bytes::Many(bytes) => bytes,
        }
    }
}

/// Runs a script.
pub fn run(input: &[u8]) {
    match super::parse(input) {
        None => {}
        Some(Input::Plain(steps)) => Plain::new().play(&steps),
        Some(Input::Migrated(steps)) => Twins::new().play(&steps),
    }
}

/// The device with the plain registers.
struct Plain {
    bench: Bench<Zoo>,
    model: Model,
}

impl Plain {
    fn new() -> Self {
        Plain { bench: zoo(), model: Model::new() }
    }

    fn play(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            let mut all = vec![0; usize::try_from(PLAIN).expect("small")];
            self.bench.try_read(RegionIndex::Bar0, 0, &mut all).expect("registers");
            assert_eq!(all, self.model.read(0, all.len()), "after {step:x?}");
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Read { offset, len, .. } => {
                let (offset, len) = within(*offset, usize::from(*len));
                let mut data = vec![0; len];
                self.bench.try_read(RegionIndex::Bar0, offset, &mut data).expect("registers");
                assert_eq!(data, self.model.read(offset, len), "{offset:#x}");
            }
            Step::Write { offset, data, .. } => {
                let (offset, len) = within(*offset, data.as_slice().len());
                let data = &data.as_slice()[..len];
                self.bench.try_write(RegionIndex::Bar0, offset, data).expect("registers");
                self.model.write(offset, data);
            }
            Step::Reset(_) => {
                self.bench.reset();
                self.model = Model::new();
            }
            Step::Event(_) => self.bench.handle_events(),
            Step::Migrate => {
                let state = self.bench.save();
                self.bench = zoo();
                self.bench.load(&state).expect("a state of the same device");
            }
        }
    }
}

fn zoo() -> Bench<Zoo> {
    Bench::new(Zoo::factory(&Kit::default())()).expect("a device")
}

/// An access inside the plain registers.
fn within(offset: u16, len: usize) -> (u64, usize) {
    let offset = u64::from(offset) % PLAIN;
    (offset, len.min(usize::try_from(PLAIN - offset).expect("small")))
}

/// A device, and another one that has been loaded with its state: they behave alike.
struct Twins {
    stayed: Bench<Language>,
    moved: Bench<Language>,
}

impl Twins {
    fn new() -> Self {
        Twins { stayed: language(), moved: language() }
    }

    fn play(&mut self, steps: &[Step]) {
        for step in steps {
            let (stayed, moved) = (act(&mut self.stayed, step), act(&mut self.moved, step));
            assert_eq!(stayed, moved, "{step:x?}");
            if matches!(step, Step::Migrate) {
                let state = self.moved.save();
                self.moved = language();
                self.moved.load(&state).expect("a state of the same device");
                assert_eq!(self.moved.save(), state, "what was loaded is what is saved");
            }
        }
        assert_eq!(self.stayed.save(), self.moved.save());
    }
}

fn language() -> Bench<Language> {
    Bench::new(Language::constructed()).expect("a device")
}

/// Does a step, and returns what a guest sees of it.
fn act(bench: &mut Bench<Language>, step: &Step) -> (bool, Vec<u8>) {
    match step {
        Step::Read { region, offset, len } => {
            let mut data = vec![0; usize::from(*len)];
            let (region, offset) = place(*region, *offset);
            let read = bench.try_read(region, offset, &mut data);
            (read.is_ok(), data)
        }
        Step::Write { region, offset, data } => {
            let (region, offset) = place(*region, *offset);
            let written = bench.try_write(region, offset, data.as_slice());
            (written.is_ok(), Vec::new())
        }
        Step::Reset(is_function) => {
            let kind = if *is_function { ResetKind::FunctionLevel } else { ResetKind::Device };
            bench.reset_by(kind);
            (true, Vec::new())
        }
        Step::Event(bits) => {
            bench.post(*bits);
            bench.handle_events();
            (true, Vec::new())
        }
        Step::Migrate => {
            bench.handle_events();
            (true, Vec::new())
        }
    }
}

/// A place in a region. The last offsets are where the registers of the largest BAR are.
fn place(region: u8, offset: u16) -> (RegionIndex, u64) {
    let region = RegionIndex::from(u32::from(region % 10));
    let offset = u64::from(offset);
    let offset = match offset >> 12 {
        0xd => offset & 0xfff | 0x8000_0000,
        0xe => offset & 0xfff | 0xffff_f000,
        _ => offset,
    };
    (region, offset)
}
