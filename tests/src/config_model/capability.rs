//! What the bits of capabilities do.

use super::{Keep, Model, Reset};

const PM: u8 = 0x01;
const VPD: u8 = 0x03;
const MSI: u8 = 0x05;
const EXPRESS: u8 = 0x10;
const MSIX: u8 = 0x11;
const AER: u16 = 0x01;
const LTR: u16 = 0x18;

impl Model {
    pub(super) fn capability(&mut self, id: u8, at: usize) {
        match id {
            PM => self.pm(at),
            VPD => {
                // Appendix I: the flag and the address, of doublewords; the data.
                self.writes(at + 2, 0xfffc, 2);
                self.writes(at + 4, 0xffff_ffff, 4);
                self.vpd_at = Some(at);
            }
            MSI => self.msi(at),
            EXPRESS => self.express(at),
            // 6.8.2.3: function mask and enable.
            MSIX => self.writes(at + 2, 0xc000, 2),
            _ => {}
        }
    }

    pub(super) fn extended(&mut self, id: u16, at: usize) {
        match id {
            AER => self.errors_at(at),
            // 7.8.2: value and scale of both latencies.
            LTR => self.writes(at + 4, 0x1fff_1fff, 4),
            _ => {}
        }
    }

    /// PCI Power Management Interface Specification 1.2, 3.2.3 and 3.2.4.
    fn pm(&mut self, at: usize) {
        self.power = Some(at);
        let wakes = self.word(at + 2) >> 11;
        self.writes(at + 4, 0b11, 2);
        if wakes == 0 {
            return;
        }
        self.writes(at + 4, 1 << 8, 2);
        self.clears(at + 4, 1 << 15, 2);
        // Bit 4: from D3cold, where nothing but this is powered.
        let keep = if wakes & 1 << 4 != 0 { Keep::Always } else { Keep::OverD3 };
        self.keeps(at + 4, 1 << 8 | 1 << 15, 2, keep);
    }

    pub(super) fn power_state(&self) -> u8 {
        self.power.map_or(0, |at| self.bytes[at + 4] & 0b11)
    }

    /// 5.4: which states can follow one another, and what the way to D0 resets.
    pub(super) fn settle_power(&mut self, before: u8) -> Option<Reset> {
        let at = self.power?;
        let after = self.power_state();
        let exists = match after {
            1 => self.word(at + 2) & 1 << 9 != 0,
            2 => self.word(at + 2) & 1 << 10 != 0,
            _ => true,
        };
        if !exists || (after != 0 && after < before) {
            self.bytes[at + 4] = (self.bytes[at + 4] & !0b11) | before;
            return None;
        }
        let no_soft_reset = self.bytes[at + 4] & 1 << 3 != 0;
        (before == 3 && after == 0 && !no_soft_reset).then_some(Reset::Power)
    }

    /// The device signals a power management event.
    pub fn wake(&mut self) {
        let Some(at) = self.power else { return };
        if self.word(at + 2) >> 11 & 1 << self.power_state() != 0 {
            self.bytes[at + 5] |= 0x80;
        }
    }

    /// Appendix I: a write of the flag's byte transfers a doubleword, and turns the flag over.
    pub(super) fn transfer_vpd(&mut self, offset: usize, len: usize) {
        let Some(at) = self.vpd_at else { return };
        if !(offset..offset + len).contains(&(at + 3)) {
            return;
        }
        let address = usize::from(self.word(at + 2) & 0x7fff);
        let is_write = self.bytes[at + 3] & 0x80 != 0;
        for place in 0..4 {
            let (data, place) = (at + 4 + place, address + place);
            let mask = self.vpd_writable.get(place).copied().unwrap_or(0);
            if !is_write {
                self.bytes[data] = self.vpd.get(place).copied().unwrap_or(0);
            } else if let Some(stored) = self.vpd.get_mut(place) {
                *stored = (*stored & !mask) | (self.bytes[data] & mask);
            }
        }
        self.bytes[at + 3] ^= 0x80;
    }

    /// PCI Local Bus Specification 3.0, 6.8.1.
    fn msi(&mut self, at: usize) {
        let control = self.word(at + 2);
        self.writes(at + 2, 0x0071, 2);
        self.writes(at + 4, 0xffff_fffc, 4);
        let data = if control & 1 << 7 != 0 {
            self.writes(at + 8, 0xffff_ffff, 4);
            at + 12
        } else {
            at + 8
        };
        self.writes(data, 0xffff, 2);
        if control & 1 << 8 != 0 {
            // As many mask bits as messages; pending bits behind them are the device's.
            let messages = 1 << (control >> 1 & 0b111);
            self.writes(data + 4, (1 << messages) - 1, 4);
        }
    }

    /// PCI Express Base Specification 5.0, 7.5.3.
    fn express(&mut self, at: usize) {
        self.express = Some(at);
        // Device control: error reports, relaxed ordering, payload, no snoop, read request.
        self.writes(at + 0x08, 0x78ff, 2);
        self.keeps(at + 0x08, 0b111 << 5, 2, Keep::OverFunction);
        if self.word(at + 0x04) & 1 << 5 != 0 {
            // Tags of 8 bits.
            self.writes(at + 0x08, 0x79ff, 2);
        }
        self.clears(at + 0x0a, 0x000f, 2);
        // Device control 2: no completion timeout; latency reports, if they are supported.
        self.writes(at + 0x28, 1 << 4, 2);
        if self.word(at + 0x24) & 1 << 11 != 0 {
            self.writes(at + 0x28, 1 << 10, 2);
        }
        let is_integrated = self.word(at + 2) >> 4 & 0xf == 0b1001;
        if !is_integrated {
            // Link control: ASPM, completion boundary, common clock, extended synch.
            self.writes(at + 0x10, 0x00cb, 2);
            self.keeps(at + 0x10, 0x00cb, 2, Keep::OverFunction);
            // Link control 2: the target speed, unless there is one speed only.
            if self.word(at + 0x0c) & 0xf > 1 {
                self.writes(at + 0x30, 0xf, 2);
                self.keeps(at + 0x30, 0xf, 2, Keep::Always);
            }
        }
    }

    /// Bit 15 of device control.
    pub(super) fn starts_flr(&self, offset: usize, data: &[u8]) -> bool {
        let Some(at) = self.express else { return false };
        let is_capable = self.bytes[at + 7] & 1 << 4 != 0;
        let written = (at + 9).checked_sub(offset).and_then(|place| data.get(place));
        is_capable && written.is_some_and(|byte| byte & 0x80 != 0)
    }
}
