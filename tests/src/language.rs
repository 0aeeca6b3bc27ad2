//! A device that uses every attribute of the language; `policies` has the policies.

pub mod rings;

use std::ops::Range;

use vfio_user::declaration::Descriptor;
use vfio_user::{Cx, Device, Fifo, PciDevice, Register, RegisterBlock, ResetKind, Result, Virtual};

use rings::Ring;

/// Values of a field, one of which is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
pub enum Mode {
    /// 0.
    #[default]
    Off,
    /// 1.
    Slow,
    /// 3.
    Fast = 3,
}

/// Values of a field, all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
pub enum Speed {
    /// 0.
    #[default]
    Full,
    /// Any other.
    Other(u8),
}

/// What a whole register can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u16, reserved = reject)]
pub enum Link {
    /// 0.
    #[default]
    Down,
    /// 1.
    Up,
    /// In the other byte.
    Test = 0x0100,
}

/// The same, with a variant for every value.
#[derive(Clone, Copy, Debug, PartialEq, Register)]
#[register(u8)]
#[repr(u8)]
pub enum Power {
    /// 1.
    On = 1,
    /// Any other.
    Other(u8),
}

/// Fields of every kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Register)]
#[register(u32)]
pub struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bit = 1, singlepulse)]
    start: bool,
    #[field(bit = 2, w1)]
    wlock: bool,
    #[field(bits = 4..=5, reset = 1, reserved = reject)]
    mode: Mode,
    #[field(bits = 6..=9)]
    speed: Speed,
    /// In two bytes, so that either is enough to clear it.
    #[field(bits = 12..=19, wc, reset = 0xa5)]
    errors: u8,
    #[field(bits = 20..=23, w1c)]
    causes: u8,
    #[field(bits = 24..=26, rc, volatile)]
    events: u8,
    #[field(bits = 28..=31, ro, reset = 0x5)]
    version: u8,
}

/// One of several queues.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
#[block(host = QueueHost)]
pub struct Queue {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08, on_write = resized)]
    size: u16,
    #[reg(0x0a, lock = locked)]
    limits: [u8; 2],
    #[reg(0x0c)]
    locked: u8,
    #[reg(0x10, wo, write_with = rung)]
    doorbell: Virtual<u32>,
    #[reg(0x14, w1c)]
    #[intr(status, enable = enable, mask = hold, test = test)]
    status: u8,
    #[reg(0x15)]
    enable: u8,
    #[reg(0x16)]
    hold: u8,
    #[reg(0x17, wo)]
    test: Virtual<u8>,
}

/// The soft reset that a command performs: of all but the queues.
const RESTART: u8 = 1;

/// Those before the others.
const QUEUES: u8 = 3;

impl Default for Power {
    fn default() -> Self {
        Power::Other(0)
    }
}

/// The device.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x2005, class = 0xff_0000, revision = 3,
      subsystem = (0x1234, 0x0001), name = "language", self_test)]
#[bar(0: mem32, size = 0x2000, raw(0x1fff..0x2000))]
#[bar(1: io, size = 0x100, unmapped = ones, unaligned = ignore,
      access(0..0x80: 4, 0x80..0x100: 2..=8), allow(express_io))]
#[bar(2: mem64, size = 0x1_0000_0000, prefetchable, unmapped = refuse,
      shared(0x8000_0000..0xc000_0000))]
