//! Configuration space as bytes that the library and the program share.

mod access;
mod capability;
mod masks;
mod memory;
mod quirks;

use std::cell::{Cell, RefCell};

use nix::errno::Errno;

pub(crate) use capability::Described;
use capability::{Capability, Kind};
use memory::Memory;

use crate::abi::{CONFIG_REGION, region_flag};
use crate::boundary::Result;
use crate::context::Context;

/// The size of the header of type 0, and of the part without extended capabilities.
const HEADER_SIZE: usize = 0x40;
const EXTENDED_START: usize = 0x100;

/// The configuration space of a context.
#[derive(Debug)]
pub(crate) struct Config {
    memory: Memory,
    /// 0 before it is initialized.
    size: Cell<usize>,
    capabilities: RefCell<Vec<Capability>>,
}

impl Config {
    pub(crate) fn new() -> Self {
        let (size, capabilities) = (Cell::new(0), RefCell::default());
        Config { memory: Memory::new(), size, capabilities }
    }

    /// Sets the size by `vfu_pci_type_t`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an unknown type or header, `EEXIST` if it is set already.
    pub(crate) fn initialize(&self, pci_type: i32, header_type: i32) -> Result<()> {
        let size = match pci_type {
            0 | 1 => EXTENDED_START,
            2 | 3 => memory::SIZE,
            _ => return Err(Errno::EINVAL),
        };
        if header_type != 0 {
            return Err(Errno::EINVAL);
        }
        if self.size.get() != 0 {
            return Err(Errno::EEXIST);
        }
        self.size.set(size);
        Ok(())
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.size.get() != 0
    }

    pub(crate) fn size(&self) -> usize {
        self.size.get()
    }

    /// Returns the address of its bytes; null before it is initialized.
    pub(crate) fn address(&self) -> *mut u8 {
        if self.is_initialized() { self.memory.address() } else { std::ptr::null_mut() }
    }

    /// Returns the size of a region that the kind of the function decides.
    pub(crate) fn region_size(&self, index: usize) -> Option<u64> {
        (index == CONFIG_REGION && self.is_initialized()).then(|| self.size() as u64)
    }

    pub(crate) fn set_ids(&self, ids: [u16; 4]) {
        for (offset, id) in [0x00, 0x02, 0x2c, 0x2e].into_iter().zip(ids) {
            self.memory.write(offset, &id.to_le_bytes());
        }
    }

    pub(crate) fn set_class(&self, base: u8, sub: u8, interface: u8) {
        self.memory.write(0x09, &[interface, sub, base]);
    }

    /// Completes the header by what the program has described.
    pub(crate) fn realize(&self, context: &Context) {
        if !self.is_initialized() {
            self.size.set(EXTENDED_START);
        }
        let regions = context.all_regions();
        let bars = regions[..6].iter().zip((0x10..).step_by(4));
        for (region, offset) in bars.filter(|(region, _)| region.size > 0) {
            let is = |flag| region.flags & flag != 0;
            let mut bits = self.memory.get(offset);
            bits |= u8::from(!is(region_flag::MEMORY));
            bits |= if is(region_flag::BITS_64) { 4 } else { 0 };
            bits |= if is(region_flag::PREFETCH) { 8 } else { 0 };
            self.memory.set(offset, bits);
        }
        if context.irq_counts[0].get() > 0 {
            self.memory.set(0x3d, 1);
        }
        if self.capabilities.borrow().iter().any(|all| !all.kind.is_extended()) {
            self.memory.set(0x06, self.memory.get(0x06) | 0x10);
        }
    }

    /// Returns whether an access starts at the Device Control register.
    pub(crate) fn is_device_control(&self, offset: u32) -> bool {
        let capabilities = self.capabilities.borrow();
        let express = capabilities.iter().find(|all| all.kind == Kind::Express);
        express.is_some_and(|express| express.offset + masks::DEVICE_CONTROL == offset as usize)
    }
}
