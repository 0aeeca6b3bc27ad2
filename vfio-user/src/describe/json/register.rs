//! Registers and their fields.

use serde::Serialize;

use super::Hex;
use crate::describe::{Family, phrases};
use crate::model::{self, Hooks, RegisterFlags};

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
    port: bool,
    wide: bool,
    volatile: bool,
    watched: bool,
    singlepulse: bool,
    sticky: bool,
    keep_on_flr: bool,
    locked_by: Option<WriteLock>,
    locked_by_device: bool,
    sets: Option<&'static str>,
    clears: Option<&'static str>,
    doorbell: Option<Doorbell>,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct WriteLock {
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
        let fields = register.declared_fields().iter();
        Register {
            name: register.name(),
            doc: register.documentation(),
            offset: Hex(extent.offset),
            bytes: register.width(),
            count: register.count(),
            stride: Hex(extent.stride),
            policy: register.access_policy().name(),
            reset: register.reset_value().map(Hex),
            implemented: Hex(register.implemented()),
            writable: Hex(register.access().writable()),
            stored: register.is_stored(),
            computed: register.has(Hooks::READ_WITH),
            acts_on_reads: register.has(Hooks::ON_READ),
            acts_on_writes: phrases::acts_on_writes(register),
            port: register.is(RegisterFlags::PORT),
            wide: register.is(RegisterFlags::WIDE),
            volatile: register.is(RegisterFlags::VOLATILE),
            watched: register.is(RegisterFlags::WATCH),
            singlepulse: register.is(RegisterFlags::PULSE),
            sticky: register.is(RegisterFlags::STICKY),
            keep_on_flr: register.is(RegisterFlags::KEEP_ON_FLR),
            locked_by: register.declared_lock().and_then(|lock| WriteLock::of(lock, family)),
            locked_by_device: register.has(Hooks::LOCK_WITH),
            sets: register.declared_sets().and_then(|index| family.name(index)),
            clears: register.declared_clears().and_then(|index| family.name(index)),
            doorbell: register.doorbell().map(Doorbell::of),
            fields: fields.map(|field| Field::of(field, register)).collect(),
        }
    }
}

impl WriteLock {
    fn of(lock: model::WriteLock, family: Family) -> Option<Self> {
        let register = family.registers.get(lock.register)?;
        let mask = Hex(lock.mask & register.implemented());
        Some(WriteLock { register: register.name(), mask, inverted: lock.inverted })
    }
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
            policy: field.policy.unwrap_or(register.access_policy()).name(),
            reset: field.reset.map(Hex),
            volatile: field.is_volatile,
            singlepulse: field.is_pulse,
            reject_reserved: field.is_rejecting,
            values: values.map(|&(value, name)| Value { value: Hex(value), name }).collect(),
        }
    }
}