#[bar(4: mem32, size = 0x1000, unmapped = refuse, access = 4)]
#[irq(intx, msi = 4, msix = 65, bar = 5, table = 0x1040, pba = 0x1800)]
#[bar(5: mem32, size = 0x2000)]
#[unmodelled(0x390..0x394 = "PHYCTL", 0x3f0..0x400 = "DEBUG")]
#[unmodelled(bar = 4, zero, 0x21..0x24 = "odd")]
#[capability(pm, express(speed = 3, width = 4, payload = 256, extended_tags))]
pub struct Language {
    #[reg(0x200, mask = 0x00ff_f00f)]
    masked: u32,
    #[reg(0x204, writable = 0x0000_ffff, reset = 0xabcd_0000)]
    partly: u32,
    #[reg(0x208, wc, mask = 0x0f0f, writable = 0x000f, reset = 0x0f0f)]
    partly_wc: u16,
    #[reg(0x20a)]
    packed: [u16; 3],
    #[reg(0x210, stride = 8)]
    heads: [u32; 4],
    #[reg(0x214, stride = 8, w1c, reset = 0xffff_0000)]
    tails: [u32; 4],
    #[reg(0x230)]
    constructed: u32,
    #[reg(0x234, ro, reset = 0x7472_6976)]
    constant: Virtual<u32>,
    #[reg(0x238, sticky)]
    sticky: u32,
    #[reg(0x23c, w1, sticky)]
    fuse: u32,
    #[reg(0x240, reset = 0x10, reset(flr = keep, soft(RESTART) = keep))]
    kept: u32,
    #[reg(0x244, singlepulse)]
    command: u32,
    #[reg(0x248, volatile, ro)]
    clock: u32,
    #[reg(0x24c)]
    lock: u32,
    #[reg(0x250, lock = lock)]
    locked: [u32; 2],
    #[reg(0x258, lock = lock, wide)]
    locked_wide: u64,
    #[reg(0x260)]
    locks: [u8; 2],
    #[reg(0x264, lock = locks)]
    limits: [u16; 2],

    #[reg(0x300)]
    control: Control,
    #[reg(0x304, lock = control.wlock)]
    guarded: u32,
    #[reg(0x308, w1c)]
    controls: [Control; 2],
    #[reg(0x310, ro)]
    identity: Virtual<Control>,
    #[reg(0x314)]
    links: [Link; 2],
    #[reg(0x318, w1, reset = 1)]
    power: Power,
    #[reg(0x319, ro, reset = 7)]
    supply: Virtual<Power>,

    #[reg(0x320, w1c)]
    #[intr(status, enable = enable, mask = hold, test = test)]
    status: u32,
    #[reg(0x324)]
    enable: u32,
    #[reg(0x328)]
    hold: u32,
    #[reg(0x32c, wo)]
    test: Virtual<u32>,
    #[reg(0x330, ro)]
    #[intr(status, trigger = level, vector = 64)]
    level: u8,

    #[reg(0x334, ro)]
    #[intr(status, test = raise, clear = acknowledge, vector = 2)]
    causes: u32,
    #[reg(0x338, wo)]
    raise: Virtual<u32>,
    #[reg(0x33c, wo)]
    acknowledge: Virtual<u32>,
    #[reg(0x384, ro, reset = 0x20)]
    #[intr(status_with = Self::reasons, enable = enable, vector = 3, on_composed = Self::identify)]
    reason: u8,

    #[reg(0x340, on_read = Self::seen, on_write = Self::stored, ioeventfd = 0x100)]
    observed: u32,
    #[reg(0x344, test(exclude = policies), read_with = Self::provide, write_with = Self::take)]
    replaced: u32,
    #[reg(0x348, kick = Self::kicked)]
    kicks: [u16; 2],
    #[reg(0x34c, port, read_with = Self::pop, write_with = Self::push)]
    data: Virtual<u32>,
    #[reg(0x350)]
    page: u8,
    #[reg(0x351, ro, overlay, reset = 0x5a)]
    shown: u8,
    #[reg(0x351, wo, overlay, allow(unread))]
    hidden: u8,
    #[reg(0x352, when(page = 0 | 2..=3))]
    first_page: u16,
    #[reg(0x352, when(page = 1), w1c, reset = 0xff)]
    second_page: [u8; 2],
    #[reg(0x354, when(size = 4))]
    whole: u32,
    #[reg(0x354, when(size = 1..=2))]
    pieces: [u16; 2],
    #[reg(0x358, select = page)]
    selected: [u32; 3],
    #[block(0x360, select = page, first = QUEUES + 3)]
    bank: [Queue; 2],
    #[reg(0x380, wo, write_with = Self::restart)]
    restart: Virtual<u32>,
    #[reg(0x388, big, w1c, reset = 0x1122_3344)]
    network_order: u32,
    #[reg(0x38c)]
    window_at: u32,
    #[reg(0x3a0)]
    window_bar: u8,
    #[reg(0x3a1)]
    window_length: u8,
    #[reg(0x398, window(at = window_at, bar = window_bar, len = window_length, step = 4))]
    through: Virtual<u64>,
    #[block(0x400, stride = 0x20, vector = 8, vector_stride = 1, reset(soft(RESTART) = keep))]
    queues: [Queue; QUEUES as usize],
    #[block(0x900, bar = 5, first = QUEUES, vector = QUEUES)]
    more_queues: [Queue; 2],
    #[block(0x500, bar = 5, stride = 0x80, vector = 16, vector_stride = 2)]
    rings: [Ring; 2],

