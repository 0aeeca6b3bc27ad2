//! Registers, with their fields and hooks.

use pyo3::prelude::*;
use vfio_user::__private::register_of_width;
use vfio_user::declaration::{
    Commit, ComposedInterrupt, Field, Hooks, Policy, Register, RegisterBits, RegisterFlags,
    ResetSet, Untested, Window, WindowBar, WriteLock,
};

use super::unknown;

/// A register with what refers to other registers of its class, which are given by their indices.
#[derive(FromPyObject)]
pub(super) struct RegisterOf<'py> {
    register: OwnOf<'py>,
    hooks: Vec<(String, Py<PyAny>)>,
    lock: Option<LockOf>,
    interrupt: Option<InterruptOf>,
    window: Option<WindowOf>,
    sets: Option<usize>,
    clears: Option<usize>,
}

#[derive(FromPyObject)]
#[expect(clippy::struct_excessive_bools, reason = "as many as a register has properties")]
struct OwnOf<'py> {
    name: String,
    offset: u64,
    policy: String,
    bits: u8,
    bar: Option<u8>,
    is_array: bool,
    count: u32,
    stride: Option<u64>,
    reset: Option<u64>,
    mask: Option<u64>,
    writable: Option<u64>,
    fields: Bound<'py, PyAny>,
    stored: bool,
    commit: String,
    singlepulse: bool,
    sticky: bool,
    keep_on_flr: bool,
    volatile: bool,
    big: bool,
    port: bool,
    ioeventfd: Option<u64>,
    migrate: bool,
    untested: Option<String>,
    doc: String,
}

#[derive(FromPyObject)]
struct FieldOf {
    name: String,
    shift: u8,
    width: u8,
    policy: Option<String>,
    reset: Option<u64>,
    singlepulse: bool,
    volatile: bool,
    doc: String,
}

/// The index of a register, and the name of a field of it, or nothing.
type BitsOf = (usize, String);

/// The bits that lock, and whether the sense is inverted.
type LockOf = (BitsOf, bool);

#[derive(FromPyObject)]
struct InterruptOf {
    enable: Option<usize>,
    mask: Option<usize>,
    level: bool,
    vector: u16,
}

#[derive(FromPyObject)]
struct WindowOf {
    at: BitsOf,
    bar: Option<u8>,
    bar_bits: Option<BitsOf>,
    len: Option<BitsOf>,
    step: u64,
}

/// The hooks of a register by their kinds.
pub(crate) type OwnHooks = Vec<(Hooks, Py<PyAny>)>;

/// The registers of a class, and what belongs to each.
#[derive(Default)]
pub(super) struct Registers {
    pub(super) declared: Vec<Register>,
    pub(super) interrupts: Vec<ComposedInterrupt>,
    pub(super) hooks: Vec<OwnHooks>,
    /// Whether each is an array, which may have one element.
    pub(super) arrays: Vec<bool>,
}

impl Registers {
    pub(super) fn of(given: Vec<RegisterOf<'_>>, default_bar: u8) -> PyResult<Self> {
        let mut all = Registers::default();
        for register in &given {
            all.declared.push(register.register.declared(default_bar)?);
            all.arrays.push(register.register.is_array);
        }
        let fields: Vec<_> = all.declared.iter().map(Register::fields).collect();
        for (index, register) in given.into_iter().enumerate() {
            let declared = register.linked(all.declared[index], &fields);
            all.interrupts.extend(register.interrupt.map(|given| given.declared(index)));
            let hooks = register.hooks.into_iter().map(|(kind, hook)| Ok((hook_of(&kind)?, hook)));
            let hooks: OwnHooks = hooks.collect::<PyResult<_>>()?;
            let kinds = hooks.iter().fold(Hooks::empty(), |all, (kind, _)| all | *kind);
            all.declared[index] = declared.with_hooks(kinds);
            all.hooks.push(hooks);
        }
        Ok(all)
    }
}

impl RegisterOf<'_> {
    /// Adds what refers to other registers, which have these fields.
    fn linked(&self, mut register: Register, fields: &[&'static [Field]]) -> Register {
        if let Some(lock) = &self.lock {
            register = register.with_lock(lock_of(lock, fields));
        }
        if let Some(window) = &self.window {
            register = register.with_window(Box::leak(Box::new(window.declared(fields))));
        }
        if let Some(status) = self.sets {
            register = register.with_sets(status);
        }
        if let Some(status) = self.clears {
            register = register.with_clears(status);
        }
        register
    }
}

