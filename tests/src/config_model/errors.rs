//! Advanced error reporting, bit by bit (PCI Express Base Specification 5.0, 6.2.5 and 7.8.4).

use super::{Keep, Model};

/// Uncorrectable errors: data link protocol, surprise down, and all from poisoned packets to
/// blocked prefixes.
const UNCORRECTABLE: u64 = 0x03ff_f030;
/// Correctable errors: receiver, packets, replays, advisory, internal, log overflow.
const CORRECTABLE: u64 = 0x0000_f1c1;

impl Model {
    pub(super) fn errors_at(&mut self, at: usize) {
        self.aer = Some(at);
        self.clears(at + 0x04, UNCORRECTABLE, 4);
        self.writes(at + 0x08, UNCORRECTABLE, 4);
        self.writes(at + 0x0c, UNCORRECTABLE, 4);
        self.clears(at + 0x10, CORRECTABLE, 4);
        self.writes(at + 0x14, CORRECTABLE, 4);
        for register in (0x04..0x2c).step_by(4) {
            self.keeps(at + register, 0xffff_ffff, 4, Keep::Always);
        }
        // What is masked and what is fatal at first.
        for place in 0..32 {
            assert_eq!(self.bit(at + 0x08, place), place == 22, "mask of {place}");
            let is_fatal = [4, 5, 13, 17, 18, 22].contains(&place);
            assert_eq!(self.bit(at + 0x0c, place), is_fatal, "severity of {place}");
            let is_masked = [13, 14, 15].contains(&place);
            assert_eq!(self.bit(at + 0x14, place), is_masked, "correctable mask of {place}");
        }
    }

    /// The device reports a correctable error.
    pub fn correctable_error(&mut self, error: usize) {
        if let Some(at) = self.express {
            self.set_bit(at + 0x0a, 0);
        }
        if let Some(at) = self.aer {
            self.set_bit(at + 0x10, error);
        }
    }

    /// The device reports an uncorrectable error; whether the client is notified.
    pub fn uncorrectable_error(&mut self, number: u8, header: [u32; 4]) -> bool {
        const UNSUPPORTED_REQUEST: usize = 20;
        let error = usize::from(number);
        let is_fatal = match self.aer {
            Some(at) => self.bit(at + 0x0c, error),
            None => [4, 5, 13, 17, 18, 22].contains(&error),
        };
        let kind = if is_fatal { 2 } else { 1 };
        if let Some(at) = self.express {
            self.set_bit(at + 0x0a, kind);
            if error == UNSUPPORTED_REQUEST {
                self.set_bit(at + 0x0a, 3);
            }
        }
        if let Some(at) = self.aer {
            let first = usize::from(self.bytes[at + 0x18] & 0x1f);
            let has_first = self.bit(at + 0x04, first);
            self.set_bit(at + 0x04, error);
            if self.bit(at + 0x08, error) {
                // A masked error is not reported, so the pointer must not appear to be that of one:
                // it is invalid while it points to a bit that no error has (7.8.4.7).
                if first == error && !has_first {
                    self.bytes[at + 0x18] &= !0x1f;
                }
                return false;
            }
            if !has_first {
                self.bytes[at + 0x18] = (self.bytes[at + 0x18] & !0x1f) | number;
                for (place, doubleword) in header.into_iter().enumerate() {
                    let at = at + 0x1c + place * 4;
                    self.bytes[at..at + 4].copy_from_slice(&doubleword.to_le_bytes());
                }
            }
        }
        let has_serr = self.bit(0x04, 8);
        let is_notified = match self.express {
            None => has_serr,
            Some(at) if error == UNSUPPORTED_REQUEST && !self.bit(at + 0x08, 3) => false,
            Some(at) => has_serr || self.bit(at + 0x08, kind),
        };
        if is_notified && has_serr {
            self.set_bit(0x06, 14);
        }
        is_notified
    }
}
