//! Dispatch of an access to a BAR to the registers that it touches.
//!
//! An access of any size and alignment that the BAR accepts is split at register boundaries, in
//! address order. Each register receives the mask of the accessed bytes, and its other bytes do not
//! change. Of registers that share bytes, the one that answers is determined part by part, so that
//! an earlier part of an access can change which register answers a later one.

use super::element::{AccessKind, Element, Found, Gap};
use super::le::{get, put};
use super::refusal::Attempt;
use super::rules::{self, Piece};
use super::{
    BarMap, Composer, Mirror, Refusal, Refusals, RegisterStates, Target, Touches, UnmodelledBytes,
};
use crate::device::{Cx, PciDevice};
use crate::model::{Bar, Descriptor, Register, Slot, Unmapped, byte_enable};
use crate::monitor::Elsewhere;
use crate::pci::MsixTable;
use crate::protocol::Errno;

/// A BAR during an access.
pub(crate) struct Bus<'a, 'cx, D: PciDevice> {
    pub(crate) device: &'a mut D,
    pub(crate) cx: &'a mut Cx<'cx, D>,
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) bar_index: usize,
    pub(crate) bar: &'a Bar,
    /// The BAR of the access, if it mirrors the other one.
    pub(crate) mirror: Option<Mirror<'a>>,
    pub(crate) map: &'a BarMap,
    pub(crate) msix: &'a mut MsixTable,
    pub(crate) register_states: &'a mut RegisterStates,
    pub(crate) unmodelled: &'a mut UnmodelledBytes,
    pub(crate) refusals: &'a mut Refusals,
    pub(crate) touches: &'a mut Touches,
    pub(crate) composer: &'a mut Composer,
    /// The maps of all BARs, for windows.
    pub(crate) maps: &'a [BarMap; 6],
    /// Whether the access has come through a window.
    pub(crate) is_in_window: bool,
    /// Whether a hook of the register that is accessed has reset the device.
    pub(crate) was_reset: bool,
}

/// The bytes of an element that an access touches.
#[derive(Clone, Copy)]
struct Part {
    target: Target,
    index: usize,
    /// The first byte within the element.
    first: u64,
    len: usize,
}

impl<D: PciDevice> Bus<'_, '_, D> {
    /// # Errors
    ///
    /// `EINVAL` if the BAR refuses the access; nothing has been read then.
    #[inline]
    pub(crate) fn read(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        if rules::is_bus_size(data.len()) && self.bar.accepts_all() {
            self.read_piece(data.len(), offset, data);
            return Ok(());
        }
        self.read_by_rules(offset, data)
    }

