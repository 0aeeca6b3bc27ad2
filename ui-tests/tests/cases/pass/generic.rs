//! Type parameters in private fields.

use vfio_user::{Cx, Device, PciDevice};

const STATUS: u64 = 0x10;

trait Backend {
    fn kick(&mut self);
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = DiskDriver)]
#[bar(0: mem32, size = 0x1000)]
struct Disk<B, const N: usize = 4>
where
    B: Backend + Send + 'static,
{
    #[reg(STATUS, write_with = Self::kick)]
    doorbell: u32,
    #[migrate(skip)]
    backend: B,
    buffer: [u8; N],
}

impl<B: Backend + Send + 'static, const N: usize> Device for Disk<B, N> {
    type Event = ();
}

impl<B: Backend + Send + 'static, const N: usize> Disk<B, N> {
    fn kick(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        self.doorbell = value;
        self.buffer[0] = 1;
        self.backend.kick();
    }
}

struct Nothing;

impl Backend for Nothing {
    fn kick(&mut self) {}
}

fn main() {
    let _ = Disk { doorbell: 0, backend: Nothing, buffer: [0; 2] };
    assert_eq!(Disk::<Nothing>::DESCRIPTOR.name(), "disk");
}
