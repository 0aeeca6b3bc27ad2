//! The worst messages of each kind.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, channel};

use vfio_user::{Error, EventFd, Result};
use vfio_user_tests::files;
use vfio_user_tests::wire::{self, command, dma, errno, feature, irq, region};

use super::bed::{Bed, Request};
use super::device::{self, Handles, Largest};

const PAGE: u64 = 0x1000;
/// Entries that fit into a message.
const ENTRIES: usize = 43_000;
/// Regions that a client may map.
const REGIONS: u64 = 65_535;
const DATA: u32 = 1 << 20;

/// A message, and what a client sends before it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Returns the request in a state in which it is expensive.
    pub(crate) prepare: fn(&mut Stage) -> Result<Request>,
}

/// A server, and what the benchmark does in the place of its device.
pub(crate) struct Stage {
    pub(crate) bed: Bed,
    pub(crate) handles: Handles,
    _kept: Receiver<Handles>,
}

impl Stage {
    pub(crate) fn new() -> Result<Self> {
        let (sender, receiver) = channel();
        let mut bed = Bed::new(move || Largest::new(sender.clone()))?;
        bed.negotiate()?;
        let handles = receiver.recv().map_err(|_| Error::device("it does not start"))?;
        // Memory space and bus master.
        bed.perform(&write(region::CONFIG, 4, &[6, 0]))?;
        Ok(Stage { bed, handles, _kept: receiver })
    }

    fn send(&mut self, request: &Request) -> Result<Vec<u8>> {
        Ok(self.bed.perform(request)?.reply)
    }

    /// Maps single pages, with a hole behind each.
    fn map_pages(&mut self, count: u64) -> Result<()> {
        for page in 0..count {
            self.send(&map_page(page))?;
        }
        Ok(())
    }

    /// Maps pages of a file, each as a region.
    fn map_file(&mut self) -> Result<()> {
        let file = OwnedFd::from(files::memory(REGIONS * PAGE));
        for page in 0..REGIONS {
            let map = wire::dma_map(dma::BOTH, page * PAGE, page * PAGE, PAGE);
            let request = Request::new(command::DMA_MAP, &map).with_fds(vec![file.try_clone()?]);
            self.send(&request)?;
        }
        Ok(())
    }

    /// Maps a file as a region.
    fn map_whole(&mut self, size: u64) -> Result<()> {
        let file = OwnedFd::from(files::memory(size));
        let map = wire::dma_map(dma::BOTH, 0, 0, size);
        self.send(&Request::new(command::DMA_MAP, &map).with_fds(vec![file])).map(drop)
    }

    /// Maps 16 regions of 1 TiB in a sparse file, and writes to all of their pages.
    fn write_tebibytes(&mut self) -> Result<()> {
        const SIZE: u64 = 1 << 40;
        let file = OwnedFd::from(files::memory(SIZE));
        for at in 0..16 {
            let map = wire::dma_map(dma::BOTH, 0, at * SIZE, SIZE);
            let request = Request::new(command::DMA_MAP, &map).with_fds(vec![file.try_clone()?]);
            self.send(&request)?;
        }
        self.send(&start_logging())?;
        self.handles.dma.mark_dirty(0, 16 * SIZE);
        Ok(())
    }

    fn set_state(&mut self, state: u32) -> Result<()> {
        self.send(&set_state(state)).map(drop)
    }

    /// Fills memory of BAR 2 with what is not zero.
    fn fill_memory(&self, len: u64) -> Result<()> {
        Ok(self.handles.memory.fill(0..len, 7)?)
    }

    /// Returns what is in the stream now.
    fn read_stream(&mut self) -> Result<Vec<Vec<u8>>> {
        let mut pieces = Vec::new();
        loop {
            let reply = self.send(&read_data())?;
            let len = wire::u32_at(&reply, 4) as usize;
            if len == 0 {
                return Ok(pieces);
            }
            pieces.push(reply[8..8 + len].to_vec());
        }
    }

