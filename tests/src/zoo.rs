//! A device with one of everything.

use std::thread;

use vfio_user::{Cx, Device, DmaError, PciDevice, Remote, ResetKind, Result, Virtual};

use crate::journal::{Call, Gate, Journal};

/// Offsets in BAR 0 of the registers with effects.
pub mod reg {
    #![allow(missing_docs, reason = "named as the fields of the device")]
    pub const DMA_SOURCE: u64 = 0x200;
    pub const DMA_TARGET: u64 = 0x208;
    pub const DMA_LEN: u64 = 0x210;
    pub const DMA_GO: u64 = 0x214;
    pub const DMA_STATUS: u64 = 0x218;
    pub const DMA_DATA: u64 = 0x220;
    pub const RAISE: u64 = 0x228;
    pub const LEVEL: u64 = 0x22c;
    pub const POST: u64 = 0x230;
    pub const WORKER: u64 = 0x234;
    pub const KEEP: u64 = 0x238;
    pub const PANIC: u64 = 0x23c;
    pub const HOLD: u64 = 0x240;
    pub const CHAIN: u64 = 0x244;
    pub const EVENTS: u64 = 0x248;
    pub const SCRATCH: u64 = 0x24c;
}

/// Values of the register `DMA_STATUS`.
pub mod dma_status {
    #![allow(missing_docs, reason = "named as the variants of the error")]
    pub const DONE: u32 = 1;
    pub const UNMAPPED: u32 = 2;
    pub const NOT_READABLE: u32 = 3;
    pub const NOT_WRITABLE: u32 = 4;
    pub const WRAPS: u32 = 5;
    pub const MESSAGE_MODE: u32 = 6;
    pub const LOST: u32 = 7;
    pub const IO: u32 = 8;
    pub const OTHER: u32 = 9;
}

/// Commands of the register `DMA_GO`.
pub mod dma_go {
    /// Copies from source to target.
    pub const COPY: u32 = 1;
    /// Reads 8 bytes into `DMA_DATA`.
    pub const READ: u32 = 2;
    /// Writes the 8 bytes of `DMA_DATA`.
    pub const WRITE: u32 = 3;
}

/// An event with this number panics.
pub const PANICS: u32 = 0xdead_beef;

/// The expansion ROM's image.
pub const ROM: &[u8] = b"\x55\xaa\x02 an image that is no power of two";

/// The test's side of a device.
#[derive(Clone, Debug, Default)]
pub struct Kit {
    /// The calls of the device's hooks.
    pub journal: Journal,
    /// The door at which a write to `HOLD` waits.
    pub gate: Gate,
}

/// Events of a [`Zoo`].
#[derive(Debug)]
pub enum Event {
    /// Records itself.
    Note(u32),
    /// Posts itself again.
    Chain,
}

/// A device with one of everything.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f5, class = 0x05_8001, revision = 7,
      subsystem = (0x1b36, 0x1100))]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x100, unmapped = ones, allow(express_io))]
