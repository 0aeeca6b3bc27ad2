//! `#[derive(Register)]` on its own: plain data that converts to and from integers.

use proptest::prelude::*;
use vfio_user::Register;
use vfio_user::declaration::{FieldValue, Policy, RegisterValue, UnknownValue};

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
enum Mode {
    #[default]
    Off,
    Slow,
    Fast = 5,
}

#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[repr(u8)]
enum Opcode {
    Nop = 0,
    Copy = 4,
    Other(u8),
}

const VERSION: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u32)]
struct Control {
    /// The engine runs.
    #[field(bit = 0, reset = true)]
    enable: bool,
    #[field(bits = 4..=11)]
    opcode: Opcode,
    #[field(bits = 16..=20, w1c)]
    causes: u8,
    #[field(bits = 24..=31, ro, reset = VERSION)]
    version: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u16)]
struct Selection {
    #[field(bits = 0..=2, reserved = reject)]
    mode: Mode,
    #[field(bits = 3..=15)]
    length: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u64)]
struct Whole {
    #[field(bits = 0..=63)]
    address: u64,
}

/// A whole register, and a field of others.
#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u16, reserved = reject)]
enum State {
    Idle = 3,
    Busy,
    Done = 0x8000,
}

const COPY: u8 = 4;

/// All that a register can hold has a variant.
#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u8)]
#[repr(u8)]
enum Command {
    Nop,
    Copy = COPY,
    Other(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u32)]
struct Pair {
    #[field(bits = 0..=15, reset = 4, reserved = reject)]
    state: State,
    #[field(bits = 16..=23)]
    command: Command,
}

#[test]
fn an_enum_is_a_register() {
    assert_eq!((State::WIDTH, Command::WIDTH), (2, 1));
    let [state] = State::FIELDS else { panic!("one field") };
    assert_eq!((state.name, state.mask(), state.is_rejecting), ("value", 0xffff, true));
    assert_eq!(state.doc, "A whole register, and a field of others.");
    assert_eq!(state.values.names(), [(3, "Idle"), (4, "Busy"), (0x8000, "Done")]);
    assert_eq!(u16::from(State::Done), 0x8000);
    assert_eq!(State::try_from(4), Ok(State::Busy));
    assert_eq!(State::try_from(5), Err(UnknownValue { field: "value", value: 5 }));
    assert_eq!(Command::from(COPY), Command::Copy);
    assert_eq!(Command::from(0xff), Command::Other(0xff));
    assert_eq!(u8::from(Command::Other(7)), 7);
    // It is what a field of others can be as well.
    let pair = Pair { state: State::Done, command: Command::Copy };
    assert_eq!(u32::from(pair), 0x0004_8000);
    assert_eq!(Pair::try_from(0x0004_8000), Ok(pair));
}

#[test]
fn what_no_variant_is_for_is_another_one() {
    // The bus cannot refuse: the variant for 0, or the first one.
    assert_eq!(<State as RegisterValue>::from_bits(0), State::Idle);
    assert_eq!(<State as RegisterValue>::from_bits(5), State::Idle);
    assert_eq!(<Command as RegisterValue>::from_bits(0x100), Command::Nop);
}

#[test]
fn fields_have_their_places() {
    let control = Control { enable: true, opcode: Opcode::Copy, causes: 0x11, version: 0xab };
    assert_eq!(u32::from(control), 0xab11_0041);
    assert_eq!(Control::from(0xab11_0041), control);
    assert_eq!(Control::from(0x0000_0ff0).opcode, Opcode::Other(0xff));
}

#[test]
fn debug_prints_names() {
    let selection = Selection { mode: Mode::Fast, length: 7 };
    assert_eq!(format!("{selection:?}"), "Selection { mode: Fast, length: 7 }");
}

#[test]
fn what_does_not_fit_loses_its_upper_bits() {
    let control = Control { enable: false, opcode: Opcode::Nop, causes: 0xff, version: 0 };
    assert_eq!(u32::from(control), 0x001f_0000);
}

