//! An NE2000 network adapter on PCI, Realtek's RTL8029: National's DP8390, 16 KiB of memory for
//! packets, and a port to it. Linux drives it with `ne2k-pci`.
//!
//! Its network has one other host, 10.0.0.1, which answers ARP requests and pings.

mod network;

use vfio_user::{Cx, Device, PciDevice, Register, ResetKind, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x10ec, device = 0x8029, class = 0x02_0000)]
#[bar(0: io, size = 0x20)]
#[irq(intx)]
struct Adapter {
    #[reg(0x00, on_write = Self::commanded)]
    cr: Command,

    /// The first page of the ring of received frames.
    #[reg(0x01, wo, overlay, when(cr.page = 0), allow(unread))]
    pstart: u8,
    /// The end of the ring.
    #[reg(0x02, wo, overlay, when(cr.page = 0), allow(unread))]
    pstop: u8,
    /// The last page that the driver has read.
    #[reg(0x03, when(cr.page = 0))]
    bnry: u8,
    #[reg(0x04, ro, overlay, when(cr.page = 0))]
    tsr: u8,
    /// The page of the frame to send.
    #[reg(0x04, wo, overlay, when(cr.page = 0), allow(unread))]
    tpsr: u8,
    /// Collisions, of which there are none.
    #[reg(0x05, ro, overlay, when(cr.page = 0))]
    ncr: Virtual<u8>,
    /// The length of the frame to send.
    #[reg(0x05, wo, overlay, when(cr.page = 0), allow(unread))]
    tbcr: [u8; 2],
    #[reg(0x07, w1c, writable = 0x7f, when(cr.page = 0))]
    #[intr(status, enable = imr)]
    isr: u8,
    /// Where the data port is in the memory.
    #[reg(0x08, when(cr.page = 0))]
    rsar: u16,
    #[reg(0x0a, ro, overlay, when(cr.page = 0), reset = 0x4350)]
    id: Virtual<u16>,
    /// How many bytes the data port still has.
    #[reg(0x0a, wo, overlay, when(cr.page = 0), allow(unread))]
    rbcr: u16,
    #[reg(0x0c, ro, overlay, when(cr.page = 0))]
    rsr: u8,
    #[reg(0x0c, wo, overlay, when(cr.page = 0), allow(unread))]
    rcr: Receive,
    /// Errors, of which there are none.
    #[reg(0x0d, ro, overlay, when(cr.page = 0))]
    cntr: [Virtual<u8>; 3],
    #[reg(0x0d, wo, overlay, when(cr.page = 0), allow(unread))]
    tcr: u8,
    #[reg(0x0e, wo, overlay, when(cr.page = 0), allow(unread))]
    dcr: u8,
    #[reg(0x0f, wo, overlay, mask = 0x7f, when(cr.page = 0))]
    imr: u8,

    /// The address of the station.
    #[reg(0x01, when(cr.page = 1))]
    par: [u8; 6],
    /// The page of the next frame that arrives.
    #[reg(0x07, when(cr.page = 1))]
    curr: u8,
    /// Not evaluated: software filters groups again.
    #[reg(0x08, when(cr.page = 1))]
    mar: [u8; 8],

    #[reg(0x10, port, read_with = Self::read, write_with = Self::write)]
    data: Virtual<u32>,
    #[reg(0x1f, read_with = Self::restart)]
    reset: Virtual<u8>,

    #[migrate(max_len = RAM.end - RAM.start)]
    ram: Vec<u8>,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Command {
    #[field(bit = 0, reset = 1)]
    stop: bool,
    #[field(bit = 1)]
    start: bool,
    #[field(bit = 2, singlepulse)]
    transmit: bool,
    /// What the data port does: 1 reads, 2 writes.
    #[field(bits = 3..=5, reset = 4)]
    dma: u8,
    #[field(bits = 6..=7)]
    page: u8,
}

#[expect(clippy::struct_excessive_bools, reason = "the bits of a register")]
#[derive(Clone, Copy, Default, Register)]
#[register(u8)]
struct Receive {
    #[field(bit = 2)]
    broadcast: bool,
    #[field(bit = 3)]
    multicast: bool,
    #[field(bit = 4)]
    promiscuous: bool,
    /// Receives nothing.
    #[field(bit = 5)]
    monitor: bool,
}

/// Bits of `isr`.
const RECEIVED: u8 = 1 << 0;
const TRANSMITTED: u8 = 1 << 1;
const OVERWRITTEN: u8 = 1 << 4;
const DMA_DONE: u8 = 1 << 6;
const RESET: u8 = 1 << 7;
/// `rsr` and `tsr`: without errors.
const INTACT: u8 = 1;
/// The addresses of the memory.
const RAM: std::ops::Range<usize> = 0x4000..0x8000;
const PAGE: usize = 0x100;
const STATION: [u8; 6] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

impl Device for Adapter {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, kind: ResetKind) {
        if kind != ResetKind::Soft(0) {
            self.ram.fill(0);
        }
    }
}

