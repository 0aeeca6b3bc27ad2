//! A device with one of everything that a guest can see, for the tests of guests.

use std::thread;

use vfio_user::declaration::Descriptor;
use vfio_user::pci::{CorrectableError, UncorrectableError};
use vfio_user::{Cx, Device, Dma, DmaError, PciDevice, RegisterBlock, ResetKind, Virtual};

/// A way to the scratch registers through configuration space.
#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = WindowHost)]
struct Window {
    #[reg(0x00, mask = 7)]
    index: u32,
    #[reg(0x04, read_with = look, write_with = set)]
    data: Virtual<u32>,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xe0e0, class = 0x12_0000, revision = 7)]
#[bar(0: mem32, size = 0x2000)]
#[bar(1: io, size = 0x40, allow(express_io))]
#[bar(2: mem64, size = 0x1000_0000, prefetchable)]
#[bar(4: mem64, size = 0x2_0000)]
#[irq(intx, msi = 4, msix = 8, bar = 0, table = 0x1000)]
#[capability(pm, express(flr), subsystem, custom(&[0x34, 0x12], id = 0x06))]
#[capability(serial = 0x0011_22ff_ff33_4455, vsec(b"card", id = 0x0042, revision = 1))]
#[capability(dvsec(b"strange", vendor = 0x1af4, id = 3), ltr, aer)]
#[capability(msi(maskable), vpd(b"\x82\x0a\x00everything\x78"))]
struct Everything {
    #[capability(vendor)]
    window: Window,
    #[reg(0x00, ro, reset = 0x6576_6572)]
    id: Virtual<u32>,
    /// How often the device has been reset.
    #[reg(0x04, ro, read_with = Self::resets)]
    reset_count: Virtual<u32>,
    /// Raises the source whose number is written.
    #[reg(0x08, wo, write_with = Self::raise)]
    raise: Virtual<u32>,
    /// Bit n is the level of source n.
    #[reg(0x0c, on_write = Self::set_levels, mask = 0xff)]
    levels: u32,
    #[reg(0x10)]
    source: u64,
    #[reg(0x18)]
    target: u64,
    /// Copies as many bytes as are written from `source` to `target`, then raises source 0.
    #[reg(0x20, wo, write_with = Self::copy)]
    copy: Virtual<u32>,
    #[reg(0x24, ro)]
    failures: u32,
    /// The same, by a thread that does nothing else.
    #[reg(0x28, wo, write_with = Self::copy_by_thread)]
    copy_by_thread: Virtual<u32>,
    /// How often it has copied something, or failed to.
    #[reg(0x2c, ro)]
    copies: u32,
    /// Reports the error with that bit in the registers of advanced error reporting.
    #[reg(0x30, wo, write_with = Self::report)]
    report: Virtual<u32>,
    #[reg(0x40)]
    scratch: [u64; 8],
    #[reg(0x00, bar = 1)]
    port: u32,
    #[reg(0x0fff_fff8, bar = 2)]
    far: u64,
    #[reg(0x1_0000, bar = 4)]
    middle: u16,
    resets: u32,
}

enum Event {
    Read(Result<Vec<u8>, DmaError>),
    Copied(Result<(), DmaError>),
}

impl Device for Everything {
    type Event = Event;

    fn event(&mut self, cx: &mut Cx<'_, Self>, event: Event) {
        match event {
            Event::Read(bytes) => {
                let copied = bytes.and_then(|bytes| cx.dma().write(self.target, &bytes));
                self.copied(cx, copied);
            }
            Event::Copied(copied) => self.copied(cx, copied),
        }
    }

    fn configure(&self, descriptor: &mut Descriptor) -> vfio_user::Result<()> {
        let ids = descriptor.ids();
        descriptor.set_rom(rom(ids.vendor, ids.device));
        Ok(())
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        println!("reset: {kind:?}");
        self.resets += 1;
    }
}

impl WindowHost for Everything {
    fn look(&mut self, _: &mut Cx<'_, Self>, _: usize) -> u32 {
        (self.scratch[self.window.index as usize] & 0xffff_ffff) as u32
    }

    fn set(&mut self, _: &mut Cx<'_, Self>, _: usize, value: u32) {
        self.scratch[self.window.index as usize] = value.into();
    }
}

/// An expansion ROM of 1.5 KiB (PCI Firmware Specification 3.3, 5.1), with no useful code in it.
fn rom(vendor: u16, device: u16) -> Vec<u8> {
    const UNITS: u8 = 3;
    const DATA: u8 = 0x1c;
    const NO_CODE: u8 = 0xff;
    const LAST: u8 = 0x80;
    let mut rom = vec![0; 512 * usize::from(UNITS)];
    let mut put = |at: usize, bytes: &[u8]| rom[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0x55, 0xaa, UNITS]);
    put(0x18, &[DATA]);
    let data = usize::from(DATA);
    put(data, b"PCIR");
    put(data + 0x04, &vendor.to_le_bytes());
    put(data + 0x06, &device.to_le_bytes());
    put(data + 0x0a, &[0x18]);
    put(data + 0x10, &[UNITS, 0]);
    put(data + 0x14, &[NO_CODE, LAST]);
    put(0x100, b"an expansion ROM");
    rom
}

impl Everything {
    fn resets(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.resets
    }

    fn raise(_: &mut Self, cx: &mut Cx<'_, Self>, source: u32) {
        if let Ok(source) = source.try_into() {
            cx.irq(source).raise();
        }
    }

    fn set_levels(_: &mut Self, cx: &mut Cx<'_, Self>, _old: u32, new: u32) {
        for source in 0..8 {
            cx.irq(source).set(new & 1 << source != 0);
        }
    }

    fn report(_: &mut Self, cx: &mut Cx<'_, Self>, bit: u32) {
        let header = [0x1111, 0x2222, 0x3333, 0x4444];
        match bit {
            0 => cx.correctable_error(CorrectableError::Receiver),
            12 => cx.uncorrectable_error(UncorrectableError::PoisonedPacket, header),
            18 => cx.uncorrectable_error(UncorrectableError::MalformedPacket, header),
            _ => {}
        }
    }

    fn copy(&mut self, cx: &mut Cx<'_, Self>, count: u32) {
        cx.fetch(self.source, limited(count), Event::Read);
    }

    fn copy_by_thread(&mut self, cx: &mut Cx<'_, Self>, count: u32) {
        let (dma, remote) = (cx.dma().for_session(), cx.remote());
        let (source, target) = (self.source, self.target);
        thread::spawn(move || {
            // The device may be gone.
            let _ = remote.post(Event::Copied(copy(&dma, source, target, limited(count))));
        });
    }

    fn copied(&mut self, cx: &mut Cx<'_, Self>, copied: Result<(), DmaError>) {
        if let Err(error) = copied {
            eprintln!("everything: {error}");
            self.failures += 1;
        }
        self.copies += 1;
        cx.irq(0).raise();
    }
}

fn copy(dma: &Dma, source: u64, target: u64, count: usize) -> Result<(), DmaError> {
    let mut bytes = vec![0; count];
    dma.read(source, &mut bytes)?;
    dma.write(target, &bytes)
}

/// A guest may request any number of bytes.
fn limited(count: u32) -> usize {
    count.min(1 << 20) as usize
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Everything::default)
}
