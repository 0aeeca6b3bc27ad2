//! A model of a configuration space, bit by bit, after the PCI specifications.
//!
//! The model starts from the initial bytes of a device, read as an operating system reads them, and
//! from the author's declarations that are not visible there. The behaviour of each bit is written
//! here from the specifications; nothing comes from the code under test.

mod capability;
mod errors;

/// The effect of software writes on a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    ReadOnly,
    ReadWrite,
    /// Writing a one clears it.
    OneClears,
}

/// The resets that leave a bit unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// None.
    Never,
    /// The transition from D3hot: bits that signal power management events.
    OverD3,
    /// Resets of the function alone: the link is not reset.
    OverFunction,
    /// All of them: sticky.
    Always,
}

#[derive(Clone, Copy, Debug)]
struct Bit {
    access: Access,
    keep: Keep,
}

/// The kinds of resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// By the client.
    Device,
    /// By the guest, in device control.
    Function,
    /// By the guest, from D3hot to D0.
    Power,
}

/// The author's declarations that are not visible in configuration space.
#[derive(Clone, Debug, Default)]
pub struct Author {
    /// Sizes of the BARs and of the ROM, in bytes; 0 for none. The upper half of a wide BAR has
    /// none.
    pub bars: [u64; 6],
    /// The same.
    pub rom: u64,
    /// The writable bits of the author's bytes: their offset and mask.
    pub writable: Vec<(usize, Vec<u8>)>,
    /// Vital product data, and their writable bits.
    pub vpd: (Vec<u8>, Vec<u8>),
}

/// A configuration space.
#[derive(Clone, Debug)]
pub struct Model {
    initial: Vec<u8>,
    /// The value of a read.
    pub bytes: Vec<u8>,
    bits: Vec<[Bit; 8]>,
    power: Option<usize>,
    express: Option<usize>,
    aer: Option<usize>,
    vpd_at: Option<usize>,
    /// Vital product data.
    pub vpd: Vec<u8>,
    vpd_writable: Vec<u8>,
}

impl Model {
    /// Creates the model of a new device that shows `initial`.
    pub fn new(initial: &[u8], author: &Author) -> Self {
        let untouchable = Bit { access: Access::ReadOnly, keep: Keep::Never };
        let mut model = Model {
            initial: initial.to_vec(),
            bytes: initial.to_vec(),
            bits: vec![[untouchable; 8]; initial.len()],
            power: None,
            express: None,
            aer: None,
            vpd_at: None,
            vpd: author.vpd.0.clone(),
            vpd_writable: author.vpd.1.clone(),
        };
        model.header(author);
        for (id, at) in capabilities(initial) {
            model.capability(id, at);
        }
        for (id, at) in extended_capabilities(initial) {
            model.extended(id, at);
        }
        for (at, mask) in &author.writable {
            for (at, mask) in (*at..).zip(mask) {
                model.writes(at, u64::from(*mask), 1);
            }
        }
        model
    }