    /// Returns the stream of the device, which is stopped, and begins to load another one.
    fn take_stream(&mut self) -> Result<Vec<Vec<u8>>> {
        self.set_state(STOP_COPY)?;
        let stream = self.read_stream()?;
        self.set_state(STOP)?;
        self.set_state(RESUMING)?;
        Ok(stream)
    }
}

const STOP: u32 = 1;
const STOP_COPY: u32 = 3;
const RESUMING: u32 = 4;
const PRE_COPY: u32 = 6;

pub(crate) fn plain_read() -> Request {
    Request::new(command::REGION_READ, &wire::access(1, 0, 4))
}

fn read(region: u32, count: u32) -> Request {
    Request::new(command::REGION_READ, &wire::access(region, 0, count))
}

fn write(region: u32, offset: u64, data: &[u8]) -> Request {
    Request::new(command::REGION_WRITE, &wire::write(region, offset, data))
}

fn multi(region: u32, writes: [(u64, &[u8]); 2]) -> Request {
    let writes: Vec<_> = (0..ENTRIES).map(|n| (region, writes[n % 2].0, writes[n % 2].1)).collect();
    Request::new(command::REGION_WRITE_MULTI, &wire::write_multi(&writes))
}

fn map_page(page: u64) -> Request {
    let map = wire::dma_map(dma::BOTH, 0, 2 * page * PAGE, PAGE);
    Request::new(command::DMA_MAP, &map)
}

fn unmap(flags: u32, iova: u64, size: u64) -> Request {
    Request::new(command::DMA_UNMAP, &wire::dma_unmap(flags, iova, size))
}

fn feature(flags: u32, argsz: u32, data: &[u8]) -> Request {
    let head = wire::words(&[argsz, flags]);
    Request::new(command::DEVICE_FEATURE, &[head, data.to_vec()].concat())
}

fn start_logging() -> Request {
    feature(feature::SET | feature::START, 24, &wire::longs(&[PAGE, 0]))
}

/// A report of 16 TiB in a bitmap of 8 bytes.
fn report() -> Request {
    let wanted = wire::longs(&[0, 16 << 40, 1 << 40]);
    feature(feature::GET | feature::REPORT, 40, &wanted)
}

fn set_state(state: u32) -> Request {
    feature(feature::SET | 2, 16, &wire::words(&[state, 0]))
}

fn read_data() -> Request {
    Request::new(command::MIG_DATA_READ, &wire::words(&[8 + DATA, DATA]))
}

fn write_data(data: &[u8]) -> Request {
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    Request::new(command::MIG_DATA_WRITE, &[wire::words(&[8 + len, len]), data.to_vec()].concat())
}

fn set_irqs(flags: u32, data: &[u8]) -> Request {
    let count = if flags & irq::EVENTFD == 0 { device::VECTORS } else { 253 };
    let head = wire::set_irqs(flags, irq::MSIX, 0, count);
    Request::new(command::SET_IRQS, &[head, data.to_vec()].concat())
}

fn eventfds() -> io::Result<Vec<OwnedFd>> {
    (0..253).map(|_| EventFd::new().map(OwnedFd::from)).collect()
}

fn all_vectors(action: u32) -> Request {
    set_irqs(irq::BOOL | action, &[1; device::VECTORS as usize])
}

/// Where the express capability has its control register.
fn device_control(stage: &mut Stage) -> Result<u64> {
    let capability =
        stage.send(&Request::new(command::REGION_READ, &wire::access(region::CONFIG, 0x34, 1)))?;
    Ok(u64::from(capability[16]) + 8)
}

fn resets(stage: &mut Stage) -> Result<Request> {
    let control = device_control(stage)?;
    let reset: (u64, &[u8]) = (control, &[0, 0x80]);
    Ok(multi(region::CONFIG, [reset, reset]))
}

