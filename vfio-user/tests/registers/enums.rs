//! Enums as the types of registers, in a device that is driven without a socket.

use proptest::prelude::*;
use vfio_user::function::{Function, PciFunction, PeekError};
use vfio_user::protocol::RegionIndex;
use vfio_user::{Bench, Cx, Device, PciDevice, Register, RegisterBlock, Virtual};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u16, reserved = reject)]
enum Mode {
    #[default]
    Off,
    Slow,
    Fast = 0x0105,
}

#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u8, reserved = reject)]
enum Command {
    Start = 1,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u8)]
#[repr(u8)]
enum Speed {
    Full,
    Half = 2,
    Other(u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, RegisterBlock)]
struct Channel {
    #[reg(0x00)]
    modes: [Mode; 2],
}

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Engine {
    #[reg(0x00, on_write = Self::chosen)]
    mode: Mode,
    #[reg(0x02, wo, write_with = Self::commanded)]
    command: Virtual<Command>,
    #[reg(0x03)]
    speed: Speed,
    #[reg(0x04, ro, read_with = Self::running)]
    running: Virtual<Speed>,
    #[reg(0x06, reset = Mode::Fast as u16, lock = mode)]
    fallback: Mode,
    #[block(0x10)]
    channels: [Channel; 2],
    #[migrate(skip)]
    choices: Vec<(Mode, Mode)>,
    #[migrate(skip)]
    commands: Vec<Command>,
}

impl Device for Engine {
    type Event = ();
}

impl Engine {
    fn new() -> Self {
        Engine {
            mode: Mode::Off,
            command: Virtual::new(),
            speed: Speed::Half,
            running: Virtual::new(),
            fallback: Mode::Off,
            channels: Default::default(),
            choices: Vec::new(),
            commands: Vec::new(),
        }
    }

    fn chosen(&mut self, _: &mut Cx<'_, Self>, old: Mode, new: Mode) {
        self.choices.push((old, new));
    }

    fn commanded(&mut self, _: &mut Cx<'_, Self>, command: Command) {
        self.commands.push(command);
    }

    fn running(&mut self, _: &mut Cx<'_, Self>) -> Speed {
        if self.mode == Mode::Off { Speed::Other(0xff) } else { self.speed }
    }
}

vfio_user::device_tests!(Engine, Engine::new);

const BAR: RegionIndex = RegionIndex::Bar0;

fn engine() -> PciFunction<Engine> {
    PciFunction::new(Engine::new()).expect("a valid device")
}

fn read<const N: usize>(engine: &mut PciFunction<Engine>, offset: u64) -> [u8; N] {
    let mut data = [0; N];
    engine.read(BAR, offset, &mut data).expect("reads succeed");
    data
}

#[test]
fn hooks_get_variants() {
    let mut engine = engine();
    engine.write(BAR, 0x00, &[5, 1]).unwrap();
    assert_eq!(engine.device().choices, [(Mode::Off, Mode::Fast)]);
    engine.write(BAR, 0x02, &[2]).unwrap();
    assert_eq!(engine.device().commands, [Command::Stop]);
    assert_eq!(read(&mut engine, 0x04), [2]);
}

#[test]
fn a_hook_can_say_any_value() {
    assert_eq!(read(&mut engine(), 0x04), [0xff]);
}

#[test]
fn a_value_without_variant_leaves_the_register() {
    let mut engine = engine();
    engine.write(BAR, 0x00, &[1, 0]).unwrap();
    engine.write(BAR, 0x00, &[3, 0]).unwrap();
    // One byte of it would be another value, which does not exist.
    engine.write(BAR, 0x01, &[1]).unwrap();
    assert_eq!(engine.device().mode, Mode::Slow);
    assert_eq!(read(&mut engine, 0x00), [1, 0]);
}

