//! A device with one doorbell of each kind. Each counts its rings, and raises an interrupt of its
//! own, so that a client can measure the latency.

use vfio_user::{Cx, Device, PciDevice, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xbe11, class = 0xff_0000)]
#[bar(0: mem32, size = 0x2000, shared(0x1000..0x2000))]
#[irq(msix = 4)]
struct Doorbells {
    /// Rung by a message, waited for or posted.
    #[reg(0x00, wo, write_with = Self::message)]
    message: Virtual<u32>,
    /// Rung by an eventfd, whatever is written.
    #[reg(0x04, wo, kick = Self::kicked)]
    kick: Virtual<u32>,
    /// Rung by an eventfd when a 1 is written; any other value takes a message.
    #[reg(0x08, wo, write_with = Self::matched, ioeventfd = 1)]
    matched: Virtual<u32>,
    /// How often each of them was rung, in this order.
    #[reg(0x10, ro)]
    rung: [u32; 4],
    /// Rung by a store to memory that the device watches, of any value but all ones.
    #[reg(0x1000, watch, reset = 0xffff_ffff, write_with = Self::stored)]
    page: Virtual<u32>,
}

impl Device for Doorbells {
    type Event = ();
}

impl Doorbells {
    fn message(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.ring(cx, 0);
    }

    fn kicked(&mut self, cx: &mut Cx<'_, Self>) {
        self.ring(cx, 1);
    }

    fn matched(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.ring(cx, 2);
    }

    fn stored(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.ring(cx, 3);
    }

    fn ring(&mut self, cx: &mut Cx<'_, Self>, doorbell: u16) {
        let count = &mut self.rung[usize::from(doorbell)];
        *count = count.wrapping_add(1);
        cx.irq(doorbell).raise();
    }
}

fn main() -> vfio_user::Result<()> {
    vfio_user::main(Doorbells::default)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;
    use vfio_user::function::Function as _;
    use vfio_user::protocol::RegionIndex;
    use vfio_user::{Bench, EventFd};

    vfio_user::device_tests!(Doorbells, Doorbells::default);

    fn eventfd(bench: &mut Bench<Doorbells>, place: usize) -> EventFd {
        let fd: OwnedFd = bench.function_mut().doorbell_fd(RegionIndex::Bar0, place).unwrap();
        EventFd::from_fd(fd).unwrap()
    }

    #[test]
    fn every_doorbell_is_heard() {
        let mut bench = Bench::new(Doorbells::default()).unwrap();
        let (kick, matched) = (eventfd(&mut bench, 0), eventfd(&mut bench, 1));
        bench.write(0, 0x00, 5_u32);
        kick.signal();
        matched.signal();
        bench.shared(0).store(0x1000, 1_u32).unwrap();
        bench.handle_events();
        assert_eq!(bench.device().rung, [1; 4]);
        assert_eq!([0, 1, 2, 3].map(|vector| bench.take_irq(vector)), [1; 4]);
        bench.write(0, 0x04, 5_u32);
        bench.write(0, 0x08, 5_u32);
        assert_eq!(bench.device().rung, [1, 2, 2, 1], "by message too");
        bench.shared(0).store(0x1000, 1_u32).unwrap();
        bench.handle_events();
        assert_eq!(bench.device().rung, [1, 2, 2, 2], "by the same value again");
    }
}
