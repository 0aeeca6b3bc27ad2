//! Memory that several guests share, and doorbells between them: QEMU's `ivshmem-doorbell`, of
//! revision 1.
//!
//! ```console
//! $ ivshmem --socket-path=/tmp/a.sock --socket-path=/tmp/b.sock --size=4
//! ```
//!
//! Each socket is a peer, whose number is its place on the command line. A guest finds it in
//! `IVPosition`, and interrupts peer `p` by writing `p << 16 | vector` to `Doorbell`. The memory is
//! BAR 2; a reset of one guest does not change it.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use vfio_user::declaration::Descriptor;
use vfio_user::{Cx, Device, Error, Options, PciDevice, Register, Remote, Result, Virtual};

const VECTORS: u16 = 8;

#[derive(PciDevice)]
#[pci(vendor = 0x1af4, device = 0x1110, class = 0x05_0000, revision = 1, subsystem = (0x1af4, 0x1100))]
#[bar(0: mem32, size = 0x100)]
#[bar(1: mem32, size = 0x1000)]
#[bar(2: mem64, size = 0x40_0000, prefetchable, shared)]
#[irq(msix = VECTORS, bar = 1, table = 0, pba = 0x800)]
struct Peer {
    #[reg(0x08, ro)]
    iv_position: u32,
    #[reg(0x0c, wo, write_with = Self::ring)]
    doorbell: Virtual<Doorbell>,
    #[migrate(skip)]
    number: usize,
    #[migrate(skip)]
    shared: Arc<SharedMemory>,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Doorbell {
    #[field(bits = 0..=15)]
    vector: u16,
    #[field(bits = 16..=31)]
    peer: u16,
}

/// What the peers have in common.
struct SharedMemory {
    file: File,
    size: u64,
    /// Where each peer receives the vectors that others ring.
    doorbells: Mutex<Vec<Option<Remote<u16>>>>,
}

impl Device for Peer {
    /// The vector that another peer rings.
    type Event = u16;

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        descriptor.set_bar_size(2, self.shared.size)?;
        descriptor.set_shared_file(2, self.shared.file.try_clone()?, 0)?;
        Ok(())
    }

    fn start(&mut self, cx: &mut Cx<'_, Self>) -> Result<()> {
        self.shared.connect(self.number, cx.remote());
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, vector: u16) {
        cx.irq(vector).raise();
    }
}

impl Peer {
    fn new(shared: &Arc<SharedMemory>, number: usize) -> Self {
        let iv_position = number.try_into().unwrap_or(u32::MAX);
        Peer { iv_position, doorbell: Virtual::default(), number, shared: Arc::clone(shared) }
    }

    fn ring(&mut self, _: &mut Cx<'_, Self>, Doorbell { vector, peer }: Doorbell) {
        if vector < VECTORS {
            self.shared.ring(peer, vector);
        }
    }
}

impl SharedMemory {
    /// Creates memory of `size` bytes, zeros.
    fn new(size: u64) -> Result<Self> {
        let file = memfd_create(c"ivshmem", MFdFlags::MFD_CLOEXEC).map_err(Error::device)?;
        ftruncate(&file, size.cast_signed()).map_err(Error::device)?;
        Ok(SharedMemory { file: file.into(), size, doorbells: Mutex::default() })
    }

    fn connect(&self, number: usize, doorbell: Remote<u16>) {
        let mut doorbells = self.doorbells.lock().unwrap_or_else(PoisonError::into_inner);
        if doorbells.len() <= number {
            doorbells.resize(number + 1, None);
        }
        doorbells[number] = Some(doorbell);
    }

    /// Rings at a peer. One that does not exist, or does not keep up, is not interrupted.
    fn ring(&self, peer: u16, vector: u16) {
        let doorbells = self.doorbells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(doorbell)) = doorbells.get(usize::from(peer)) {
            let _ = doorbell.post(vector);
        }
    }
}

/// Serves memory that guests share over vfio-user, a socket for each guest
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,

    /// Size of the memory, a power of two
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    size: u64,
}

fn main() -> Result<()> {
    let program = Program::parse();
    let shared = Arc::new(SharedMemory::new(program.size << 20)?);
    program.options.run_each(|number| Peer::new(&shared, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vfio_user::Bench;

    fn memory() -> Arc<SharedMemory> {
        Arc::new(SharedMemory::new(1 << 20).unwrap())
    }

    vfio_user::device_tests!(Peer, || Peer::new(&memory(), 0));

    #[test]
    fn peers_share_memory_and_interrupt_each_other() {
        let shared = memory();
        let [mut a, mut b] = [0, 1].map(|number| Bench::new(Peer::new(&shared, number)).unwrap());
        assert_eq!((a.read::<u32>(0, 8), b.read::<u32>(0, 8)), (0, 1));
        a.write(2, 0x1000, 0x1234_5678_u32);
        assert_eq!(b.read::<u32>(2, 0x1000), 0x1234_5678);

        a.write(0, 0xc, 1_u32 << 16 | 7);
        b.handle_events();
        assert_eq!(b.take_irq(7), 1);
        a.write(0, 0xc, 3_u32);
        a.handle_events();
        assert_eq!((a.take_irq(3), b.take_irq(3)), (1, 0), "at itself");
        for no_doorbell in [2 << 16, 0xffff_0000_u32, 1 << 16 | 8, 0xffff_ffff] {
            a.write(0, 0xc, no_doorbell);
        }
        b.handle_events();
        assert_eq!((0..VECTORS).map(|vector| b.take_irq(vector)).sum::<u64>(), 0);
    }

    #[test]
    fn a_reset_of_one_guest_leaves_the_memory() {
        let shared = memory();
        let [mut a, mut b] = [0, 1].map(|number| Bench::new(Peer::new(&shared, number)).unwrap());
        a.write(2, 0, 1_u8);
        b.reset();
        assert_eq!((a.read::<u8>(2, 0), b.read::<u8>(2, 0)), (1, 1));
    }
}
