//! What is said of accesses: every one at TRACE level, and those without effect, rarely; and of
//! devices that keep their clients waiting.

use std::fs::File;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use tracing::Level;
use vfio_user::client::DmaMapping;
use vfio_user::client::{self, Client};
use vfio_user::function::Migrate as _;
use vfio_user::protocol::{DmaMapFlags, MigrationState, RegionIndex};
use vfio_user::{Bench, Cx, Device, DmaGuard, PciDevice, Register, Server, Timer, Virtual};

use super::log::{leveled, logged};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000, unaligned = ignore, access = 1..=4)]
struct Talker {
    #[reg(0x00, ro, reset = 7)]
    id: u32,
    #[reg(0x04, mask = 0xff, writable = 0x0f)]
    ctrl: u32,
    #[reg(0x08, rc)]
    events: u32,
    #[reg(0x0c, wo, write_with = Self::kick)]
    kick: Virtual<u32>,
    #[reg(0x10, lock = ctrl)]
    limits: [u32; 2],
    #[reg(0x18, w1)]
    key: u32,
    #[reg(0x20, wide)]
    address: u64,
    #[reg(0x28, mask = 0xf0ff, write_with = Self::kick)]
    narrow_kick: Virtual<u32>,
    #[reg(0x2c, write_with = Self::named_kick)]
    named_kick: Virtual<Named>,
    kicks: u32,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Named {
    #[field(bits = 0..=7)]
    low: u8,
    #[field(bits = 12..=15)]
    high: u8,
}

impl Device for Talker {
    type Event = ();
}

impl Talker {
    fn kick(&mut self, _: &mut Cx<'_, Self>, times: u32) {
        self.kicks += times;
    }

    fn named_kick(&mut self, cx: &mut Cx<'_, Self>, named: Named) {
        self.kicks += u32::from(named);
        if u32::from(named) == 0x1002 {
            cx.soft_reset(self, 2);
        }
    }
}

/// What is said, up to a level, of what a guest does.
fn said(most: Level, guest: impl FnOnce(&mut Bench<Talker>)) -> Vec<(Level, String)> {
    let mut bench = Bench::new(Talker::default()).unwrap();
    leveled(most, || guest(&mut bench))
}

#[test]
fn every_access_is_traced_by_name() {
    let lines = said(Level::TRACE, |bench| {
        bench.write(0, 0x04, 5_u32);
        bench.read::<u32>(0, 0x04);
        bench.write(0, 0x04, 0_u32);
        bench.write(0, 0x14, 0x10_u32);
        bench.write(0, 0x0c, 1_u32);
        bench.read::<u32>(0, 0x08);
        bench.write(0, 0x20, 0x1000_u32);
        bench.write(0, 0x24, 0x1_u32);
        bench.write(0, 0x2c, 0x1002_u32);
    });
    let lines: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "talker.ctrl: 0x0 -> 0x5",
            "talker.ctrl: read 0x5",
            "talker.ctrl: 0x5 -> 0x0",
            "talker.limits[1]: 0x0 -> 0x10",
            "talker.kick: <- 0x1",
            "talker.events: read 0x0 -> 0x0",
            "talker.address: latched 0x1000",
            "talker.address: 0x0 -> 0x100001000",
            "talker: soft reset 2",
            "talker.named_kick: <- 0x1002 (low=0x2, high=0x1)",
        ]
    );
}

#[test]
fn what_is_ignored_is_logged_with_its_reason() {
    let lines = said(Level::INFO, |bench| {
        bench.write(0, 0x00, 1_u32);
        bench.write(0, 0x04, 0x1f1_u32);
        bench.write(0, 0x14, 1_u32);
        bench.write(0, 0x18, 1_u32);
        bench.write(0, 0x18, 2_u32);
        bench.read::<u64>(0, 0x00);
        bench.read::<u32>(0, 0x02);
        bench.read::<u32>(0, 0x40);
    });
    let lines: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "talker.id: write to bits 0xffffffff ignored: these bits are read-only",
            "talker.ctrl: write to bits 0x100 ignored: these bits are reserved",
            "talker.ctrl: write to bits 0xf0 ignored: these bits are read-only",
            "talker.limits[1]: write to bits 0xffffffff ignored: the register is locked",
            "talker.key: write to bits 0x3 ignored: these bits have been written once",
            "talker: 8-byte read of BAR 0 at 0x0 ignored, nearest is id at 0x0: \
             the BAR does not accept the size",
            "talker: 4-byte read of BAR 0 at 0x2 ignored, nearest is id at 0x0: \
             the BAR does not accept unaligned accesses",
            "talker: 4-byte read of BAR 0 at 0x40 ignored, nearest is named_kick at 0x2c: \
             there is no register",
        ]
    );
}

