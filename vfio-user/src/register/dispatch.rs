//! From an access to a BAR to the registers that it touches.
//!
//! An access of any size and alignment is split at register boundaries, in address order; each
//! register sees which of its bytes were meant, and nothing else of it changes.

use super::{BarMap, Hooks, Register, Target, Write, byte_enable};
use crate::device::{Cx, Descriptor, Hook, PciDevice, Slot, Unmapped};
use crate::pci::MsixTable;
use crate::protocol::Errno;

/// A BAR in the moment of an access.
pub(crate) struct Bus<'a, 'cx, D: PciDevice> {
    pub(crate) device: &'a mut D,
    pub(crate) cx: &'a mut Cx<'cx, D>,
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) map: &'a BarMap,
    pub(crate) unmapped: Unmapped,
    pub(crate) msix: &'a mut MsixTable,
}

/// The bytes of an element that an access touches.
#[derive(Clone, Copy)]
struct Part {
    target: Target,
    index: usize,
    /// First byte within the element.
    first: u64,
    len: usize,
}

impl<D: PciDevice> Bus<'_, '_, D> {
    /// # Errors
    ///
    /// EINVAL if the BAR refuses accesses without a register; nothing has been read then.
    pub(crate) fn read(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.admit(offset, data.len())?;
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let here = self.part_at(at, rest.len());
            let (head, tail) = rest.split_at_mut(here.len());
            match here {
                Here::Part(part) => {
                    let bits = self.read_element(part) >> (part.first * 8);
                    head.copy_from_slice(&bits.to_le_bytes()[..part.len]);
                }
                Here::Gap(_) => head.fill(if self.unmapped == Unmapped::Ones { 0xff } else { 0 }),
            }
            at += head.len() as u64;
            rest = tail;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// EINVAL if the BAR refuses accesses without a register; nothing has been written then.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.admit(offset, data.len())?;
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let here = self.part_at(at, rest.len());
            let (head, tail) = rest.split_at(here.len());
            if let Here::Part(part) = here {
                let mut bytes = [0; 8];
                bytes[..head.len()].copy_from_slice(head);
                let enable = byte_enable(part.first, part.len as u64);
                self.write_element(part, u64::from_le_bytes(bytes) << (part.first * 8), enable);
            }
            at += head.len() as u64;
            rest = tail;
        }
        Ok(())
    }

    fn admit(&self, offset: u64, len: usize) -> Result<(), Errno> {
        if self.unmapped == Unmapped::Refuse && !self.map.covers(offset, len) {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    fn part_at(&self, at: u64, len: usize) -> Here {
        let upto = |end: u64| usize::try_from(end - at).map_or(len, |until| until.min(len));
        match self.map.find(at) {
            Ok(element) => Here::Part(Part {
                target: element.target,
                index: element.index,
                first: at - element.start,
                len: upto(element.end),
            }),
            Err(next) => Here::Gap(next.map_or(len, upto)),
        }
    }

    fn read_element(&mut self, part: Part) -> u64 {
        match part.target {
            Target::Register(register) => {
                let enable = byte_enable(part.first, part.len as u64);
                self.read_register(register, part.index, enable)
            }
            Target::MsixTable => self.msix.read(part.index),
            Target::MsixPba => self.cx.msix_pending(part.index),
        }
    }

    fn write_element(&mut self, part: Part, value: u64, enable: u64) {
        match part.target {
            Target::Register(register) => self.write_register(register, part.index, value, enable),
            Target::MsixTable => self.msix.write(part.index, value, enable),
            Target::MsixPba => {}
        }
    }

    fn read_register(&mut self, place: u32, index: usize, enable: u64) -> u64 {
        let (register, slot) = self.register(place, index);
        let value = if register.has(Hooks::READ_WITH) {
            self.device.hook(self.cx, slot, Hook::Read)
        } else {
            stored(self.device, register, slot)
        };
        let access = register.access();
        let bus = access.read(value);
        if register.has(Hooks::ON_READ) {
            self.device.hook(self.cx, slot, Hook::AfterRead(bus));
        }
        if access.is_changed_by_reads() {
            let after = access.after_read(self.device.load(slot), register.touched_by(enable));
            self.device.store(slot, after);
        }
        bus
    }

    fn write_register(&mut self, place: u32, index: usize, value: u64, enable: u64) {
        let (register, slot) = self.register(place, index);
        let (access, old) = (register.access(), self.device.load(slot));
        if register.has(Hooks::WRITE_WITH) {
            let value = register.admitted(old, access.bus_value(old, value, enable));
            self.device.hook(self.cx, slot, Hook::Write(value));
            return;
        }
        let touched = register.touched_by(enable);
        let new = access.write(old, Write { value, enable, touched, written: 0 });
        let new = register.admitted(old, new);
        self.device.store(slot, new);
        if register.has(Hooks::ON_WRITE) {
            self.device.hook(self.cx, slot, Hook::AfterWrite(old, new));
        }
    }

    fn register(&self, place: u32, index: usize) -> (&'static Register, Slot) {
        let place = place as usize;
        (&self.descriptor.declared_registers()[place], Slot { register: place, index })
    }
}

/// What an access meets at an offset, and for how many bytes.
enum Here {
    Part(Part),
    Gap(usize),
}

impl Here {
    fn len(&self) -> usize {
        match self {
            Here::Part(part) => part.len,
            Here::Gap(len) => *len,
        }
    }
}

/// A register without storage reads as its reset value.
fn stored<D: PciDevice>(device: &D, register: &Register, slot: Slot) -> u64 {
    if register.is_stored() { device.load(slot) } else { register.reset_value().unwrap_or(0) }
}