    /// PCI Local Bus Specification 3.0, 6.1 and 6.2.
    fn header(&mut self, author: &Author) {
        // I/O, memory, bus master, parity, SERR, interrupt disable.
        self.writes(0x04, 0x0547, 2);
        self.clears(0x06, 0xf900, 2);
        self.writes(0x0c, 0xff, 1);
        if self.bytes.len() == 256 {
            // PCI Express hardwires the latency timer.
            self.writes(0x0d, 0xff, 1);
        }
        self.writes(0x3c, 0xff, 1);
        let mut place = 0;
        while place < 6 {
            let (at, size) = (0x10 + place * 4, author.bars[place]);
            let is_wide = self.bytes[at] & 0b111 == 0b100;
            if size > 0 {
                let mask = size.wrapping_neg();
                if is_wide {
                    self.writes(at, mask, 8);
                } else {
                    self.writes(at, mask & 0xffff_ffff, 4);
                }
            }
            place += if is_wide { 2 } else { 1 };
        }
        if author.rom > 0 {
            self.writes(0x30, (author.rom.wrapping_neg() & 0xffff_ffff) | 1, 4);
        }
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// Returns bit `place` of the registers from `at` on.
    fn bit(&self, at: usize, place: usize) -> bool {
        self.bytes[at + place / 8] >> (place % 8) & 1 == 1
    }

    fn set_bit(&mut self, at: usize, place: usize) {
        self.bytes[at + place / 8] |= 1 << (place % 8);
    }

    fn each(&mut self, at: usize, mask: u64, width: usize, change: impl Fn(&mut Bit)) {
        for place in (0..width * 8).filter(|place| mask >> place & 1 == 1) {
            change(&mut self.bits[at + place / 8][place % 8]);
        }
    }

    fn writes(&mut self, at: usize, mask: u64, width: usize) {
        self.each(at, mask, width, |bit| bit.access = Access::ReadWrite);
    }

    fn clears(&mut self, at: usize, mask: u64, width: usize) {
        self.each(at, mask, width, |bit| bit.access = Access::OneClears);
    }

    fn keeps(&mut self, at: usize, mask: u64, width: usize, keep: Keep) {
        self.each(at, mask, width, |bit| bit.keep = keep);
    }

    /// Whether software can change a byte at all.
    pub fn is_read_only(&self, at: usize) -> bool {
        self.bits[at].iter().all(|bit| bit.access == Access::ReadOnly)
    }

    /// Applies a write of software, and returns the reset that it causes, if any.
    pub fn write(&mut self, offset: usize, data: &[u8]) -> Option<Reset> {
        let before = self.power_state();
        for (at, written) in (offset..).zip(data) {
            for place in 0..8 {
                let (old, new) = (self.bytes[at] >> place & 1, written >> place & 1);
                let now = match self.bits[at][place].access {
                    Access::ReadOnly => old,
                    Access::ReadWrite => new,
                    Access::OneClears => old & !new,
                };
                self.bytes[at] = (self.bytes[at] & !(1 << place)) | now << place;
            }
        }
        self.transfer_vpd(offset, data.len());
        let woken = self.settle_power(before);
        let reset = if self.starts_flr(offset, data) { Some(Reset::Function) } else { woken };
        if let Some(reset) = reset {
            self.reset(reset);
        }
        reset
    }

    /// Resets the function.
    pub fn reset(&mut self, reset: Reset) {
        for (at, bits) in self.bits.iter().enumerate() {
            for (place, bit) in bits.iter().enumerate() {
                let is_kept = match bit.keep {
                    Keep::Never => false,
                    Keep::OverD3 => reset == Reset::Power,
                    Keep::OverFunction => reset != Reset::Device,
                    Keep::Always => true,
                };
                if !is_kept {
                    let bit = 1 << place;
                    self.bytes[at] = (self.bytes[at] & !bit) | (self.initial[at] & bit);
                }
            }
        }
    }

    /// Applies bus errors that the device reports, as bits of the status register.
    pub fn bus_errors(&mut self, errors: u16) {
        let command = self.word(0x04);
        let mut shown = errors & 0xf900;
        if command & 1 << 6 == 0 {
            // Data parity counts only with parity error response enabled.
            shown &= !(1 << 8);
        }
        if command & 1 << 8 == 0 {
            shown &= !(1 << 14);
        }
        let status = (self.word(0x06) | shown).to_le_bytes();
        self.bytes[6..8].copy_from_slice(&status);
    }

    /// Whether the function is in D0.
    pub fn is_awake(&self) -> bool {
        self.power_state() == 0
    }
}

/// Walks the capability list as an operating system does, and returns ids and offsets.
///
/// # Panics
///
/// If the list is malformed.
pub fn capabilities(space: &[u8]) -> Vec<(u8, usize)> {
    let mut list = Vec::new();
    let mut at = usize::from(space[0x34]);
    assert_eq!(at != 0, space[6] & 0x10 != 0, "the status register reports the list");
    while at != 0 {
        assert!(at >= 0x40 && at.is_multiple_of(4), "a capability at {at:#x}");
        assert!(list.len() < 48, "the list does not end");
        list.push((space[at], at));
        at = space[at + 1].into();
    }
    list
}

/// Returns the same for the extended list.
///
/// # Panics
///
/// If the list is malformed.
pub fn extended_capabilities(space: &[u8]) -> Vec<(u16, usize)> {
    let mut list = Vec::new();
    let mut at = 0x100;
    while at != 0 && at < space.len() {
        assert!(at >= 0x100 && at.is_multiple_of(4), "an extended capability at {at:#x}");
        assert!(list.len() < 960, "the extended list does not end");
        let header = u32::from_le_bytes(space[at..at + 4].try_into().expect("four bytes"));
        if header == 0 {
            break;
        }
        list.push(((header & 0xffff) as u16, at));
        at = (header >> 20) as usize;
    }
    list
}