    #[reg(0x00, bar = 1)]
    port: u32,
    #[reg(0x04, bar = 1)]
    narrow: u16,
    #[reg(0x80, bar = 1)]
    long: u64,
    #[reg(0x90, bar = 1, rc)]
    counter: u16,
    #[reg(0x00, bar = 2)]
    near: u64,
    #[reg(0x8000_0000, bar = 2, watch)]
    watched: [u16; 4],
    #[reg(0xffff_fff8, bar = 2)]
    far: u64,
    #[reg(0x00, bar = 4)]
    strict: u32,
    #[reg(0x08, bar = 4, w1t)]
    halves: u64,
    #[reg(0x450, bar = 5)]
    between: u32,

    #[reg(0xc0, bar = config, reset = 0x1122_0044, mask = 0xffff_00ff)]
    window: u32,
    #[reg(0xc4, bar = config, w1c, reset = 0xf0f0)]
    faults: [u16; 2],
    #[reg(0xc8, bar = config, rc, sticky)]
    log: u32,
    #[block(0xd0, bar = config, first = QUEUES + 2)]
    config_queue: Queue,

    #[memory(0x1001..0x1fff, on_write = Self::touched)]
    buffer: Box<[u8]>,
    #[memory(0x300..0x320, bar = 5, reset = zero)]
    cleared: [u8; 0x20],
    #[memory(0x10..0x20, bar = 4, reset = keep)]
    kept_bytes: Vec<u8>,

    fifo: Fifo<u8, 9>,
    accesses: u64,
}

impl Device for Language {
    type Event = u32;

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        descriptor.set_rom([0x55, 0xaa].repeat(0x700));
        Ok(())
    }

    fn event(&mut self, _: &mut Cx<'_, Self>, bits: u32) {
        self.status |= bits;
        self.clock += 1;
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.accesses = 0;
        self.fifo.clear();
        self.rings.iter_mut().for_each(Ring::forget);
    }
}

impl Language {
    /// With registers whose values are nowhere declared.
    pub fn constructed() -> Self {
        Language { constructed: 0x1234_5678, heads: [1, 2, 3, 4], ..Language::default() }
    }

    fn seen(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        self.accesses += 1;
    }

    fn stored(&mut self, cx: &mut Cx<'_, Self>, _: u32, new: u32) {
        self.accesses += 1;
        cx.post(new);
    }

    fn pop(&mut self, _: &mut Cx<'_, Self>, data: &mut [u8]) {
        data.fill_with(|| self.fifo.pop().unwrap_or(0xff));
    }

    fn push(&mut self, _: &mut Cx<'_, Self>, data: &[u8]) {
        let lost = data.iter().filter(|byte| self.fifo.push(**byte).is_err());
        self.accesses += lost.count() as u64;
    }

    fn touched(&mut self, _: &mut Cx<'_, Self>, range: Range<usize>) {
        self.accesses += range.len() as u64;
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>, _: usize) {
        self.accesses += 1;
    }

    fn restart(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        if value % 4 == 1 {
            cx.soft_reset(self, RESTART);
        }
    }

    fn reasons(&self) -> u32 {
        self.replaced
    }

    fn identify(&mut self, _: &mut Cx<'_, Self>, pending: u32) {
        self.reason = u8::try_from(pending.trailing_zeros()).unwrap_or(u8::MAX);
    }

    fn provide(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.replaced.rotate_left(1)
    }

    fn take(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.replaced = value.rotate_right(1);
        cx.irq(1).raise();
    }
}

impl QueueHost for Language {
    fn resized(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u16, _: u16) {
        self.accesses += 1;
    }

    fn rung(&mut self, _: &mut Cx<'_, Self>, index: usize, value: u32) {
        let in_bars = self.queues.iter_mut().chain(&mut self.more_queues);
        let mut queues = in_bars.chain([&mut self.config_queue]).chain(&mut self.bank);
        let queue = queues.nth(index).expect("there are no more");
        [queue.locked, ..] = value.to_le_bytes();
    }
}
