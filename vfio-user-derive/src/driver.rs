//! The methods of a driver: which accesses it makes to a register, and their names.

use proc_macro2::Ident;
use quote::format_ident;

use crate::ast::{BlockField, Device, Register};
use crate::attr::DriverUse;
use crate::layout::{CONFIG, HookKind};
use crate::policy::OnWrite;

/// A method of a driver.
pub(crate) struct Method {
    pub(crate) name: Ident,
    pub(crate) access: Access,
}

/// What a method does with its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Returns the value.
    Read,
    /// Returns the value, with an effect on the device.
    Take,
    Write,
    /// Writes the complement: zeros have an effect.
    WriteInverted,
    /// Writes any value: all have the same effect.
    WriteAny,
    /// Reads, changes and writes.
    Update,
}

/// The methods that each driver has besides those of registers.
pub(crate) const OF_DEVICES: [&str; 3] = ["new", "bars", "into_bars"];

impl Device<'_> {
    /// Returns the name of its driver, if it has one.
    pub(crate) fn driver(&self) -> Option<&Ident> {
        let of_device = self.attrs.pci.as_ref().and_then(|pci| pci.driver.as_ref());
        let of_block = self.block.as_ref().and_then(|block| block.driver.as_ref());
        of_device.or(of_block).map(|given| &given.value)
    }

    /// Returns the registers that the driver reaches, each with its place in the declaration.
    pub(crate) fn driven(&self) -> impl Iterator<Item = (usize, &Register<'_>)> {
        let in_bars = |register: &Register<'_>| {
            self.block.is_some() || self.bar_of(register).is_some_and(|bar| bar != CONFIG)
        };
        self.registers.iter().enumerate().filter(move |(_, register)| in_bars(register))
    }

    /// Returns the blocks that the driver reaches, each with its place in the declaration.
    pub(crate) fn driven_blocks(&self) -> impl Iterator<Item = (usize, &BlockField<'_>)> {
        let in_bars = |field: &BlockField<'_>| {
            let bar = self.bar_or_default(field.block.bar.as_ref());
            self.block.is_some() || bar.is_some_and(|bar| bar != CONFIG)
        };
        let all = self.blocks.iter().enumerate();
        all.filter(move |(_, field)| field.block.driver.is_none() && in_bars(field))
    }
}

impl Register<'_> {
    /// Returns the methods of a driver.
    pub(crate) fn methods(&self) -> Vec<Method> {
        if self.driver_use() == Some(DriverUse::Skip) {
            return Vec::new();
        }
        let policy = self.reg.policy();
        let is_port = self.reg.behaviour.port.is_some();
        let read = match self.read_is_observed() {
            _ if !policy.is_readable() => None,
            _ if is_port => Some(("pop_", Access::Take)),
            true => Some(("take_", Access::Take)),
            false => Some(("", Access::Read)),
        };
        let write = if is_port && policy.is_writable() {
            Some(("push_", Access::Write))
        } else {
            verb(policy.on_write())
        };
        let updates = read.is_some_and(|(_, access)| access == Access::Read)
            && policy.on_write() == OnWrite::Store;
        let update = updates.then_some(("update_", Access::Update));
        let all = read.into_iter().chain(write).chain(update);
        all.map(|(verb, access)| Method { name: named(verb, self.field), access }).collect()
    }

    fn driver_use(&self) -> Option<DriverUse> {
        self.reg.driver.as_ref().map(|given| given.value)
    }

    /// Returns whether a read may change something: by the policy, in a hook, or where a window
    /// leads.
    fn read_is_observed(&self) -> bool {
        let hooks = [HookKind::ReadWith, HookKind::OnRead];
        match self.driver_use() {
            Some(DriverUse::Take) => true,
            Some(DriverUse::Get) => false,
            _ => {
                self.reg.policy().is_changed_by_reads()
                    || self.reg.window.is_some()
                    || hooks.into_iter().any(|kind| self.reg.hooks.has(kind))
            }
        }
    }
}

/// The method that writes, by what a write does.
fn verb(on_write: OnWrite) -> Option<(&'static str, Access)> {
    Some(match on_write {
        OnWrite::Nothing => return None,
        OnWrite::Store => ("set_", Access::Write),
        OnWrite::StoreOnce => ("init_", Access::Write),
        OnWrite::ClearAll => ("clear_", Access::WriteAny),
        OnWrite::SetAll => ("raise_", Access::WriteAny),
        OnWrite::OnesClear => ("clear_", Access::Write),
        OnWrite::OnesSet => ("raise_", Access::Write),
        OnWrite::OnesToggle => ("toggle_", Access::Write),
        OnWrite::ZerosClear => ("clear_", Access::WriteInverted),
        OnWrite::ZerosSet => ("raise_", Access::WriteInverted),
        OnWrite::ZerosToggle => ("toggle_", Access::WriteInverted),
    })
}

/// The name of a method, at the place of the field.
pub(crate) fn named(verb: &str, field: &Ident) -> Ident {
    if verb.is_empty() {
        field.clone()
    } else {
        format_ident!("{verb}{field}", span = field.span())
    }
}
