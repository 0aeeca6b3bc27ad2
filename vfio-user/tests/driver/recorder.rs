//! BARs that record the accesses to them.

use vfio_user::driver::{Bars, Width};
use vfio_user::{Bench, Device, PciDevice};

/// An access: the BAR, the offset, the number of bytes, and the value of a write.
pub(crate) type Access = (u8, u64, u8, Option<u64>);

/// A bench and the accesses to it.
#[derive(Debug)]
pub(crate) struct Recorder<D: PciDevice> {
    pub(crate) bench: Bench<D>,
    accesses: Vec<Access>,
}

impl<D: Device + PciDevice> Recorder<D> {
    pub(crate) fn new(device: D) -> Self {
        let bench = Bench::new(device).expect("a valid device");
        Recorder { bench, accesses: Vec::new() }
    }

    /// Returns the accesses since the last call.
    pub(crate) fn accesses(&mut self) -> Vec<Access> {
        std::mem::take(&mut self.accesses)
    }
}

impl<D: PciDevice> Bars for Recorder<D> {
    type Error = <Bench<D> as Bars>::Error;

    fn read(&mut self, bar: u8, offset: u64, width: Width) -> Result<u64, Self::Error> {
        self.accesses.push((bar, offset, width.bytes(), None));
        Bars::read(&mut self.bench, bar, offset, width)
    }

    fn write(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> Result<(), Self::Error> {
        self.accesses.push((bar, offset, width.bytes(), Some(value)));
        Bars::write(&mut self.bench, bar, offset, width, value)
    }
}
