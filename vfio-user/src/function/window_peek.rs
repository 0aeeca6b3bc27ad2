//! Inspection through windows.

use super::{PciFunction, Peek};
use crate::bus::{AccessKind, Contents, Target};
use crate::device::PciDevice;
use crate::model::{Slot, Unmapped, View, Window};

/// What is read where a window reaches no BAR.
const NOTHING: u64 = 0xff;

impl<D: PciDevice> PciFunction<D> {
    /// Returns the value that a window shows now.
    pub(super) fn peek_window(&self, window: &Window, slot: Slot) -> Peek {
        let width = u64::from(self.descriptor().register(slot).width());
        (0..width).rev().fold(Peek::Known(0), |all, at| {
            let byte = self.peek_through(window, slot, at);
            let bits = all.bits() << 8 | byte.bits() & 0xff;
            if all.is_known() && byte.is_known() {
                Peek::Known(bits)
            } else {
                Peek::Unreliable(bits)
            }
        })
    }

    /// Returns a byte that a window shows. Another window shows nothing through it.
    pub(super) fn peek_through(&self, window: &Window, slot: Slot, at: u64) -> Peek {
        let own = self.descriptor().locate(slot).0;
        let load = |slot| self.device().load(slot);
        let View { bar, offset, len } = window.view((slot, own.into()), (at, 1), load);
        if len == 0 {
            return Peek::Known(0);
        }
        let bar = u8::try_from(bar).map(|bar| self.descriptor().origin(bar));
        let declared = bar.ok().and_then(|bar| {
            Some((bar, self.descriptor().bars().get(usize::from(bar)).copied().flatten()?))
        });
        let Some((bar, declared)) = declared else { return Peek::Known(NOTHING) };
        let unmapped = match declared.unmapped() {
            Unmapped::Zero => 0,
            Unmapped::Ones | Unmapped::Refuse => NOTHING,
        };
        if offset >= declared.size() {
            return Peek::Known(unmapped);
        }
        let area = self.map(bar).and_then(|map| map.areas().find(offset));
        match area.map(|area| area.contents) {
            Some(Contents::Shared) => {
                let mut byte = [0];
                let is_read = self.shared(bar).read(offset, &mut byte).is_ok();
                if is_read { Peek::Known(byte[0].into()) } else { Peek::Unreliable(unmapped) }
            }
            Some(Contents::Memory(_) | Contents::Unmodelled(_)) => {
                self.peek_area_byte(bar, offset).unwrap_or(Peek::Known(0))
            }
            Some(Contents::Raw) => Peek::Unreliable(unmapped),
            None if self.is_window_at(bar, offset) => Peek::Known(NOTHING),
            None => self.peek_byte(bar, offset, 1).unwrap_or(Peek::Known(unmapped)),
        }
    }

    fn is_window_at(&self, bar: u8, offset: u64) -> bool {
        let access = AccessKind { is_write: false, size: 1 };
        let found = self.find(bar, offset, access).and_then(Result::ok);
        found.is_some_and(|element| match element.target {
            Target::Register(slot) => self.descriptor().register(slot).window().is_some(),
            Target::MsixTable | Target::MsixPba => false,
        })
    }
}