pub(crate) const CASES: &[Case] = &[
    Case { name: "read 1 MiB of registers of a byte", prepare: |_| Ok(read(0, device::BYTES)) },
    Case {
        name: "write 1 MiB of registers of a byte",
        prepare: |_| Ok(write(0, 0, &vec![1; device::BYTES as usize])),
    },
    Case { name: "read configuration space", prepare: |_| Ok(read(region::CONFIG, 4096)) },
    Case {
        name: "write configuration space",
        prepare: |_| Ok(write(region::CONFIG, 0, &[0; 4096])),
    },
    Case { name: "read 1 MiB of memory", prepare: |_| Ok(read(2, DATA)) },
    Case {
        name: "43,000 writes of registers",
        prepare: |_| Ok(multi(0, [(0, &[1; 8]), (8, &[2; 8])])),
    },
    Case { name: "43,000 doorbells", prepare: |_| Ok(multi(4, [(0, &[1; 4]), (4, &[2; 4])])) },
    Case {
        name: "43,000 times memory space on, off",
        prepare: |_| Ok(multi(region::CONFIG, [(4, &[0, 0]), (4, &[6, 0])])),
    },
    Case {
        name: "43,000 vectors masked, unmasked",
        prepare: |_| Ok(multi(5, [(12, &[1, 0, 0, 0]), (12, &[0, 0, 0, 0])])),
    },
    Case { name: "43,000 resets of the function", prepare: resets },
    Case {
        name: "43,000 resets, 65,535 regions",
        prepare: |stage| {
            stage.map_pages(REGIONS)?;
            resets(stage)
        },
    },
    Case { name: "reset", prepare: |_| Ok(Request::new(command::RESET, &[])) },
    Case {
        name: "reset, 65,535 regions",
        prepare: |stage| {
            stage.map_pages(REGIONS)?;
            Ok(Request::new(command::RESET, &[]))
        },
    },
    Case {
        name: "map a region, 65,534 others",
        prepare: |stage| {
            stage.map_pages(REGIONS - 1)?;
            Ok(map_page(REGIONS - 1))
        },
    },
    Case {
        name: "unmap a region of 65,535",
        prepare: |stage| {
            stage.map_pages(REGIONS)?;
            Ok(unmap(0, 0, PAGE))
        },
    },
    Case {
        name: "unmap 65,535 regions",
        prepare: |stage| {
            stage.map_pages(REGIONS)?;
            Ok(unmap(dma::UNMAP_ALL, 0, 0))
        },
    },
    Case {
        name: "unmap 65,535 regions of a file",
        prepare: |stage| {
            stage.map_file()?;
            Ok(unmap(dma::UNMAP_ALL, 0, 0))
        },
    },
    Case {
        name: "unmap 1 GiB, all touched",
        prepare: |stage| {
            const SIZE: u64 = 1 << 30;
            stage.map_whole(SIZE)?;
            (0..SIZE / PAGE).try_for_each(|page| stage.handles.dma.write(page * PAGE, &[1]))?;
            Ok(unmap(dma::UNMAP_ALL, 0, 0))
        },
    },
    Case {
        name: "unmap 16 TiB, none touched",
        prepare: |stage| {
            stage.map_whole(16 << 40)?;
            Ok(unmap(dma::UNMAP_ALL, 0, 0))
        },
    },
    Case {
        name: "report of 16 TiB, all written",
        prepare: |stage| {
            stage.write_tebibytes()?;
            Ok(report())
        },
    },
    Case {
        name: "start of a log, 16 TiB written",
        prepare: |stage| {
            stage.write_tebibytes()?;
            stage.send(&feature(feature::SET | feature::STOP, 8, &[]))?;
            Ok(start_logging())
        },
    },
    Case {
        name: "report of 65,535 regions",
        prepare: |stage| {
            stage.map_pages(REGIONS)?;
            stage.send(&start_logging())?;
            Ok(report())
        },
    },
    Case {
        name: "assign 253 eventfds",
        prepare: |_| Ok(set_irqs(irq::EVENTFD | irq::TRIGGER, &[]).with_fds(eventfds()?)),
    },
    Case { name: "trigger 2,048 vectors", prepare: |_| Ok(all_vectors(irq::TRIGGER)) },
    Case { name: "mask 2,048 vectors", prepare: |_| Ok(all_vectors(irq::MASK)) },
    Case {
        name: "unmask 2,048 vectors",
        prepare: |stage| {
            stage.send(&all_vectors(irq::MASK))?;
            Ok(all_vectors(irq::UNMASK))
        },
    },
    Case {
        name: "get 253 doorbells",
        prepare: |_| {
            let wanted = wire::words(&[0x1_0000, 0, 4, 0]);
            Ok(Request::new(command::GET_REGION_IO_FDS, &wanted))
        },
    },
    Case {
        name: "get a region's information",
        prepare: |_| Ok(Request::new(command::GET_REGION_INFO, &wire::region_info(4096, 2))),
    },
    Case {
        name: "migration: start to copy 256 MiB",
        prepare: |stage| {
            stage.fill_memory(device::MEMORY)?;
            Ok(set_state(PRE_COPY))
        },
    },
    Case {
        name: "migration: read 1 MiB",
        prepare: |stage| {
            stage.fill_memory(device::MEMORY)?;
            stage.set_state(PRE_COPY)?;
            Ok(read_data())
        },
    },
    Case {
        name: "migration: read, 256 MiB of zeros",
        prepare: |stage| {
            stage.handles.memory.clear()?;
            stage.set_state(PRE_COPY)?;
            Ok(read_data())
        },
    },
    Case {
        name: "migration: read, nothing changed",
        prepare: |stage| {
            stage.fill_memory(device::MEMORY)?;
            stage.set_state(PRE_COPY)?;
            stage.read_stream()?;
            Ok(read_data())
        },
    },
    Case {
        name: "migration: write 1 MiB",
        prepare: |stage| {
            stage.fill_memory(4 << 20)?;
            let stream = stage.take_stream()?;
            stage.send(&write_data(&stream[0]))?;
            Ok(write_data(&stream[1]))
        },
    },
    Case {
        name: "migration: write, 256 MiB of zeros",
        prepare: |stage| {
            stage.handles.memory.clear()?;
            let stream = stage.take_stream()?;
            stage.fill_memory(device::MEMORY)?;
            Ok(write_data(&stream[0]))
        },
    },
    Case {
        name: "an unknown feature, 64 KiB",
        prepare: |_| {
            let request = feature(feature::GET | 0xfff, 1 << 16, &[0; 1 << 16]);
            Ok(request.refused(errno::ENOTTY))
        },
    },
    Case {
        name: "253 descriptors, refused",
        prepare: |_| {
            let request = Request::new(command::RESET + 0x100, &[]).with_fds(eventfds()?);
            Ok(request.refused(errno::EINVAL))
        },
    },
    Case {
        name: "16 MiB, skipped",
        prepare: |_| {
            let message = wire::message(1, command::REGION_WRITE, 0, &vec![0; (16 << 20) - 16]);
            Ok(Request::raw(message).refused(errno::E2BIG))
        },
    },
];

/// Returns a version with as many unknown capabilities as fit, and the server that has not
/// negotiated yet.
pub(crate) fn version() -> Result<(Bed, Request)> {
    let (sender, _) = channel();
    let bed = Bed::new(move || Largest::new(sender.clone()))?;
    let unknown = (0..100_000).map(|number| format!(r#""{number:05}":0,"#));
    let unknown = unknown.collect::<Vec<_>>().concat();
    let json = format!(r#"{{"capabilities":{{{unknown}"max_msg_fds":8}}}}"#);
    Ok((bed, Request::new(command::VERSION, &wire::version(0, &json))))
}

/// Returns a server with a client that has mapped all regions that it may map.
pub(crate) fn full() -> Result<Stage> {
    let mut stage = Stage::new()?;
    stage.map_pages(REGIONS)?;
    Ok(stage)
}