#[test]
fn an_integer_without_variant_is_refused() {
    assert_eq!(Selection::try_from(0x0005).map(|it| it.mode), Ok(Mode::Fast));
    assert_eq!(Selection::try_from(0x0004), Err(UnknownValue { field: "mode", value: 4 }));
    assert_eq!(
        UnknownValue { field: "mode", value: 4 }.to_string(),
        "field `mode` has no variant for 4"
    );
    // The bus cannot refuse: the field is what it resets to.
    assert_eq!(<Selection as RegisterValue>::from_bits(0x000c).mode, Mode::Off);
}

#[test]
fn the_declaration_is_data() {
    let [enable, opcode, causes, version] = Control::FIELDS else { panic!("four fields") };
    assert_eq!((enable.name, enable.doc, enable.mask()), ("enable", "The engine runs.", 1));
    assert_eq!((enable.policy, enable.reset), (None, Some(1)));
    assert_eq!((opcode.reset, opcode.values.name(4)), (None, Some("Copy")));
    assert_eq!((causes.policy, causes.mask()), (Some(Policy::W1c), 0x1f_0000));
    assert_eq!((version.policy, version.reset), (Some(Policy::Ro), Some(3)));
    assert!(Selection::FIELDS[0].is_rejecting);
    assert!(u32::FIELDS.is_empty());
}

#[test]
fn values_know_their_names() {
    assert_eq!(Mode::VALUES.names(), [(0, "Off"), (1, "Slow"), (5, "Fast")]);
    assert_eq!(Mode::from_bits(2), None);
    assert_eq!(Opcode::from_bits(2), Some(Opcode::Other(2)));
    assert_eq!(Opcode::from_bits(0x100), None);
}

proptest! {
    #[test]
    fn bits_survive_the_round_trip(bits: u32, wide: u64) {
        let implemented = 0xff1f_0ff1;
        prop_assert_eq!(u32::from(Control::from(bits)), bits & implemented);
        prop_assert_eq!(u64::from(Whole::from(wide)), wide);
    }

    #[test]
    fn values_survive_the_round_trip(length in 0u16..0x2000, mode in 0usize..3) {
        let mode = [Mode::Off, Mode::Slow, Mode::Fast][mode];
        let selection = Selection { mode, length };
        prop_assert_eq!(Selection::try_from(u16::from(selection)), Ok(selection));
    }

    #[test]
    fn commands_survive_the_round_trip(bits: u8) {
        prop_assert_eq!(u8::from(Command::from(bits)), bits);
        prop_assert_eq!(RegisterValue::to_bits(Command::from(bits)), u64::from(bits));
    }

    #[test]
    fn every_field_is_its_own_bits(bits: u32) {
        let control = Control::from(bits);
        let causes = Control { causes: 0, ..control };
        prop_assert_eq!(u32::from(causes), bits & 0xff00_0ff1);
    }
}

#[test]
fn fields_and_variants_have_constants() {
    assert_eq!((Control::ENABLE, Control::OPCODE), (1, 0xff0));
    assert_eq!((Control::CAUSES, Control::VERSION), (0x001f_0000, 0xff00_0000));
    assert_eq!(Whole::ADDRESS, u64::MAX);
    assert_eq!((Selection::MODE, Selection::LENGTH), (0b111, !0b111_u16));
    // Of a register they have its type.
    let state: u16 = State::DONE;
    assert_eq!((state, Command::COPY), (0x8000, COPY));
    assert_eq!((Mode::OFF, Mode::SLOW, Mode::FAST), (0, 1, 5_u64));
    let control = Control { enable: true, opcode: Opcode::Copy, causes: 2, version: 1 };
    assert_eq!(u32::from(control) & Control::ENABLE, Control::ENABLE);
    assert_eq!(u32::from(control) & Control::CAUSES, 2 << 16);
}
