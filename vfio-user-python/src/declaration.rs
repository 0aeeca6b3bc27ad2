//! A device class as a `Descriptor`.
//!
//! The engine borrows declarations for as long as the program runs, as those of Rust are constants.
//! So a class's data is leaked, once.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use vfio_user::__private::{StateField, StateLayout, register_of_width};
use vfio_user::declaration::{
    Bar, BarKind, Commit, Descriptor, Field, Hooks, Ids, MsixLayout, Policy, Register,
    RegisterFlags, ResetSet, Sizes, Unaligned, Unmapped, Untested, WriteLock,
};

use crate::error::{OrRaise, exception};
use crate::value::{Type, Value, wrong};

/// The declaration of a device class.
#[pyclass(frozen, module = "vfio_user._native")]
pub(crate) struct Declaration {
    pub(crate) descriptor: Descriptor,
    /// The index of each register's first element among all elements.
    pub(crate) slots: Vec<usize>,
    /// Of each register whether it is an array, which may have one element.
    pub(crate) arrays: Vec<bool>,
    /// The value of each element before the device is constructed.
    pub(crate) initial: Vec<u64>,
    pub(crate) hooks: Vec<OwnHooks>,
    pub(crate) private: Vec<Private>,
    pub(crate) methods: Vec<String>,
}

/// A field of private state.
pub(crate) struct Private {
    pub(crate) field: StateField,
    pub(crate) ty: Type,
    pub(crate) initial: Value,
    pub(crate) is_sticky: bool,
}

#[derive(FromPyObject)]
struct PciOf {
    vendor: u16,
    device: u16,
    class_code: u32,
    revision: u8,
    subsystem_vendor: u16,
    subsystem: u16,
}

#[derive(FromPyObject)]
struct BarOf {
    index: u8,
    kind: String,
    size: u64,
    prefetchable: bool,
    unmapped: String,
    unaligned: String,
    sizes: (u8, u8),
}

#[derive(FromPyObject)]
struct IrqsOf {
    intx: bool,
    msi: u16,
    msix: u16,
    msix_bar: Option<u8>,
    table: Option<u64>,
    pba: Option<u64>,
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

#[derive(FromPyObject)]
#[expect(clippy::struct_excessive_bools, reason = "as many as a register has properties")]
struct RegisterOf<'py> {
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
    ioeventfd: Option<u64>,
    migrate: bool,
    untested: Option<String>,
    doc: String,
}

#[derive(FromPyObject)]
struct StateOf<'py> {
    name: String,
    #[pyo3(attribute("type"))]
    ty: String,
    initial: Bound<'py, PyAny>,
    sticky: bool,
}

/// The index of the locking register, its field or nothing, and whether the sense is inverted.
type LockOf = (usize, String, bool);

type HooksOf = Vec<(String, Py<PyAny>)>;

/// The hooks of a register by their kinds.
type OwnHooks = Vec<(Hooks, Py<PyAny>)>;

#[pymethods]
impl Declaration {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "the package's own code calls it, once")]
    fn new(
        py: Python<'_>,
        name: String,
        doc: String,
        pci: PciOf,
        bars: Vec<BarOf>,
        irqs: IrqsOf,
        registers: Vec<(RegisterOf<'_>, Option<LockOf>, HooksOf)>,
        private: Vec<StateOf<'_>>,
        methods: Vec<String>,
        migrate: bool,
        version: u16,
    ) -> PyResult<Self> {
        let mut descriptor = Descriptor::new(name.leak(), pci.ids()).with_doc(doc.leak());
        let default_bar = if let [only] = &bars[..] { only.index } else { 0 };
        for bar in bars {
            descriptor = descriptor.with_bar(bar.index, bar.declared());
        }
        descriptor = irqs.declare(py, descriptor)?;
        let private: Vec<_> = private.into_iter().map(Private::of).collect::<PyResult<_>>()?;
        let arrays = registers.iter().map(|(register, ..)| register.is_array).collect();
        let (declared, hooks) = declare_registers(registers, default_bar)?;
        descriptor = descriptor.with_registers(declared.leak());
        if migrate {
            let fields: Vec<_> = private.iter().map(|private| private.field).collect();
            descriptor = descriptor.with_state(StateLayout::new(version, 1, fields.leak()));
        }
        descriptor.validate().or_raise(py)?;
        // The BARs limit how many elements there are.
        let declared = descriptor.registers();
        let slots = declared.iter().scan(0, |next, register| {
            let slot = *next;
            *next += register.count() as usize;
            Some(slot)
        });
        let slots = slots.collect();
        let initial = declared.iter().flat_map(|register| {
            std::iter::repeat_n(register.reset().unwrap_or(0), register.count() as usize)
        });
        let initial = initial.collect();
        Ok(Declaration { descriptor, slots, arrays, initial, hooks, private, methods })
    }
}

impl Declaration {
    /// Returns the hook of a kind.
    pub(crate) fn hook(&self, register: usize, kind: Hooks) -> Option<&Py<PyAny>> {
        let hooks = self.hooks.get(register)?;
        hooks.iter().find(|(own, _)| *own == kind).map(|(_, hook)| hook)
    }

    /// Returns whether the class has a method that the runtime calls.
    pub(crate) fn has_method(&self, name: &str) -> bool {
        self.methods.iter().any(|own| own == name)
    }
}

