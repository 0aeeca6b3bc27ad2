//! Devices for measurements: derived ones, and their hand-written equivalents.

use std::sync::Arc;

use vfio_user::declaration::{Descriptor, Ids};
use vfio_user::function::{BackgroundWork, Function, Interrupts, Migrate, PciFunction, Region};
use vfio_user::protocol::{Errno, RegionFlags, RegionIndex};
use vfio_user::{Dma, PciDevice};

pub mod cpu;
pub mod exchange;
pub mod report;

/// 16 registers.
pub mod small {
    use vfio_user::PciDevice;
    include!(concat!(env!("OUT_DIR"), "/registers_16.rs"));
    impl vfio_user::Device for Derived {
        type Event = ();
    }
}

/// 1,024 registers.
#[allow(clippy::too_many_lines, reason = "generated, to be measured")]
pub mod large {
    use vfio_user::PciDevice;
    include!(concat!(env!("OUT_DIR"), "/registers_1024.rs"));
    impl vfio_user::Device for Derived {
        type Event = ();
    }
}

/// Returns a derived device, ready for accesses.
///
/// # Panics
///
/// If the device cannot be served.
pub fn derived<D: PciDevice + Default>() -> Box<dyn Function> {
    Box::new(PciFunction::new(D::default()).expect("the device is served"))
}

/// Returns a hand-written device, ready for accesses.
pub fn by_hand<R: ByHand + Default + Send + 'static>() -> Box<dyn Function> {
    const WITHOUT_INTERRUPTS: Descriptor = Descriptor::new(
        "by hand",
        Ids { vendor: 1, device: 1, class: 0, revision: 0, subsystem_vendor: 0, subsystem: 0 },
    );
    Box::new(Hand {
        registers: R::default(),
        interrupts: Arc::new(Interrupts::new(&WITHOUT_INTERRUPTS)),
        dma: Dma::default(),
    })
}

/// Hand-written registers: a `match` for loads and one for stores.
pub trait ByHand {
    /// Size of the BAR, in bytes.
    const SIZE: u64;
    /// Returns the value of the register at an offset.
    fn load(&self, offset: u64) -> u32;
    /// Sets the register at an offset.
    fn store(&mut self, offset: u64, value: u32);
}

struct Hand<R> {
    registers: R,
    interrupts: Arc<Interrupts>,
    dma: Dma,
}

impl<R> Migrate for Hand<R> {}

impl<R> BackgroundWork for Hand<R> {}

impl<R: ByHand + Send> Function for Hand<R> {
    fn region(&self, index: RegionIndex) -> Region<'_> {
        match index {
            RegionIndex::Bar0 => {
                Region::by_messages(RegionFlags::READ | RegionFlags::WRITE, R::SIZE)
            }
            _ => Region::ABSENT,
        }
    }

    /// Handles any size and alignment by passing each register its bytes: a guest may send all of
    /// them.
    fn read(&mut self, region: RegionIndex, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        if region != RegionIndex::Bar0 {
            return Err(Errno::EINVAL);
        }
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let first = (at % 4) as usize;
            let len = rest.len().min(4 - first);
            let bytes = self.registers.load(at - first as u64).to_le_bytes();
            let (head, tail) = rest.split_at_mut(len);
            head.copy_from_slice(&bytes[first..first + len]);
            at += len as u64;
            rest = tail;
        }
        Ok(())
    }

    fn write(&mut self, region: RegionIndex, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if region != RegionIndex::Bar0 {
            return Err(Errno::EINVAL);
        }
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let first = (at % 4) as usize;
            let len = rest.len().min(4 - first);
            let register = at - first as u64;
            let mut bytes = self.registers.load(register).to_le_bytes();
            let (head, tail) = rest.split_at(len);
            bytes[first..first + len].copy_from_slice(head);
            self.registers.store(register, u32::from_le_bytes(bytes));
            at += len as u64;
            rest = tail;
        }
        Ok(())
    }

    fn reset(&mut self) {}

    fn interrupts(&self) -> &Arc<Interrupts> {
        &self.interrupts
    }

    fn dma(&self) -> &Dma {
        &self.dma
    }
}

/// Accesses `count` registers of `size` bytes of BAR 0, a write and a read each, in an order that
/// no branch predictor learns.
///
/// # Panics
///
/// If an access is refused.
pub fn access(function: &mut dyn Function, size: u32, count: u32) -> u32 {
    let mut state = 0x9e37_79b9_u32;
    let mut sum = 0;
    for n in 0..count {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let offset = u64::from((state % size) & !3);
        let mut word = n.to_le_bytes();
        function.write(RegionIndex::Bar0, offset, &word).expect("a write");
        function.read(RegionIndex::Bar0, offset, &mut word).expect("a read");
        sum ^= u32::from_le_bytes(word);
    }
    sum
}
