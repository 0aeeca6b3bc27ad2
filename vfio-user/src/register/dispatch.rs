//! From an access to a BAR to the registers that it touches.
//!
//! An access of any size and alignment that the BAR accepts is split at register boundaries, in
//! address order; each register sees which of its bytes were meant, and nothing else of it changes.

use super::refusal::Attempt;
use super::rules::{self, Piece};
use super::{BarMap, Refusal, Refusals, Register, States, Target, byte_enable};
use crate::device::{Bar, Cx, Descriptor, PciDevice, Slot, Unmapped};
use crate::pci::MsixTable;
use crate::protocol::Errno;

/// A BAR in the moment of an access.
pub(crate) struct Bus<'a, 'cx, D: PciDevice> {
    pub(crate) device: &'a mut D,
    pub(crate) cx: &'a mut Cx<'cx, D>,
    pub(crate) descriptor: &'a Descriptor,
    /// Which one.
    pub(crate) index: usize,
    pub(crate) bar: &'a Bar,
    pub(crate) map: &'a BarMap,
    pub(crate) msix: &'a mut MsixTable,
    pub(crate) states: &'a mut States,
    pub(crate) refusals: &'a mut Refusals,
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
    /// EINVAL if the BAR refuses what it does not accept; nothing has been read then.
    pub(crate) fn read(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.admit(false, offset, data.len())?;
        let mut rest = data;
        for piece in rules::pieces(self.bar, offset, rest.len()) {
            let (head, tail) = rest.split_at_mut(piece.len);
            if self.accepts(false, piece) {
                self.read_piece(piece, head);
            } else {
                head.fill(self.filler());
            }
            rest = tail;
        }
        Ok(())
    }

    /// # Errors
    ///
    /// EINVAL if the BAR refuses what it does not accept; nothing has been written then.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.admit(true, offset, data.len())?;
        let mut rest = data;
        for piece in rules::pieces(self.bar, offset, data.len()) {
            let (head, tail) = rest.split_at(piece.len);
            if self.accepts(true, piece) {
                self.write_piece(piece, head);
            }
            rest = tail;
        }
        Ok(())
    }

    /// Refuses the whole of an access, if that is what the BAR does.
    fn admit(&mut self, is_write: bool, offset: u64, len: usize) -> Result<(), Errno> {
        if self.bar.unmapped_policy() != Unmapped::Refuse {
            return Ok(());
        }
        for piece in rules::pieces(self.bar, offset, len) {
            if !self.accepts(is_write, piece) {
                return Err(Errno::EINVAL);
            }
            if !self.map.covers(piece.offset, piece.len) {
                self.tell(Refusal::Unmapped, is_write, piece);
                return Err(Errno::EINVAL);
            }
        }
        Ok(())
    }

    fn accepts(&mut self, is_write: bool, piece: Piece) -> bool {
        let refusal = rules::refusal(self.bar, piece);
        if let Some(refusal) = refusal {
            self.tell(refusal, is_write, piece);
        }
        refusal.is_none()
    }

    fn read_piece(&mut self, piece: Piece, data: &mut [u8]) {
        let (mut at, mut rest) = (piece.offset, data);
        while !rest.is_empty() {
            let here = part_at(self.map, at, rest.len());
            let (head, tail) = rest.split_at_mut(here.len());
            match here {
                Here::Part(part) => {
                    let bits = self.read_element(part) >> (part.first * 8);
                    head.copy_from_slice(&bits.to_le_bytes()[..part.len]);
                }
                Here::Gap(len) => {
                    self.tell(Refusal::Unmapped, false, Piece { offset: at, len });
                    head.fill(self.filler());
                }
            }
            at += head.len() as u64;
            rest = tail;
        }
    }

    fn write_piece(&mut self, piece: Piece, data: &[u8]) {
        let (mut at, mut rest) = (piece.offset, data);
        while !rest.is_empty() {
            let here = part_at(self.map, at, rest.len());
            let (head, tail) = rest.split_at(here.len());
            match here {
                Here::Part(part) => {
                    let mut bytes = [0; 8];
                    bytes[..head.len()].copy_from_slice(head);
                    self.write_element(part, u64::from_le_bytes(bytes) << (part.first * 8));
                }
                Here::Gap(len) => self.tell(Refusal::Unmapped, true, Piece { offset: at, len }),
            }
            at += head.len() as u64;
            rest = tail;
        }
    }

    fn read_element(&mut self, part: Part) -> u64 {
        match part.target {
            Target::Register(first) => {
                let slot = Slot { index: part.index, ..first };
                self.read_register(self.descriptor.register(slot), slot, part.enable())
            }
            Target::MsixTable => self.msix.read(part.index),
            Target::MsixPba => self.cx.msix_pending(part.index),
        }
    }

    fn write_element(&mut self, part: Part, value: u64) {
        match part.target {
            Target::Register(first) => {
                let slot = Slot { index: part.index, ..first };
                let register = self.descriptor.register(slot);
                self.write_register(register, slot, value, part.enable());
            }
            Target::MsixTable => self.msix.write(part.index, value, part.enable()),
            Target::MsixPba => {}
        }
    }

    /// What reads give where there is nothing.
    fn filler(&self) -> u8 {
        filler(self.bar)
    }

    fn tell(&mut self, refusal: Refusal, is_write: bool, Piece { offset, len }: Piece) {
        let attempt = Attempt { is_write, bar: self.index, offset, len };
        self.refusals.tell_access(refusal, attempt, self.descriptor, self.map);
    }
}

impl Part {
    fn enable(&self) -> u64 {
        byte_enable(self.first, self.len as u64)
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

fn part_at(map: &BarMap, at: u64, len: usize) -> Here {
    let upto = |end: u64| usize::try_from(end - at).map_or(len, |until| until.min(len));
    match map.find(at) {
        Ok(element) => Here::Part(Part {
            target: element.target,
            index: element.index,
            first: at - element.start,
            len: upto(element.end),
        }),
        Err(next) => Here::Gap(next.map_or(len, upto)),
    }
}

fn filler(bar: &Bar) -> u8 {
    if bar.unmapped_policy() == Unmapped::Ones { 0xff } else { 0 }
}

/// A register without storage reads as its reset value.
pub(super) fn stored<D: PciDevice>(device: &D, register: &Register, slot: Slot) -> u64 {
    if register.is_stored() { device.load(slot) } else { register.reset_value().unwrap_or(0) }
}
