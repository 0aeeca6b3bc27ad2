//! Registers with named fields in a device, driven without a socket.

use proptest::prelude::*;
use vfio_user::function::{Function, PciFunction};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Cx, Device, PciDevice, Register, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
enum Mode {
    #[default]
    Off,
    Slow,
    Fast = 3,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bits = 4..=5, reset = 1, reserved = reject)]
    mode: Mode,
    #[field(bits = 8..=11, w1c)]
    causes: u8,
    #[field(bits = 16..=23, ro, reset = 0x5a)]
    version: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u16)]
struct Command {
    #[field(bits = 0..=7)]
    queue: u8,
    #[field(bit = 15)]
    start: bool,
}

/// Nothing but read-write, and yet not every value is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u8)]
struct Choice {
    #[field(bits = 0..=1, reserved = reject)]
    mode: Mode,
    #[field(bits = 2..=7)]
    rest: u8,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Engine {
    #[reg(0x00, on_write = Self::controlled)]
    control: Control,
    #[reg(0x04, wo, write_with = Self::command)]
    command: [Virtual<Command>; 2],
    #[reg(0x08, reset = 0x8001)]
    last: Command,
    #[reg(0x0c)]
    choice: Choice,
    #[reg(0x10, ro)]
    identity: Virtual<Control>,
    #[migrate(skip)]
    seen: Option<(Control, Control)>,
    #[migrate(skip)]
    commands: Vec<(usize, Command)>,
}

impl Device for Engine {
    type Event = ();
}

impl Engine {
    fn controlled(&mut self, _: &mut Cx<'_, Self>, old: Control, new: Control) {
        self.seen = Some((old, new));
    }

    fn command(&mut self, _: &mut Cx<'_, Self>, index: usize, command: Command) {
        self.commands.push((index, command));
    }
}

const BAR: RegionIndex = RegionIndex::Bar0;

fn engine() -> PciFunction<Engine> {
    PciFunction::new(Engine::default()).expect("a valid device")
}

fn read(engine: &mut PciFunction<Engine>, offset: u64) -> u32 {
    let mut data = [0; 4];
    engine.read(BAR, offset, &mut data).expect("reads succeed");
    u32::from_le_bytes(data)
}

fn write(engine: &mut PciFunction<Engine>, offset: u64, value: u32) {
    engine.write(BAR, offset, &value.to_le_bytes()).expect("writes succeed");
}

#[test]
fn fields_reset_to_their_values() {
    let mut engine = engine();
    assert_eq!(read(&mut engine, 0x00), 0x005a_0010);
    assert_eq!(engine.device().control.version, 0x5a);
    assert_eq!(engine.device().last, Command { queue: 1, start: true });
    write(&mut engine, 0x00, 0x31);
    engine.reset();
    assert_eq!(read(&mut engine, 0x00), 0x005a_0010);
}

#[test]
fn a_register_without_storage_reads_as_its_fields_reset() {
    assert_eq!(read(&mut engine(), 0x10), 0x005a_0010);
}

#[test]
fn hooks_get_fields() {
    let mut engine = engine();
    write(&mut engine, 0x00, 0xffff_ff31);
    let (old, new) = engine.device().seen.expect("the hook ran");
    assert_eq!(old, Control { enable: false, mode: Mode::Slow, causes: 0, version: 0x5a });
    assert_eq!(new, Control { enable: true, mode: Mode::Fast, causes: 0, version: 0x5a });
    engine.write(BAR, 0x06, &[7, 0x80]).unwrap();
    assert_eq!(engine.device().commands, [(1, Command { queue: 7, start: true })]);
}

#[test]
fn a_value_without_variant_leaves_its_field() {
    let mut engine = engine();
    write(&mut engine, 0x00, 0x21);
    let control = engine.device().control;
    assert_eq!((control.enable, control.mode), (true, Mode::Slow));
    engine.write(BAR, 0x00, &[0x00]).unwrap();
    assert_eq!(engine.device().control.mode, Mode::Off);
}

#[test]
fn a_field_rejects_a_value_in_a_plain_register_too() {
    let mut engine = engine();
    engine.write(BAR, 0x0c, &[0x07]).unwrap();
    assert_eq!(engine.device().choice, Choice { mode: Mode::Fast, rest: 1 });
    engine.write(BAR, 0x0c, &[0x0a]).unwrap();
    assert_eq!(engine.device().choice, Choice { mode: Mode::Fast, rest: 2 });
}

#[test]
fn a_poke_without_variant_is_refused() {
    let mut engine = engine();
    assert!(engine.poke("control.mode", 2).is_err());
    engine.poke("control.mode", 3).unwrap();
    assert_eq!(engine.device().control.mode, Mode::Fast);
}

/// What a byte-wise write of `Control` does, from the declaration in words.
fn expected(stored: u32, first: usize, data: &[u8]) -> u32 {
    let mut bytes = stored.to_le_bytes();
    for (at, value) in (first..).zip(data) {
        match at {
            0 => {
                let mode = if value >> 4 & 3 == 2 { bytes[0] & 0x30 } else { value & 0x30 };
                bytes[0] = value & 1 | mode;
            }
            1 => bytes[1] &= !value,
            _ => {}
        }
    }
    u32::from_le_bytes(bytes)
}

proptest! {
    #[test]
    fn any_script_of_writes_does_what_the_fields_say(
        script in prop::collection::vec((0usize..4, prop::collection::vec(any::<u8>(), 1..=4)), 1..20)
    ) {
        let mut engine = engine();
        let mut model = 0x005a_0010;
        for (first, mut data) in script {
            data.truncate(4 - first);
            engine.write(BAR, first as u64, &data).unwrap();
            model = expected(model, first, &data);
            prop_assert_eq!(read(&mut engine, 0), model);
        }
    }
}
