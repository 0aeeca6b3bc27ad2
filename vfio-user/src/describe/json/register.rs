//! Registers and their fields.

use serde::Serialize;

use super::Hex;
use crate::describe::{Family, phrases};
use crate::model::{self, Hooks, RegisterFlags, ResetKind};

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub(super) struct Register {
    name: &'static str,
    doc: &'static str,
    offset: Hex,
    bytes: u8,
    count: u32,
    stride: Hex,
    policy: &'static str,
    reset: Option<Hex>,
    implemented: Hex,
    writable: Hex,
    stored: bool,
    computed: bool,
    acts_on_reads: bool,
    acts_on_writes: bool,
    big_endian: bool,
    port: bool,
    wide: bool,
    volatile: bool,
    watched: bool,
    singlepulse: bool,
    sticky: bool,
    keep_on_flr: bool,
    keep_on_soft: Vec<u8>,
    overlay: Option<&'static str>,
    when: Option<Condition>,
    access_sizes: Option<Vec<u8>>,
    selected_by: Option<Bits>,
    window: Option<Window>,
    locked_by: Option<Lock>,
    locked_by_device: bool,
    sets: Option<&'static str>,
    clears: Option<&'static str>,
    doorbell: Option<Doorbell>,
    fields: Vec<Field>,
}

/// A condition on bits of a register.
#[derive(Serialize)]
struct Condition {
    #[serde(flatten)]
    bits: Bits,
    values: Vec<Range>,
}

#[derive(Serialize)]
struct Range {
    first: Hex,
    last: Hex,
}

/// Bits of a register.
#[derive(Serialize)]
pub(super) struct Bits {
    register: &'static str,
    mask: Hex,
}

/// What a register shows.
#[derive(Serialize)]
struct Window {
    at: Bits,
    bar: Option<u8>,
    bar_in: Option<Bits>,
    length: Option<Bits>,
    step: Hex,
}

#[derive(Serialize)]
struct Lock {
    register: &'static str,
    mask: Hex,
    inverted: bool,
}

#[derive(Serialize)]
struct Doorbell {
    value: Option<Hex>,
}

#[derive(Serialize)]
struct Field {
    name: &'static str,
    doc: &'static str,
    first: u8,
    last: u8,
    policy: &'static str,
    reset: Option<Hex>,
    volatile: bool,
    singlepulse: bool,
    reject_reserved: bool,
    values: Vec<Value>,
}

#[derive(Serialize)]
struct Value {
    value: Hex,
    name: &'static str,
}

impl Register {
    pub(super) fn of(register: &model::Register, family: Family) -> Self {
        let extent = register.extent();
        let fields = register.fields().iter();
        let kept_over = family.kept_over(register);
        Register {
            name: register.name(),
            doc: register.doc(),
            offset: Hex(extent.offset),
            bytes: register.width(),
            count: register.count(),
            stride: Hex(extent.stride),
            policy: register.policy().name(),
            reset: register.reset().map(Hex),
            implemented: Hex(register.implemented()),
            writable: Hex(register.access().writable()),
            stored: register.is_stored(),
            computed: register.has(Hooks::READ_WITH),
            acts_on_reads: register.has(Hooks::ON_READ),
            acts_on_writes: phrases::acts_on_writes(register),
            big_endian: register.is(RegisterFlags::BIG_ENDIAN),
            port: register.is(RegisterFlags::PORT),
            wide: register.is(RegisterFlags::WIDE),
            volatile: register.is(RegisterFlags::VOLATILE),
            watched: register.is(RegisterFlags::WATCH),
            singlepulse: register.is(RegisterFlags::PULSE),
            sticky: register.is(RegisterFlags::STICKY),
            keep_on_flr: kept_over.contains(ResetKind::FunctionLevel),
            keep_on_soft: kept_over.soft_domains().collect(),
            overlay: register.is_overlaid().then(|| direction(register)),
            when: register.condition().and_then(|one| Condition::of(&one, family)),
            access_sizes: register.depends_on_size().then(|| sizes(register)),
            selected_by: register
                .selector()
                .and_then(|bits| Bits::of(bits.register, bits.mask, family.registers)),
            window: register.window().and_then(|window| Window::of(window, family)),
            locked_by: register.lock().and_then(|lock| Lock::of(lock, family)),
            locked_by_device: register.has(Hooks::LOCK_WITH),
            sets: register.sets().and_then(|index| family.name(index)),
            clears: register.clears().and_then(|index| family.name(index)),
            doorbell: register.doorbell().map(Doorbell::of),
            fields: fields.map(|field| Field::of(field, register)).collect(),
        }
    }
}

impl Lock {
    fn of(lock: model::WriteLock, family: Family) -> Option<Self> {
        let register = family.registers.get(lock.register)?;
        let mask = Hex(lock.mask & register.implemented());
        Some(Lock { register: register.name(), mask, inverted: lock.inverted })
    }
}

impl Bits {
    /// Describes bits of one of these registers.
    pub(super) fn of(register: usize, mask: u64, registers: &[model::Register]) -> Option<Self> {
        let register = registers.get(register)?;
        Some(Bits { register: register.name(), mask: Hex(mask & register.implemented()) })
    }
}

impl Window {
    fn of(window: &model::Window, family: Family) -> Option<Self> {
        let bits = |bits: model::RegisterBits| Bits::of(bits.register, bits.mask, family.registers);
        let (bar, bar_in) = match window.bar() {
            model::WindowBar::Own => (None, None),
            model::WindowBar::Number(bar) => (Some(bar), None),
            model::WindowBar::Selected(selected) => (None, bits(selected)),
        };
        let length = window.len().and_then(bits);
        let (at, step) = (bits(window.at())?, Hex(window.step()));
        Some(Window { at, bar, bar_in, length, step })
    }
}

impl Condition {
    fn of(condition: &model::Condition, family: Family) -> Option<Self> {
        let model::Condition { bits, values } = condition;
        let values =
            values.iter().map(|&(first, last)| Range { first: Hex(first), last: Hex(last) });
        let bits = Bits::of(bits.register, bits.mask, family.registers)?;
        Some(Condition { bits, values: values.collect() })
    }
}

fn direction(register: &model::Register) -> &'static str {
    if register.answers(true) { "writes" } else { "reads" }
}

fn sizes(register: &model::Register) -> Vec<u8> {
    let sizes = [1, 2, 4, 8].into_iter();
    sizes.filter(|size| register.answers_size((*size).into())).collect()
}

impl Doorbell {
    fn of(value: model::DataMatch) -> Self {
        match value {
            model::DataMatch::Any => Doorbell { value: None },
            model::DataMatch::Value(value) => Doorbell { value: Some(Hex(value)) },
        }
    }
}

impl Field {
    fn of(field: &model::Field, register: &model::Register) -> Self {
        let values = field.values.names().iter();
        Field {
            name: field.name,
            doc: field.doc,
            first: field.shift,
            last: phrases::last_bit(field),
            policy: field.policy.unwrap_or(register.policy()).name(),
            reset: field.reset.map(Hex),
            volatile: field.is_volatile,
            singlepulse: field.is_pulse,
            reject_reserved: field.is_rejecting,
            values: values.map(|&(value, name)| Value { value: Hex(value), name }).collect(),
        }
    }
}