#[test]
fn a_command_without_variant_is_none() {
    let mut engine = engine();
    engine.write(BAR, 0x02, &[0]).unwrap();
    engine.write(BAR, 0x02, &[3]).unwrap();
    assert_eq!(engine.device().commands, []);
}

#[test]
fn all_other_values_are_kept_by_the_variant_for_them() {
    let mut engine = engine();
    engine.write(BAR, 0x03, &[7]).unwrap();
    assert_eq!(engine.device().speed, Speed::Other(7));
    engine.write(BAR, 0x03, &[0]).unwrap();
    assert_eq!(engine.device().speed, Speed::Full);
}

#[test]
fn it_resets_to_a_variant() {
    let mut engine = engine();
    assert_eq!((engine.device().fallback, engine.device().speed), (Mode::Fast, Speed::Half));
    engine.write(BAR, 0x03, &[1]).unwrap();
    engine.write(BAR, 0x06, &[1, 0]).unwrap();
    engine.reset();
    assert_eq!((engine.device().fallback, engine.device().speed), (Mode::Fast, Speed::Half));
}

#[test]
fn it_locks_while_it_is_not_zero() {
    let mut engine = engine();
    engine.write(BAR, 0x00, &[1, 0]).unwrap();
    engine.write(BAR, 0x06, &[0, 0]).unwrap();
    assert_eq!(engine.device().fallback, Mode::Fast);
}

#[test]
fn arrays_in_blocks_are_of_enums_too() {
    let mut engine = engine();
    engine.write(BAR, 0x16, &[5, 1, 9, 9]).unwrap();
    assert_eq!(engine.device().channels[1].modes, [Mode::Off, Mode::Fast]);
    assert_eq!(engine.peek("channels[1].modes[1]").unwrap().bits(), 0x0105);
}

#[test]
fn a_poke_without_variant_is_refused() {
    let mut engine = engine();
    let refused = engine.poke("mode", 2);
    assert_eq!(refused, Err(PeekError::NoVariant { name: "mode".to_owned(), value: 2 }));
    engine.poke("mode.value", 0x0105).unwrap();
    assert_eq!(engine.device().mode, Mode::Fast);
}

/// Two versions of a device, the older of which holds any value.
mod twins {
    use super::{Device, Mode, PciDevice};

    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 2, name = "twin")]
    #[bar(0: mem32, size = 0x1000)]
    pub(super) struct Older {
        #[reg(0x00)]
        pub(super) mode: u16,
    }

    #[derive(Default, PciDevice)]
    #[pci(vendor = 0x1234, device = 2, name = "twin")]
    #[bar(0: mem32, size = 0x1000)]
    pub(super) struct Newer {
        #[reg(0x00)]
        pub(super) mode: Mode,
    }

    impl Device for Older {
        type Event = ();
    }

    impl Device for Newer {
        type Event = ();
    }
}

#[test]
fn a_value_without_variant_does_not_load() {
    let load = |mode| {
        let mut source = Bench::new(twins::Older { mode }).unwrap();
        let mut target = Bench::new(twins::Newer { mode: Mode::Slow }).unwrap();
        let loaded = target.load(&source.save()).is_ok();
        (loaded, target.device().mode)
    };
    assert_eq!(load(0x0105), (true, Mode::Fast));
    assert_eq!(load(2), (false, Mode::Slow));
}

proptest! {
    #[test]
    fn any_script_of_writes_does_what_the_enums_say(
        script in prop::collection::vec((0usize..2, prop::collection::vec(0u8..7, 1..=2)), 1..20)
    ) {
        let mut engine = engine();
        let mut model = [0; 2];
        for (first, mut data) in script {
            data.truncate(2 - first);
            engine.write(BAR, first as u64, &data).unwrap();
            let mut written = model;
            written[first..first + data.len()].copy_from_slice(&data);
            if matches!(written, [0 | 1, 0] | [5, 1]) {
                model = written;
            }
            prop_assert_eq!(read(&mut engine, 0), model);
        }
    }
}