#[bar(2: mem64, size = 0x2_0000_0000, prefetchable)]
#[bar(4: mem32, size = 0x100, unmapped = refuse)]
#[irq(intx, msi = 8, msix = 256, bar = 5)]
#[capability(pm(d1, wakes_from(d0, d3hot)), express(endpoint, flr), msi(maskable, at = 0xd0), msix)]
#[capability(subsystem, vpd(Zoo::PRODUCT_DATA, writable = &[0xf0]))]
#[capability(vendor(b"a zoo", writable = b"\x00\xff\x0f"), vendor(b"more of it", at = 0xf0))]
#[capability(custom(&[0x12, 0x34], id = 0x06, writable = &[0xf0]))]
#[capability(serial = Self::SERIAL, vsec(&[0x5a; 8], id = 0x0200, revision = 1, writable = &[0xff; 4]))]
#[capability(dvsec(b"strange", vendor = 0x1b36, id = 7, revision = 2, at = 0x180), ltr)]
#[capability(extended(b"\x01\x02\x03\x04", id = 0x00fe, version = 3), aer)]
pub struct Zoo {
    // Every policy in every width. A gap of a byte follows each first one.
    #[reg(0x00, bar = 0, ro, reset = 0xa5)]
    ro8: u8,
    #[reg(0x02, bar = 0, ro, reset = 0xa55a)]
    ro16: u16,
    #[reg(0x04, bar = 0, ro, reset = 0xa55a_1234)]
    ro32: u32,
    #[reg(0x08, bar = 0, ro, reset = 0xa55a_1234_8765_4321)]
    ro64: u64,
    #[reg(0x10, bar = 0, rw)]
    rw8: u8,
    #[reg(0x12, bar = 0, rw, reset = 0x0102)]
    rw16: u16,
    #[reg(0x14, bar = 0, rw)]
    rw32: u32,
    #[reg(0x18, bar = 0)]
    rw64: u64,
    #[reg(0x20, bar = 0, wo, allow(unread))]
    wo8: u8,
    #[reg(0x22, bar = 0, wo, allow(unread))]
    wo16: u16,
    #[reg(0x24, bar = 0, wo, reset = 0x1111_2222, allow(unread))]
    wo32: u32,
    #[reg(0x28, bar = 0, wo, allow(unread))]
    wo64: u64,
    #[reg(0x30, bar = 0, w1c, reset = 0xff)]
    w1c8: u8,
    #[reg(0x32, bar = 0, w1c, reset = 0xffff)]
    w1c16: u16,
    #[reg(0x34, bar = 0, w1c, reset = 0x0101_0101)]
    w1c32: u32,
    #[reg(0x38, bar = 0, w1c, reset = 0xffff_ffff_ffff_ffff)]
    w1c64: u64,
    #[reg(0x40, bar = 0, w1s)]
    w1s8: u8,
    #[reg(0x42, bar = 0, w1s)]
    w1s16: u16,
    #[reg(0x44, bar = 0, w1s, reset = 0x8000_0001)]
    w1s32: u32,
    #[reg(0x48, bar = 0, w1s)]
    w1s64: u64,
    // Masks.
    #[reg(0x50, bar = 0, mask = 0x00ff_f00f)]
    masked: u32,
    #[reg(0x54, bar = 0, writable = 0x0000_ffff, reset = 0xabcd_0000)]
    partly: u32,
    #[reg(0x58, bar = 0, w1c, mask = 0x0f0f, writable = 0x000f, reset = 0x0f0f)]
    partly_w1c: u16,
    // Arrays: packed, and two that are interleaved.
    #[reg(0x60, bar = 0)]
    packed: [u16; 3],
    #[reg(0x70, bar = 0, stride = 8)]
    heads: [u32; 4],
    #[reg(0x74, bar = 0, stride = 8, w1c, reset = 0xffff_0000)]
    tails: [u32; 4],
    // Without a declared reset value: what the device was constructed with.
    #[reg(0x90, bar = 0)]
    constructed: u32,
    #[reg(0x94, bar = 0, ro, reset = 0x7472_6976)]
    constant: Virtual<u32>,

    // Hooks.
    #[reg(0x100, bar = 0, on_read = Self::observed_read, on_write = Self::observed_write)]
    observed: u32,
    #[reg(0x104, bar = 0, read_with = Self::provide)]
    provided: u32,
    #[reg(0x108, bar = 0, write_with = Self::replace, test(exclude = policies))]
    replaced: u32,
    #[reg(0x10c, bar = 0, wo, write_with = Self::command)]
    command: Virtual<u32>,
    #[reg(0x110, bar = 0, on_write = Self::wide_write)]
    wide: u64,
    #[reg(0x118, bar = 0, w1c, reset = 0xffff_ffff, on_write = Self::acknowledged)]
    status: u32,
    #[reg(0x11c, bar = 0, w1c, write_with = Self::raw_acknowledge)]
    raw_status: u32,
    #[reg(0x120, bar = 0, on_write = Self::element_written)]
    elements: [u32; 4],

