//! A device that fits what was recorded: same header, same sizes. Its capabilities are elsewhere.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;

use vfio_user::declaration::{Descriptor, Ids};
use vfio_user::function::{
    BackgroundWork, Function, Interrupts, Migrate, PciFunction, Region, RegionMapping,
};
use vfio_user::protocol::{Errno, RegionIndex, SparseArea};
use vfio_user::{Device, Dma, PciDevice, Result};
use vfio_user_tests::files;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1b36, device = 0x0010, class = 0x01_0802, subsystem = (0x1af4, 0x1100))]
#[bar(0: mem64, size = 0x4000)]
#[irq(intx, msi = 8, msix = 40, bar = 0, table = 0x2000, pba = 0x3000)]
#[capability(pm, express)]
struct Endpoint {
    #[reg(0x14)]
    configuration: u32,
    #[reg(0x1000)]
    doorbells: [u32; 2],
    rom: bool,
}

impl Device for Endpoint {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        if self.rom {
            descriptor.set_ids(Ids { class: 0xff_0000, ..descriptor.ids() });
            descriptor.set_rom(vec![0x55; 0x1_0000]);
        }
        Ok(())
    }
}

/// The device, with a page of its BAR that clients may map.
pub(crate) struct Mappable {
    function: PciFunction<Endpoint>,
    page: Option<(File, [SparseArea; 1])>,
}

impl Mappable {
    pub(crate) fn new(rom: bool, mappable: bool) -> Self {
        let function = PciFunction::new(Endpoint { rom, ..Endpoint::default() }).expect("a device");
        let area = SparseArea { offset: 0x1000.into(), size: 0x1000.into() };
        Mappable { function, page: mappable.then(|| (files::memory(0x4000), [area])) }
    }
}

impl Migrate for Mappable {}

impl BackgroundWork for Mappable {}

impl Function for Mappable {
    fn region(&self, index: RegionIndex) -> Region<'_> {
        let mut region = self.function.region(index);
        if let (RegionIndex::Bar0, Some((file, areas))) = (index, &self.page) {
            region.mapping = Some(RegionMapping { file: file.as_fd(), offset: 0, areas });
        }
        region
    }

    fn read(&mut self, region: RegionIndex, at: u64, data: &mut [u8]) -> Result<(), Errno> {
        self.function.read(region, at, data)
    }

    fn write(&mut self, region: RegionIndex, at: u64, data: &[u8]) -> Result<(), Errno> {
        self.function.write(region, at, data)
    }

    fn reset(&mut self) {
        self.function.reset();
    }

    fn interrupts(&self) -> &Arc<Interrupts> {
        self.function.interrupts()
    }

    fn dma(&self) -> &Dma {
        self.function.dma()
    }
}