impl PciOf {
    fn ids(&self) -> Ids {
        Ids {
            vendor: self.vendor,
            device: self.device,
            class: self.class_code,
            revision: self.revision,
            subsystem_vendor: self.subsystem_vendor,
            subsystem: self.subsystem,
        }
    }
}

impl BarOf {
    fn declared(&self) -> Bar {
        let kind = match &*self.kind {
            "io" => BarKind::Io,
            "mem64" => BarKind::Mem64,
            _ => BarKind::Mem32,
        };
        let unmapped = match &*self.unmapped {
            "ones" => Unmapped::Ones,
            "refuse" => Unmapped::Refuse,
            _ => Unmapped::Zero,
        };
        let unaligned =
            if self.unaligned == "ignore" { Unaligned::Ignore } else { Unaligned::Split };
        let bar = Bar::new(kind, self.size)
            .with_unmapped(unmapped)
            .with_unaligned(unaligned)
            .with_sizes(Sizes::new(self.sizes.0, self.sizes.1));
        if self.prefetchable { bar.with_prefetchable() } else { bar }
    }
}

impl IrqsOf {
    fn declare(&self, py: Python<'_>, mut descriptor: Descriptor) -> PyResult<Descriptor> {
        if self.intx {
            descriptor = descriptor.with_intx();
        }
        if self.msi > 0 {
            descriptor = descriptor.with_msi(self.msi);
        }
        if self.msix == 0 {
            return Ok(descriptor);
        }
        if let (Some(bar), Some(table), Some(pba)) = (self.msix_bar, self.table, self.pba) {
            return Ok(descriptor.with_msix(MsixLayout { vectors: self.msix, bar, table, pba }));
        }
        let bar = self.msix_bar.or_else(|| free_bar(&descriptor));
        match bar.filter(|bar| descriptor.bars()[usize::from(*bar)].is_none()) {
            Some(bar) => Ok(descriptor.with_msix_in_own_bar(self.msix, Some(bar))),
            None => Err(exception(
                py,
                "DeclarationError",
                "MSI-X has no BAR for its table; msix_bar with table and pba in a declared BAR, \
                 or a BAR that is not declared, is accepted",
            )),
        }
    }
}

/// Returns the first BAR that is not declared, and not the upper half of another one.
fn free_bar(descriptor: &Descriptor) -> Option<u8> {
    let bars = descriptor.bars();
    let is_wide = |bar: &Option<Bar>| bar.is_some_and(|bar| bar.kind() == BarKind::Mem64);
    (0..6_u8).find(|index| {
        let index = usize::from(*index);
        bars[index].is_none() && !index.checked_sub(1).is_some_and(|below| is_wide(&bars[below]))
    })
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

impl RegisterOf<'_> {
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
        ];
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).collect()
    }
}

impl Private {
    fn of(state: StateOf<'_>) -> PyResult<Self> {
        let StateOf { name, ty, initial, sticky } = state;
        let ty = Type::from_name(&ty).ok_or_else(|| unknown("type of state", &ty))?;
        let initial = ty.extract(&initial).map_err(|error| wrong(&name, ty, &error))?;
        let field = StateField::new(name.leak(), ty.in_rust());
        Ok(Private { field, ty, initial, is_sticky: sticky })
    }
}

/// Returns the registers, and the hooks of each.
fn declare_registers(
    registers: Vec<(RegisterOf<'_>, Option<LockOf>, HooksOf)>,
    default_bar: u8,
) -> PyResult<(Vec<Register>, Vec<OwnHooks>)> {
    let (mut declared, mut locks, mut hooks) = (Vec::new(), Vec::new(), Vec::new());
    for (register, lock, own) in registers {
        let own = own.into_iter().map(|(kind, hook)| Ok((hook_of(&kind)?, hook)));
        let own: OwnHooks = own.collect::<PyResult<_>>()?;
        let kinds = own.iter().fold(Hooks::empty(), |all, (kind, _)| all | *kind);
        declared.push(register.declared(default_bar)?.with_hooks(kinds));
        locks.push(lock);
        hooks.push(own);
    }
    let fields: Vec<_> = declared.iter().map(Register::fields).collect();
    for (register, lock) in declared.iter_mut().zip(locks) {
        if let Some(lock) = lock {
            *register = register.with_lock(lock_of(&lock, &fields));
        }
    }
    Ok((declared, hooks))
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
        _ => return Err(unknown("hook", name)),
    })
}

fn lock_of((index, field, is_inverted): &LockOf, fields: &[&'static [Field]]) -> WriteLock {
    let lock = match &**field {
        "" => WriteLock::register(*index),
        field => WriteLock::field(*index, fields[*index], field),
    };
    if *is_inverted { lock.inverse() } else { lock }
}

fn unknown(what: &str, name: &str) -> PyErr {
    PyValueError::new_err(format!("there is no {what} {name:?}"))
}

/// Describes a device in a format of `--describe`.
#[pyfunction]
pub(crate) fn describe(declaration: &Declaration, format: &str) -> PyResult<String> {
    let describe = match format {
        "text" => vfio_user::describe::text,
        "markdown" => vfio_user::describe::markdown,
        "html" => vfio_user::describe::html,
        "json" => vfio_user::describe::json,
        "svd" => vfio_user::describe::svd,
        "c" => vfio_user::describe::c_header,
        "lspci" => vfio_user::describe::lspci,
        _ => {
            return Err(PyValueError::new_err(format!(
                "there is no format {format:?}; text, markdown, html, json, svd, c and lspci are \
                 accepted"
            )));
        }
    };
    Ok(describe(&declaration.descriptor))
}
