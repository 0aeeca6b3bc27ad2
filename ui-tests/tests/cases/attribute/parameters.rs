#![allow(unused_imports)]
use vfio_user::{Cx, Device, PciDevice, Register, RegisterBlock, Timer, Virtual};


#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
#[bar(0: mem32, size = N)]
struct Card<T: Send + 'static, const N: usize> {
    #[reg(0x00)]
    ring: [u32; N],
    #[reg(Self::BASE, reset = T::RESET)]
    status: u32,
    #[migrate(skip)]
    spare: [T; N],
    #[timer(Self::expired)]
    timers: [Timer; N],
}


impl<T: Send + 'static, const N: usize> Device for Card<T, N> {
    type Event = ();
}

fn main() {}