impl OwnOf<'_> {
    fn declared(&self, default_bar: u8) -> PyResult<Register> {
        let width = self.bits / 8;
        let name = self.name.clone().leak();
        let mut register = register_of_width(width, name, self.offset)
            .with_bar(self.bar.unwrap_or(default_bar))
            .with_count(self.count)
            .with_stride(self.stride.unwrap_or(width.into()))
            .with_doc(self.doc.clone().leak())
            .with_flags(self.flags())
            .with_commit(match &*self.commit {
                "high" => Commit::High,
                "low" => Commit::Low,
                _ => Commit::Whole,
            });
        if let Some(mask) = self.mask {
            register = register.with_mask(mask);
        }
        if let Some(writable) = self.writable {
            register = register.with_writable(writable);
        }
        if let Some(reset) = self.reset {
            register = register.with_reset(reset);
        }
        let fields = self.fields.call_method0("values")?.try_iter()?;
        let fields = fields.map(|field| field?.extract::<FieldOf>()?.declared());
        let fields: Vec<_> = fields.collect::<PyResult<_>>()?;
        if !fields.is_empty() {
            register = register.with_fields(fields.leak());
        }
        register = register.with_policy(policy_of(&self.policy)?);
        if !self.stored {
            register = register.without_storage();
        }
        if self.keep_on_flr {
            register = register.with_kept_over(ResetSet::EMPTY.with_function_level());
        }
        if let Some(value) = self.ioeventfd {
            register = register.with_ioeventfd(value);
        }
        if !self.migrate {
            register = register.without_migration();
        }
        Ok(match self.untested.as_deref() {
            Some("all") => register.with_untested(Untested::All),
            Some(_) => register.with_untested(Untested::Policies),
            None => register,
        })
    }

    fn flags(&self) -> RegisterFlags {
        let flags = [
            (!self.commit.is_empty(), RegisterFlags::WIDE),
            (self.volatile, RegisterFlags::VOLATILE),
            (self.singlepulse, RegisterFlags::PULSE),
            (self.sticky, RegisterFlags::STICKY),
            (self.big, RegisterFlags::BIG_ENDIAN),
            (self.port, RegisterFlags::PORT),
        ];
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).collect()
    }
}

impl FieldOf {
    fn declared(self) -> PyResult<Field> {
        let mut field =
            Field::new(self.name.leak(), self.shift, self.width).with_doc(self.doc.leak());
        if let Some(policy) = &self.policy {
            field = field.with_policy(policy_of(policy)?);
        }
        if let Some(reset) = self.reset {
            field = field.with_reset(reset);
        }
        if self.singlepulse {
            field = field.with_pulse();
        }
        Ok(if self.volatile { field.with_volatile() } else { field })
    }
}

impl InterruptOf {
    fn declared(&self, status: usize) -> ComposedInterrupt {
        let mut interrupt = ComposedInterrupt::new(status).with_vector(self.vector);
        (interrupt.enable, interrupt.mask) = (self.enable, self.mask);
        if self.level { interrupt.with_level() } else { interrupt }
    }
}

impl WindowOf {
    fn declared(&self, fields: &[&'static [Field]]) -> Window {
        let bar = match (&self.bar_bits, self.bar) {
            (Some(bits), _) => WindowBar::Selected(bits_of(bits, fields)),
            (None, Some(number)) => WindowBar::Number(number),
            (None, None) => WindowBar::Own,
        };
        let window = Window::new(bits_of(&self.at, fields)).with_bar(bar).with_step(self.step);
        match &self.len {
            Some(len) => window.with_len(bits_of(len, fields)),
            None => window,
        }
    }
}

fn policy_of(name: &str) -> PyResult<Policy> {
    Policy::from_name(name).ok_or_else(|| unknown("policy", name))
}

fn hook_of(name: &str) -> PyResult<Hooks> {
    Ok(match name {
        "read_with" => Hooks::READ_WITH,
        "write_with" => Hooks::WRITE_WITH,
        "on_read" => Hooks::ON_READ,
        "on_write" => Hooks::ON_WRITE,
        "kick" => Hooks::KICK,
        "lock_with" => Hooks::LOCK_WITH,
        "status_with" => Hooks::STATUS_WITH,
        "on_composed" => Hooks::ON_COMPOSED,
        _ => return Err(unknown("hook", name)),
    })
}

fn lock_of(((index, field), is_inverted): &LockOf, fields: &[&'static [Field]]) -> WriteLock {
    let lock = match &**field {
        "" => WriteLock::register(*index),
        field => WriteLock::field(*index, fields[*index], field),
    };
    if *is_inverted { lock.inverse() } else { lock }
}

fn bits_of((index, field): &BitsOf, fields: &[&'static [Field]]) -> RegisterBits {
    match &**field {
        "" => RegisterBits::register(*index),
        field => RegisterBits::field(*index, fields[*index], field.to_owned().leak()),
    }
}