    // Registers that do something.
    #[reg(reg::DMA_SOURCE, bar = 0)]
    dma_source: u64,
    #[reg(reg::DMA_TARGET, bar = 0)]
    dma_target: u64,
    #[reg(reg::DMA_LEN, bar = 0, mask = 0xf_ffff)]
    dma_len: u32,
    #[reg(reg::DMA_GO, bar = 0, wo, write_with = Self::dma)]
    dma_go: Virtual<u32>,
    #[reg(reg::DMA_STATUS, bar = 0, ro)]
    dma_status: u32,
    #[reg(reg::DMA_DATA, bar = 0)]
    dma_data: u64,
    #[reg(reg::RAISE, bar = 0, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    #[reg(reg::LEVEL, bar = 0, wo, write_with = Self::level)]
    level: Virtual<u32>,
    #[reg(reg::POST, bar = 0, wo, write_with = Self::post)]
    post: Virtual<u32>,
    #[reg(reg::WORKER, bar = 0, wo, write_with = Self::work, test(exclude = all))]
    worker: Virtual<u32>,
    #[reg(reg::KEEP, bar = 0, wo, write_with = Self::keep)]
    keep: Virtual<u32>,
    #[reg(reg::PANIC, bar = 0, wo, write_with = Self::panic, test(exclude = all))]
    panic: Virtual<u32>,
    #[reg(reg::HOLD, bar = 0, wo, write_with = Self::hold, test(exclude = all))]
    hold: Virtual<u32>,
    #[reg(reg::CHAIN, bar = 0, wo, write_with = Self::chain, test(exclude = all))]
    chain: Virtual<u32>,
    #[reg(reg::EVENTS, bar = 0, ro)]
    events: u32,
    #[reg(reg::SCRATCH, bar = 0)]
    scratch: u32,

    // Ports, where gaps read as ones.
    #[reg(0x00, bar = 1)]
    port8: u8,
    #[reg(0x04, bar = 1)]
    port32: u32,
    // Beyond 4 GiB in a large BAR.
    #[reg(0x00, bar = 2)]
    near: u64,
    #[reg(0x1_ffff_fff8, bar = 2)]
    far: u64,
    // Where gaps are refused.
    #[reg(0x00, bar = 4, on_write = Self::strict_write)]
    strict0: u32,
    #[reg(0x04, bar = 4, on_read = Self::strict_read)]
    strict1: u32,
    #[reg(0x10, bar = 4)]
    strict2: u32,

    #[migrate(skip)]
    kit: Kit,
    #[migrate(skip)]
    remote: Option<Remote<Event>>,
}

impl Zoo {
    /// The value that the register without a reset value is constructed with.
    pub const CONSTRUCTED: u32 = 0x1234_5678;
    /// The serial number of the function.
    pub const SERIAL: u64 = 0x0011_22ff_ff33_4455;
    /// The vital product data of the function.
    pub const PRODUCT_DATA: &[u8] = b"\x82\x03\x00zoo\x78";

    /// Creates devices that share a kit.
    pub fn factory(kit: &Kit) -> impl FnMut() -> Zoo + Send + 'static {
        let kit = kit.clone();
        move || Zoo { kit: kit.clone(), constructed: Self::CONSTRUCTED, ..Zoo::default() }
    }

    fn record(&self, call: Call) {
        self.kit.journal.record(call);
    }
}

impl Device for Zoo {
    type Event = Event;

    fn configure(&self, descriptor: &mut vfio_user::declaration::Descriptor) -> Result<()> {
        descriptor.set_rom(ROM);
        Ok(())
    }

    fn start(&mut self, _: &mut Cx<'_, Self>) -> Result<()> {
        self.record(Call::Started);
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        self.events = self.events.wrapping_add(1);
        match event {
            Event::Note(PANICS) => panic!("as the test wants"),
            Event::Note(number) => self.record(Call::Event(number)),
            Event::Chain => cx.post(Event::Chain),
        }
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.record(Call::Reset);
    }

    fn connected(&mut self, _: &mut Cx<'_, Self>) {
        self.record(Call::Connected);
    }

    fn disconnected(&mut self, _: &mut Cx<'_, Self>) {
        self.record(Call::Disconnected);
    }
}

/// Hooks that record their calls.
impl Zoo {
    fn observed_read(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.record(Call::AfterRead("observed", value.into()));
    }

    fn observed_write(&mut self, _: &mut Cx<'_, Self>, old: u32, new: u32) {
        self.record(Call::AfterWrite("observed", old.into(), new.into()));
    }

