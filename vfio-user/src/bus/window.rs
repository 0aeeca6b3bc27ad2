//! Windows: the access goes on to a BAR, at an offset that a register holds.

use super::port::Bytes;
use super::rules::Piece;
use super::{Bus, Refusal, trace};
use crate::device::PciDevice;
use crate::model::{Register, Slot, View, Window, beside};
use crate::protocol::Errno;

/// What is read where a window reaches no BAR, or one that refuses the access.
const NOTHING: u8 = 0xff;

impl<D: PciDevice> Bus<'_, '_, D> {
    pub(super) fn read_window(
        &mut self,
        window: &Window,
        (register, slot): (&Register, Slot),
        bytes: Bytes,
    ) -> u64 {
        if register.access().readable() == 0 {
            return 0;
        }
        let mut data = [0; 8];
        let view = self.view(window, slot, bytes);
        let seen = &mut data[..view.len];
        let is_read = self.through(slot, view, "read", |bus| bus.read_inside(view.offset, seen));
        if is_read.is_err() {
            data[..view.len].fill(NOTHING);
        }
        self.step(window, slot, view);
        u64::from_le_bytes(data) << bytes.shift
    }

    pub(super) fn write_window(
        &mut self,
        window: &Window,
        (register, slot): (&Register, Slot),
        bytes: Bytes,
        bits: u64,
    ) {
        if register.access().writable() == 0 {
            self.refusals.log_write(Refusal::ReadOnly, bytes.enable(), slot, self.descriptor);
            return;
        }
        let view = self.view(window, slot, bytes);
        let data = bits.to_le_bytes();
        // What the BAR refuses has been logged, and has no effect.
        let _ = self
            .through(slot, view, "write", |bus| bus.write_inside(view.offset, &data[..view.len]));
        self.step(window, slot, view);
    }

    fn view(&self, window: &Window, slot: Slot, bytes: Bytes) -> View {
        let range = (u64::from(bytes.shift / 8), usize::from(bytes.len));
        window.view((slot, self.bar_index), range, |slot| self.device.load(slot))
    }

    /// Accesses the BAR that a window reaches.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such BAR, or if the access has come through a window before; the
    /// error of the access.
    fn through(
        &mut self,
        slot: Slot,
        view: View,
        verb: &str,
        access: impl FnOnce(&mut Self) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if view.len == 0 {
            return Ok(());
        }
        if self.is_in_window {
            self.refusals.log_window(Refusal::Nested, slot, view.bar, self.descriptor);
            return Err(Errno::EINVAL);
        }
        let bar =
            u8::try_from(view.bar).map_or(usize::MAX, |bar| self.descriptor.origin(bar).into());
        let declared = self.descriptor.bars().get(bar).and_then(Option::as_ref);
        let (Some(declared), Some(map)) = (declared, self.maps.get(bar)) else {
            self.refusals.log_window(Refusal::NoBar, slot, view.bar, self.descriptor);
            return Err(Errno::EINVAL);
        };
        if trace::is_on() {
            trace::window(&self.name(slot), verb, view);
        }
        let outer = (self.bar_index, self.bar, self.map, self.mirror.take());
        (self.bar_index, self.bar, self.map) = (bar, declared, map);
        (self.is_in_window, self.was_reset) = (true, false);
        let result = access(self);
        self.is_in_window = false;
        (self.bar_index, self.bar, self.map, self.mirror) = outer;
        result
    }

    /// Reads bytes of a BAR that may lie behind its end.
    fn read_inside(&mut self, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        if self.is_inside(offset, data.len()) {
            return self.read_bar(offset, data);
        }
        self.log_refusal(Refusal::Unmapped, false, Piece { offset, len: data.len() });
        data.fill(self.filler());
        Ok(())
    }

    fn write_inside(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if self.is_inside(offset, data.len()) {
            return self.write_bar(offset, data);
        }
        self.log_refusal(Refusal::Unmapped, true, Piece { offset, len: data.len() });
        Ok(())
    }

    fn is_inside(&self, offset: u64, len: usize) -> bool {
        offset.checked_add(len as u64).is_some_and(|end| end <= self.bar.size())
    }

    /// Moves the offset of a window, unless a hook has reset the device.
    fn step(&mut self, window: &Window, slot: Slot, view: View) {
        if window.step() == 0 || view.len == 0 || self.was_reset {
            return;
        }
        let at = window.at();
        let slot = beside(slot, at);
        let register = self.descriptor.register(slot);
        let (old, mask) = (self.device.load(slot), at.mask & register.implemented());
        let moved = at.with(at.of(old).wrapping_add(window.step()));
        let new = self.without_rejected(register, slot, old, (old & !mask) | (moved & mask));
        self.device.store(slot, new);
    }
}