#[test]
fn bits_that_no_hook_is_given_are_logged_whatever_the_type() {
    let lines = said(Level::WARN, |bench| {
        for offset in [0x28, 0x2c] {
            bench.write(0, offset, 0xf0ff_u32);
            bench.write(0, offset, 0x1f00_u16);
            bench.write(0, offset + 2, 0x80_u8);
        }
        assert_eq!(bench.device().kicks, 2 * (0xf0ff + 0x1000));
    });
    let lines: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "talker.narrow_kick: write to bits 0xf00 ignored: these bits are reserved",
            "talker.named_kick: write to bits 0xf00 ignored: these bits are reserved",
        ]
    );
}

#[test]
fn a_device_that_is_stopped_says_so() {
    let lines = said(Level::WARN, |bench| {
        bench.function_mut().migrate(MigrationState::Stop).unwrap();
        bench.write(0, 0x04, 1_u32);
        bench.try_write(RegionIndex::Config, 0x0c, &[8]).unwrap();
    });
    let lines: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        ["talker: 4-byte write of BAR 0 at 0x4 ignored, nearest is ctrl at 0x4: \
             the device is stopped",]
    );
}

#[test]
fn writing_back_what_was_read_is_no_mistake() {
    let lines = said(Level::WARN, |bench| {
        bench.function_mut().poke("ctrl", 0xa0).unwrap();
        let ctrl = bench.read::<u32>(0, 0x04);
        bench.write(0, 0x04, ctrl | 1);
        bench.write(0, 0x04, 0xa0_u8);
    });
    assert_eq!(lines, []);
}

/// Firmware and drivers read where nothing is at every boot; a write there is lost.
#[test]
fn a_read_of_no_register_is_no_warning_and_a_write_there_is_one() {
    let run = |bench: &mut Bench<Talker>| {
        for offset in [0x800, 0x804, 0x800] {
            bench.read::<u32>(0, offset);
        }
        bench.write(0, 0x800, 1_u32);
    };
    let levels = |most| said(most, run).into_iter().map(|(level, _)| level).collect::<Vec<_>>();
    assert_eq!(levels(Level::WARN), [Level::WARN]);
    assert_eq!(levels(Level::INFO), [Level::INFO, Level::WARN]);
}

#[test]
fn a_guest_that_repeats_itself_is_logged_ever_more_rarely() {
    let lines = said(Level::DEBUG, |bench| {
        for _ in 0..1000 {
            bench.write(0, 0x00, 1_u32);
        }
    });
    let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels[0], Level::WARN);
    assert_eq!(levels[1..], [Level::DEBUG; 9], "2, 4, 8, .. 512");
    assert!(lines[9].1.ends_with("(512 such accesses so far)"), "{}", lines[9].1);
}

/// Keeps memory for a while after it has been asked to let go.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Keeper {
    #[reg(0x00, wo, write_with = Self::hold)]
    hold: Virtual<u32>,
    /// In milliseconds.
    #[reg(0x04)]
    delay: u32,
    #[timer(Self::let_go)]
    later: Timer,
    #[migrate(skip)]
    held: Option<DmaGuard>,
}

impl Device for Keeper {
    type Event = ();

    fn dma_unmapped(&mut self, cx: &mut Cx<'_, Self>, _: RangeInclusive<u64>) {
        self.later.arm(cx, Duration::from_millis(self.delay.into()));
    }
}

impl Keeper {
    fn hold(&mut self, cx: &mut Cx<'_, Self>, len: u32) {
        self.held = cx.dma().map(0, len as usize).ok();
    }

    fn let_go(&mut self, _: &mut Cx<'_, Self>) {
        self.held = None;
    }
}

/// What a server says while it waits so many milliseconds for a device to let go of memory.
fn said_of_keeping(delay: u32) -> Vec<String> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        let server = Server::from_stream(theirs).unwrap();
        logged(Level::WARN, || {
            server.serve(Keeper::default).unwrap();
        })
    });
    let client = Client::from_stream(ours, client::AttachOptions::default()).unwrap();
    let memory = page();
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    client
        .dma_map(DmaMapping { iova: 0, size: 0x1000, file: memory.as_fd(), offset: 0, rights })
        .unwrap();
    let registers = client.region(RegionIndex::Bar0);
    registers.write(0x04, delay).unwrap();
    registers.write(0x00, 8_u32).unwrap();
    let unmapped = client.dma_unmap(0, 0x1000);
    assert_eq!(unmapped.is_ok(), delay < 4000, "{unmapped:?}");
    drop(client);
    server.join().unwrap()
}

fn page() -> File {
    let memory = File::from(memfd_create(c"memory", MFdFlags::MFD_CLOEXEC).unwrap());
    memory.set_len(0x1000).unwrap();
    memory
}

#[test]
fn a_device_that_keeps_memory_for_long_is_logged() {
    assert_eq!(said_of_keeping(1), [""; 0]);
    assert_eq!(said_of_keeping(1001), ["the device was slow to release memory"]);
    let lines = said_of_keeping(u32::MAX);
    assert_eq!(lines[0], "the device did not release memory in time; the request fails");
}