    fn provide(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.record(Call::Read("provided"));
        self.provided ^ 0xffff_ffff
    }

    fn replace(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.record(Call::Write("replaced", value.into()));
        self.replaced = value.wrapping_add(1);
    }

    fn command(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.record(Call::Write("command", value.into()));
    }

    fn wide_write(&mut self, _: &mut Cx<'_, Self>, old: u64, new: u64) {
        self.record(Call::AfterWrite("wide", old, new));
    }

    fn acknowledged(&mut self, _: &mut Cx<'_, Self>, old: u32, new: u32) {
        self.record(Call::AfterWrite("status", old.into(), new.into()));
    }

    fn raw_acknowledge(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.record(Call::Write("raw_status", value.into()));
    }

    fn element_written(&mut self, _: &mut Cx<'_, Self>, index: usize, old: u32, new: u32) {
        self.record(Call::AfterElement(index, old.into(), new.into()));
    }

    fn strict_write(&mut self, _: &mut Cx<'_, Self>, old: u32, new: u32) {
        self.record(Call::AfterWrite("strict0", old.into(), new.into()));
    }

    fn strict_read(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.record(Call::AfterRead("strict1", value.into()));
    }
}

/// Hooks with effects.
#[expect(clippy::unused_self, reason = "hooks are methods")]
impl Zoo {
    fn dma(&mut self, cx: &mut Cx<'_, Self>, what: u32) {
        let done = match what {
            dma_go::COPY => self.copy(cx),
            dma_go::READ => self.read_data(cx),
            dma_go::WRITE => cx.dma().write(self.dma_target, &self.dma_data.to_le_bytes()),
            _ => return,
        };
        self.dma_status = match done {
            Ok(()) => dma_status::DONE,
            Err(DmaError::Unmapped { .. }) => dma_status::UNMAPPED,
            Err(DmaError::NotReadable { .. }) => dma_status::NOT_READABLE,
            Err(DmaError::NotWritable { .. }) => dma_status::NOT_WRITABLE,
            Err(DmaError::Wraps { .. }) => dma_status::WRAPS,
            Err(DmaError::MessageMode { .. }) => dma_status::MESSAGE_MODE,
            Err(DmaError::Lost { .. }) => dma_status::LOST,
            Err(DmaError::Io { .. }) => dma_status::IO,
            Err(_) => dma_status::OTHER,
        };
    }

    fn copy(&self, cx: &Cx<'_, Self>) -> Result<(), DmaError> {
        let mut bytes = vec![0; self.dma_len as usize];
        cx.dma().read(self.dma_source, &mut bytes)?;
        cx.dma().write(self.dma_target, &bytes)
    }

    fn read_data(&mut self, cx: &Cx<'_, Self>) -> Result<(), DmaError> {
        let mut bytes = [0; 8];
        cx.dma().read(self.dma_source, &mut bytes)?;
        self.dma_data = u64::from_le_bytes(bytes);
        Ok(())
    }

    fn raise(&mut self, cx: &mut Cx<'_, Self>, number: u32) {
        cx.irq(u16::try_from(number).unwrap_or(u16::MAX)).raise();
    }

    /// Bit 16 is the level, the rest the source.
    fn level(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        cx.irq((value & 0xffff) as u16).set(value >> 16 & 1 == 1);
    }

    fn post(&mut self, cx: &mut Cx<'_, Self>, number: u32) {
        cx.post(Event::Note(number));
    }

    /// Posts this many events from a thread, which then ends.
    fn work(&mut self, cx: &mut Cx<'_, Self>, count: u32) {
        let remote = cx.remote();
        thread::spawn(move || {
            for number in 0..count {
                remote.post(Event::Note(number)).expect("room for an event");
            }
        });
    }

    /// Keeps a remote (1), or drops it (0).
    fn keep(&mut self, cx: &mut Cx<'_, Self>, keep: u32) {
        self.remote = (keep == 1).then(|| cx.remote());
    }

    fn panic(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        assert!(value == 0, "as the test wants");
    }

    fn hold(&mut self, _: &mut Cx<'_, Self>, _: u32) {
        self.kit.gate.pass();
    }

    fn chain(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        cx.post(Event::Chain);
    }
}
