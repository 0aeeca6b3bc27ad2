//! The server of the crate `vfio_user`, driven through our client's view. It closes the connection
//! at a message that it cannot decode.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::thread;

use rust_vmm_vfio_user::{
    DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion,
};
use vfio_user::client::{AttachOptions, PciView};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::forged::Forged;
use vfio_user_tests::wire::region;

/// A function whose BAR 0 has a register that copies its number to memory, and then raises the
/// interrupt of that number.
struct Device {
    config: Forged,
    memory: Option<(u64, File)>,
    target: u64,
    irqs: Vec<File>,
}

/// Offsets in BAR 0.
const TARGET: u64 = 0x00;
const NUMBER: u64 = 0x08;

impl Device {
    fn run(&mut self, number: u32) -> io::Result<()> {
        let (iova, memory) = self.memory.as_ref().ok_or(io::ErrorKind::NotFound)?;
        memory.write_all_at(&number.to_le_bytes(), self.target - iova)?;
        let irq = self.irqs.get(number as usize).ok_or(io::ErrorKind::NotFound)?;
        (&*irq).write_all(&1_u64.to_ne_bytes())
    }
}

impl ServerBackend for Device {
    fn region_read(&mut self, index: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        match index {
            region::CONFIG => {
                let at = usize::try_from(offset).map_err(io::Error::other)?;
                data.copy_from_slice(&self.config.config[at..at + data.len()]);
            }
            _ => data.fill(0x5a),
        }
        Ok(())
    }

    fn region_write(&mut self, index: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        match (index, offset) {
            (region::CONFIG, _) => {
                let at = usize::try_from(offset).map_err(io::Error::other)?;
                self.config.write_config(at, data);
            }
            (0, TARGET) => self.target = u64::from_le_bytes(data.try_into().unwrap()),
            (0, NUMBER) => self.run(u32::from_le_bytes(data.try_into().unwrap()))?,
            _ => {}
        }
        Ok(())
    }

    fn dma_map(
        &mut self,
        _: DmaMapFlags,
        _: u64,
        address: u64,
        _: u64,
        fd: Option<File>,
    ) -> io::Result<()> {
        self.memory = fd.map(|fd| (address, fd));
        Ok(())
    }

    fn dma_unmap(&mut self, _: DmaUnmapFlags, _: u64, _: u64) -> io::Result<()> {
        self.memory = None;
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.target = 0;
        Ok(())
    }

    fn set_irqs(&mut self, _: u32, _: u32, start: u32, _: u32, fds: Vec<File>) -> io::Result<()> {
        self.irqs.truncate(start as usize);
        self.irqs.extend(fds);
        Ok(())
    }
}

#[expect(clippy::default_trait_access, reason = "the type is of a crate that is no dependency")]
fn regions(config: &Forged) -> Vec<ServerRegion> {
    let entry = |(index, size): (u32, &u64)| {
        let mut entry = ServerRegion {
            region_info: Default::default(),
            sparse_areas: Vec::new(),
            mmap_fd: None,
        };
        entry.region_info.argsz = 32;
        entry.region_info.flags = 3;
        entry.region_info.index = index;
        entry.region_info.size = *size;
        entry
    };
    (0..).zip(&config.regions).map(entry).collect()
}

#[test]
fn its_function_is_driven() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.sock");
    let config = Forged::default();
    let irqs = (0..).zip(config.vectors);
    let irqs = irqs.map(|(index, count)| IrqInfo { index, flags: 1, count }).collect();
    let server = Server::new(&path, true, irqs, regions(&config)).unwrap();
    let mut device = Device { config, memory: None, target: 0, irqs: Vec::new() };
    let server = thread::spawn(move || drop(server.run(&mut device)));

    let options =
        AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
    let view = PciView::attach_with(&path, options).unwrap();
    assert_eq!((view.header().vendor, view.header().device), (0x1af4, 0x1001));
    assert_eq!(view.bar_details(1).unwrap().size, 0x1000);
    let vectors = view.enable_msix(4).unwrap();
    let memory = view.allocate(0x1000).unwrap();
    let bar = view.bar(0).unwrap();
    bar.write(TARGET, memory.iova() + 0x10).unwrap();
    let done = bar.start_write(NUMBER, 3_u32).unwrap();
    let read = bar.start_read::<u16>(0x20).unwrap();
    assert_eq!(read.wait().unwrap(), 0x5a5a);
    done.wait().unwrap();
    assert_eq!(memory.load::<u32>(0x10), Ok(3));
    assert_eq!(vectors[3].wait(PATIENCE).unwrap(), Some(1));
    view.reset().unwrap();
    memory.unmap().unwrap();
    assert!(bar.write(NUMBER, 3_u32).is_err());
    drop((vectors, view));
    server.join().unwrap();
}