    /// # Errors
    ///
    /// `EINVAL` if the BAR refuses the access; nothing has been written then.
    #[inline]
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if rules::is_bus_size(data.len()) && self.bar.accepts_all() {
            self.write_piece(data.len(), offset, data);
            return Ok(());
        }
        self.write_by_rules(offset, data)
    }

    fn read_by_rules(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.check_accepted(false, offset, data.len())?;
        let mut rest = data;
        for piece in rules::pieces(self.bar, offset, rest.len()) {
            let (head, tail) = rest.split_at_mut(piece.len);
            if self.accepts(false, piece) {
                self.read_piece(piece.len, piece.offset, head);
            } else {
                head.fill(self.filler());
            }
            rest = tail;
        }
        Ok(())
    }

    fn write_by_rules(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.check_accepted(true, offset, data.len())?;
        let mut rest = data;
        for piece in rules::pieces(self.bar, offset, data.len()) {
            let (head, tail) = rest.split_at(piece.len);
            if self.accepts(true, piece) {
                self.write_piece(piece.len, piece.offset, head);
            }
            rest = tail;
        }
        Ok(())
    }

    /// Refuses the access as a whole if the BAR refuses such accesses.
    ///
    /// # Errors
    ///
    /// `EINVAL`.
    pub(crate) fn check_accepted(
        &mut self,
        is_write: bool,
        offset: u64,
        len: usize,
    ) -> Result<(), Errno> {
        if self.bar.unmapped() != Unmapped::Refuse {
            return Ok(());
        }
        for piece in rules::pieces(self.bar, offset, len) {
            if !self.accepts(is_write, piece) {
                return Err(Errno::EINVAL);
            }
            self.check_answers(is_write, piece)?;
        }
        Ok(())
    }

    /// Refuses a piece of which some bytes have no register that answers now.
    fn check_answers(&mut self, is_write: bool, piece: Piece) -> Result<(), Errno> {
        let access = AccessKind { is_write, size: piece.len };
        let (mut at, end) = (piece.offset, piece.offset + piece.len as u64);
        while at < end {
            at = match self.find(at, access) {
                Ok(element) => element.end,
                Err(Gap { end: Some(end), silent: Some(silent) }) if silent.is_index() => end,
                Err(gap) => {
                    self.note_gap(&gap, is_write, piece, &[]);
                    return Err(Errno::EINVAL);
                }
            }
        }
        Ok(())
    }

    /// Returns the element that answers an access at `offset`.
    #[inline]
    fn find(&self, offset: u64, access: AccessKind) -> Found {
        self.map.find(offset, access, self.descriptor, |slot| self.device.load(slot))
    }

    fn accepts(&mut self, is_write: bool, piece: Piece) -> bool {
        let refusal = rules::refusal(self.bar, piece);
        if let Some(refusal) = refusal {
            self.log_refusal(refusal, is_write, piece);
        }
        refusal.is_none()
    }

    /// Reads bytes of an access of `size` bytes; most accesses are of one register.
    fn read_piece(&mut self, size: usize, offset: u64, data: &mut [u8]) {
        match self.find(offset, AccessKind { is_write: false, size }) {
            Ok(element) if element.end - offset >= data.len() as u64 => {
                self.read_element(Part::new(&element, offset, data.len()), data);
            }
            found => self.read_split(size, found, offset, data),
        }
    }

    fn write_piece(&mut self, size: usize, offset: u64, data: &[u8]) {
        match self.find(offset, AccessKind { is_write: true, size }) {
            Ok(element) if element.end - offset >= data.len() as u64 => {
                self.write_element(Part::new(&element, offset, data.len()), data);
            }
            found => self.write_split(size, found, offset, data),
        }
    }

    /// Reads from `found` on, register by register.
    fn read_split(&mut self, size: usize, found: Found, offset: u64, data: &mut [u8]) {
        let len = until(found, offset).min(data.len());
        let (head, tail) = data.split_at_mut(len);
        match found {
            Ok(_) => self.read_piece(size, offset, head),
            Err(gap) => {
                self.note_gap(&gap, false, Piece { offset, len }, &[]);
                head.fill(self.filler_of(&gap));
            }
        }
        if !tail.is_empty() {
            self.read_piece(size, offset + len as u64, tail);
        }
    }

    /// Writes from `found` on, register by register.
    fn write_split(&mut self, size: usize, found: Found, offset: u64, data: &[u8]) {
        let len = until(found, offset).min(data.len());
        let (head, tail) = data.split_at(len);
        match found {
            Ok(_) => self.write_piece(size, offset, head),
            Err(gap) => self.note_gap(&gap, true, Piece { offset, len }, head),
        }
        if !tail.is_empty() {
            self.write_piece(size, offset + len as u64, tail);
        }
    }

    #[inline]
    fn read_element(&mut self, part: Part, data: &mut [u8]) {
        let bits = match part.target {
            Target::Register(first) => {
                let slot = Slot { element: part.index, ..first };
                let register = self.descriptor.register(slot);
                if register.is_big(self.bar.is_big_endian()) {
                    return self.read_big(register, slot, part, data);
                }
                self.read_register(register, slot, part.enable())
            }
            Target::MsixTable => self.msix.read(part.index),
            Target::MsixPba => self.cx.msix_pending(part.index),
        };
        self.note_msix(part, false, bits >> (part.first * 8));
        put(data, bits >> (part.first * 8));
    }

    #[inline]
    fn write_element(&mut self, part: Part, data: &[u8]) {
        let value = get(data) << (part.first * 8);
        match part.target {
            Target::Register(first) => {
                let slot = Slot { element: part.index, ..first };
                let register = self.descriptor.register(slot);
                if register.is_big(self.bar.is_big_endian()) {
                    return self.write_big(register, slot, part, data);
                }
                self.write_register(register, slot, value, part.enable());
            }
            Target::MsixTable => {
                self.note_msix(part, true, value >> (part.first * 8));
                self.msix.write(part.index, value, part.enable());
                let (vector, masked) = self.msix.mask(part.index);
                self.cx.mask_vector(vector, masked);
            }
            Target::MsixPba => {}
        }
    }

    /// Counts an access to a quadword of the MSI-X table or PBA, by its place in there.
    #[inline]
    fn note_msix(&self, part: Part, is_write: bool, bits: u64) {
        let Some(observer) = self.observer() else { return };
        let what = match part.target {
            Target::Register(_) => return,
            Target::MsixTable => Elsewhere::MsixTable,
            Target::MsixPba => Elsewhere::MsixPba,
        };
        let at = (self.bar_index, part.index as u64 * 8 + part.first);
        observer.elsewhere(what, at, is_write, &bits.to_le_bytes()[..part.len]);
    }

    /// Reads a part of a big-endian register: the last of the bytes is the least significant one.
    #[inline(never)]
    fn read_big(&mut self, register: &Register, slot: Slot, part: Part, data: &mut [u8]) {
        let part = part.reversed(register);
        put(data, self.read_register(register, slot, part.enable()) >> (part.first * 8));
        data.reverse();
    }

    #[inline(never)]
    fn write_big(&mut self, register: &Register, slot: Slot, part: Part, data: &[u8]) {
        let part = part.reversed(register);
        let value = data.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        self.write_register(register, slot, value << (part.first * 8), part.enable());
    }

    /// Returns the bytes that reads return where there is no register.
    pub(super) fn filler(&self) -> u8 {
        if self.bar.unmapped() == Unmapped::Ones { 0xff } else { 0 }
    }

    /// Returns the bytes that reads return of a gap. An element that does not exist reads zero.
    fn filler_of(&self, gap: &Gap) -> u8 {
        if gap.silent.is_some_and(|silent| silent.is_index()) { 0 } else { self.filler() }
    }

    /// Logs and counts an access to a gap; `written` are the bytes of a write that is performed.
    fn note_gap(&mut self, gap: &Gap, is_write: bool, piece: Piece, written: &[u8]) {
        if let Some(observer) = self.observer() {
            let at = (self.bar_index, piece.offset);
            observer.elsewhere(Elsewhere::Unmapped, at, is_write, written);
        }
        let Some(silent) = &gap.silent else {
            self.touches.note_unmapped((self.bar_index, piece.offset), is_write.then_some(written));
            return self.log_refusal(Refusal::Unmapped, is_write, piece);
        };
        let attempt = self.attempt(is_write, piece);
        self.refusals.log_silent(silent, attempt, self.descriptor);
    }

    pub(super) fn log_refusal(&mut self, refusal: Refusal, is_write: bool, piece: Piece) {
        let attempt = self.attempt(is_write, piece);
        self.refusals.log_access(refusal, attempt, self.descriptor, self.map);
    }

    /// Returns the access as the client made it.
    fn attempt(&self, is_write: bool, Piece { offset, len }: Piece) -> Attempt {
        let bar = self.mirror.map_or(self.bar_index, |mirror| mirror.bar_index);
        Attempt { is_write, bar, offset, len }
    }
}

impl Part {
    fn new(element: &Element, offset: u64, len: usize) -> Self {
        let Element { target, index, start, .. } = *element;
        Part { target, index, first: offset - start, len }
    }

    /// The same bytes in a register whose most significant byte is the first one.
    fn reversed(self, register: &Register) -> Self {
        let behind = u64::from(register.width()) - self.first - self.len as u64;
        Part { first: behind, ..self }
    }

    fn enable(&self) -> u64 {
        byte_enable(self.first, self.len as u64)
    }
}

/// Returns how many bytes from `offset` on belong to the same target.
fn until(found: Found, offset: u64) -> usize {
    let end = match found {
        Ok(element) => element.end,
        Err(gap) => gap.end.unwrap_or(u64::MAX),
    };
    usize::try_from(end - offset).unwrap_or(usize::MAX)
}

/// Returns the stored value of a register; without storage, its reset value.
pub(crate) fn stored<D: PciDevice>(device: &D, register: &Register, slot: Slot) -> u64 {
    if register.is_stored() { device.load(slot) } else { register.reset().unwrap_or(0) }
}