impl Adapter {
    fn new() -> Self {
        Adapter { ram: vec![0; RAM.len()], ..Adapter::default() }
    }

    fn restart(&mut self, cx: &mut Cx<'_, Self>) -> u8 {
        cx.soft_reset(self, 0);
        self.isr = RESET;
        0
    }

    fn commanded(&mut self, _: &mut Cx<'_, Self>, _: Command, new: Command) {
        if new.stop {
            return;
        }
        self.isr &= !RESET;
        if matches!(new.dma, 1 | 2) && self.rbcr == 0 {
            self.isr |= DMA_DONE;
        }
        if new.transmit {
            let start = usize::from(self.tpsr) * PAGE;
            let len = usize::from(u16::from_le_bytes(self.tbcr));
            let frame: Vec<_> = (start..start + len).map(|at| self.byte(at)).collect();
            self.tsr = INTACT;
            self.isr |= TRANSMITTED;
            if let Some(reply) = network::reply(&frame) {
                self.receive(&reply);
            }
        }
    }

    fn read(&mut self, _: &mut Cx<'_, Self>, data: &mut [u8]) {
        for (at, byte) in (self.advance(data.len())..).zip(data) {
            *byte = self.byte(at);
        }
    }

    fn write(&mut self, _: &mut Cx<'_, Self>, data: &[u8]) {
        for (at, byte) in (self.advance(data.len())..).zip(data) {
            self.set_byte(at, *byte);
        }
    }

    /// Moves the data port on, by a word at least if it is set up for words. Returns where it was.
    fn advance(&mut self, len: usize) -> usize {
        let least = 1 + (self.dcr & 1);
        let step = u16::try_from(len).unwrap_or(0).max(least.into());
        let start = self.rsar;
        self.rsar = start.wrapping_add(step);
        if self.rsar == u16::from(self.pstop) << 8 {
            self.rsar = u16::from(self.pstart) << 8;
        }
        self.rbcr = self.rbcr.saturating_sub(step);
        if self.rbcr == 0 {
            self.isr |= DMA_DONE;
        }
        start.into()
    }

    /// Returns a byte of the memory, or of the PROM before it, whose words have equal bytes.
    fn byte(&self, at: usize) -> u8 {
        match at.checked_sub(RAM.start) {
            None if at < 32 => STATION.get(at / 2).copied().unwrap_or(0x57),
            place => place.and_then(|place| self.ram.get(place)).copied().unwrap_or(0xff),
        }
    }

    fn set_byte(&mut self, at: usize, byte: u8) {
        if let Some(place) = at.checked_sub(RAM.start).and_then(|at| self.ram.get_mut(at)) {
            *place = byte;
        }
    }

    /// Puts a frame into the ring.
    fn receive(&mut self, frame: &[u8]) {
        let (first, end) = (usize::from(self.pstart), usize::from(self.pstop));
        let (curr, bnry) = (usize::from(self.curr), usize::from(self.bnry));
        if self.cr.stop || !self.accepts(frame) || !(first..end).contains(&curr) {
            return;
        }
        // A header of four bytes, at least 60 of the frame, and a checksum that software ignores.
        let len = 4 + frame.len().max(60);
        let pages = (len + 4).div_ceil(PAGE);
        let limit = if curr < bnry { bnry } else { bnry + end - first };
        if pages > limit.saturating_sub(curr) {
            return self.isr |= OVERWRITTEN;
        }
        let wrap = |at: usize, end: usize, size: usize| if at < end { at } else { at - size };
        let next = wrap(curr + pages, end, end - first);
        let [low, high, ..] = len.to_le_bytes();
        let header = [INTACT, u8::try_from(next).unwrap_or(0), low, high];
        let bytes = header.iter().chain(frame).copied().chain(std::iter::repeat(0));
        for (at, byte) in (curr * PAGE..).zip(bytes.take(len)) {
            self.set_byte(wrap(at, end * PAGE, (end - first) * PAGE), byte);
        }
        (self.curr, self.rsr) = (header[1], INTACT);
        self.isr |= RECEIVED;
    }

    fn accepts(&self, frame: &[u8]) -> bool {
        let Receive { broadcast, multicast, promiscuous, monitor } = self.rcr;
        let is_wanted = match frame {
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ..] => broadcast,
            [first, ..] if first & 1 != 0 => multicast,
            frame => frame.starts_with(&self.par),
        };
        !monitor && (promiscuous || is_wanted)
    }
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Adapter::new)
}

#[cfg(test)]
mod tests {
    vfio_user::device_tests!(super::Adapter, super::Adapter::new, keep_on_soft = ["ram"]);

    #[test]
    fn most_registers_are_accessed() {
        let coverage = device_suite().coverage();
        assert!(coverage.accessed * 5 >= coverage.registers_total * 4, "{coverage}");
    }
}
