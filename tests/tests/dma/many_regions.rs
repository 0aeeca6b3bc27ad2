//! Clients with many regions: what is done about all of them takes turns with other devices.

use std::fs::File;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use memmap2::MmapOptions;
use vfio_user::{Cx, Device, DmaGuard, PciDevice, ServedId, Server, SessionDma};
use vfio_user_tests::files;
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::stepped::{serve_while, settle, turns_of};
use vfio_user_tests::wire::{self, command, dma, errno};

const PAGE: u64 = 0x1000;
const REGIONS: u64 = 10_000;
/// The address of the last one.
const LAST: u64 = 2 * (REGIONS - 1) * PAGE;
/// A fifth of them are removed in a turn.
const TURNS: u32 = 4;

/// Gives its memory to the test, and notes that its client has left.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
struct Giver {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(skip)]
    memory: Sender<SessionDma>,
    #[migrate(skip)]
    has_left: Arc<AtomicBool>,
}

impl Device for Giver {
    type Event = ();

    fn connected(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = self.memory.send(cx.dma().for_session());
    }

    fn disconnected(&mut self, _: &mut Cx<'_, Self>) {
        self.has_left.store(true, Ordering::Relaxed);
    }
}

/// Takes a guard of the last region again whenever it has released it, as a doorbell that maps its
/// ring does.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x1000)]
struct Returner {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(skip)]
    guard: Option<DmaGuard>,
    #[migrate(skip)]
    unmapped: Sender<RangeInclusive<u64>>,
}

impl Device for Returner {
    type Event = ();

    fn dma_unmapped(&mut self, cx: &mut Cx<'_, Self>, range: RangeInclusive<u64>) {
        assert!(cx.dma().regions().iter().any(|region| range.contains(&region.iova())));
        self.guard.take_if(|_| range.contains(&LAST));
        let _ = self.unmapped.send(range);
        cx.post(());
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, (): ()) {
        self.guard = cx.dma().map(LAST, 8).ok();
    }
}

struct Setup {
    server: Server,
    giver: ServedId,
    client: RawClient,
    other: RawClient,
    memory: SessionDma,
    has_left: Arc<AtomicBool>,
}

/// A client with single pages of a file, and a hole behind each, and the client of another device.
fn setup() -> Setup {
    let (sender, receiver) = channel();
    let has_left = Arc::new(AtomicBool::new(false));
    let mut server = Server::new().unwrap();
    let handle = server.handle();
    let left = Arc::clone(&has_left);
    let (giver, mut client) = puppet::add(&handle, move || Giver {
        scratch: 0,
        memory: sender.clone(),
        has_left: Arc::clone(&left),
    });
    let (_, mut other) = puppet::add(&handle, Puppet::factory(|_| {}));
    serve_while(&mut server, || {
        other.negotiate();
        map_all(&mut client);
    });
    let memory = receiver.recv().unwrap();
    Setup { server, giver, client, other, memory, has_left }
}

fn map_all(client: &mut RawClient) {
    let file = files::memory(REGIONS * PAGE);
    client.negotiate();
    for page in 0..REGIONS {
        client.dma_map(dma::BOTH, page * PAGE, 2 * page * PAGE, PAGE, Some(file.as_fd())).ok();
    }
}

/// Between two parts of an unmap the device runs, and reaches what is left.
#[test]
fn a_device_is_notified_before_each_part_of_an_unmap() {
    let (unmapped, parts) = channel();
    let mut server = Server::new().unwrap();
    let handle = server.handle();
    let (_, mut client) = puppet::add(&handle, move || Returner {
        scratch: 0,
        guard: None,
        unmapped: unmapped.clone(),
    });
    let all = wire::dma_unmap(dma::UNMAP_ALL, 0, 0);
    serve_while(&mut server, || {
        map_all(&mut client);
        assert_eq!(client.request(command::DMA_UNMAP, &all, &[]).ok(), all);
    });
    let parts: Vec<_> = parts.try_iter().collect();
    assert!(parts.len() >= TURNS as usize, "{parts:x?}");
    assert!(parts.windows(2).all(|pair| *pair[0].end() + 1 == *pair[1].start()), "{parts:x?}");
    assert!(*parts[0].start() == 0 && parts.last().unwrap().contains(&LAST), "{parts:x?}");
}

#[test]
fn other_devices_are_served_while_thousands_of_regions_are_unmapped() {
    let Setup { mut server, client, other, memory, .. } = setup();
    let all = wire::dma_unmap(dma::UNMAP_ALL, 0, 0);
    let (turns, answer) = turns_of(&mut server, &client, &other, command::DMA_UNMAP, &all);
    assert_eq!(answer.ok(), all);
    assert!(turns >= TURNS, "{turns} turns");
    assert!(memory.regions().is_empty());
    let cut = wire::dma_unmap(0, 1, REGIONS * PAGE);
    let (_, answer) = turns_of(&mut server, &client, &other, command::DMA_UNMAP, &cut);
    assert_eq!(answer.ok(), cut, "there is nothing to cut");
}

#[test]
fn an_unmap_that_cuts_one_of_thousands_of_regions_removes_none() {
    let Setup { mut server, client, other, memory, .. } = setup();
    for (first, size) in [(1, u64::MAX - 1), (0, 2 * (REGIONS - 1) * PAGE + 1)] {
        let cut = wire::dma_unmap(0, first, size);
        let (turns, answer) = turns_of(&mut server, &client, &other, command::DMA_UNMAP, &cut);
        answer.fails_with(errno::EINVAL);
        assert_eq!((turns, memory.regions().len() as u64), (1, REGIONS));
    }
}

/// Of the first regions, and of the last.
#[test]
fn an_unmap_of_thousands_of_regions_waits_for_all_of_them() {
    let Setup { mut server, client, other, memory, .. } = setup();
    let guards = [0, REGIONS - 1].map(|page| memory.map(2 * page * PAGE, 8).unwrap());
    let all = wire::dma_unmap(dma::UNMAP_ALL, 0, 0);
    client.send(&wire::message(9, command::DMA_UNMAP, 0, &all), &[]);
    for guard in guards {
        settle(&mut server);
        assert!(!client.has_message(Duration::ZERO), "some memory is held");
        guard.write(0, &[1]).unwrap();
        drop(guard);
    }
    settle(&mut server);
    assert_eq!(client.answer_to(9, command::DMA_UNMAP).ok(), all);
    let map = wire::dma_map(dma::BOTH, 0, 0, 2 * REGIONS * PAGE);
    turns_of(&mut server, &client, &other, command::DMA_MAP, &map).1.ok();
}

/// Serves the client of another device until the first one has left. Returns the number of turns.
fn turns_until(server: &mut Server, other: &RawClient, has_left: &AtomicBool) -> u32 {
    let mut turns = 0;
    while !has_left.load(Ordering::Relaxed) {
        let request = wire::message(7, command::GET_INFO, 0, &wire::words(&[16, 0, 0, 0]));
        other.send(&request, &[]);
        server.process().unwrap();
        other.answer_to(7, command::GET_INFO).ok();
        turns += 1;
    }
    turns
}

#[test]
fn other_devices_are_served_while_a_client_with_thousands_of_regions_leaves() {
    let Setup { mut server, client, mut other, memory, has_left, .. } = setup();
    let guard = memory.map(0, 8).unwrap();
    drop(client);
    let turns = turns_until(&mut server, &other, &has_left);
    assert!(turns >= TURNS, "{turns} turns");
    assert!(guard.read(0, &mut [0]).is_err(), "the session has ended");
    serve_while(&mut server, || other.sync());
}

/// A mapping of which every page was touched: the kernel takes a while to unmap it.
fn setup_large() -> (Setup, File) {
    const SIZE: u64 = 256 << 20;
    let setup = setup();
    let Setup { mut server, mut client, .. } = setup;
    let file = files::memory(SIZE);
    serve_while(&mut server, || {
        client.dma_unmap(dma::UNMAP_ALL, 0, 0).unwrap();
        client.dma_map(dma::BOTH, 0, 0, SIZE, Some(file.as_fd())).ok();
    });
    for page in 0..SIZE / PAGE {
        setup.memory.write(page * PAGE, &[1]).unwrap();
    }
    (Setup { server, client, ..setup }, file)
}

/// Returns in how many turns at least all of a file is unmapped, whose pages were touched: the
/// server takes a millisecond in each, and more only for the part in which that ends. Some machines
/// unmap everything in less.
fn least_turns(file: &File) -> u32 {
    let unmap = |_| {
        let pages = MmapOptions::new().populate().map_raw(file).unwrap();
        let start = Instant::now();
        drop(pages);
        start.elapsed()
    };
    let fastest = (0..3).map(unmap).min().unwrap();
    u32::try_from(fastest.as_millis() / 2).unwrap().clamp(1, TURNS)
}

#[test]
fn other_devices_are_served_while_a_large_mapping_is_unmapped() {
    let (Setup { mut server, client, other, memory, .. }, file) = setup_large();
    let least = least_turns(&file);
    let all = wire::dma_unmap(dma::UNMAP_ALL, 0, 0);
    let (turns, answer) = turns_of(&mut server, &client, &other, command::DMA_UNMAP, &all);
    assert_eq!(answer.ok(), all);
    assert!(turns >= least, "{turns} turns of {least}");
    assert!(memory.regions().is_empty());
    assert_eq!(files::count_mappings(&file), 0, "it is unmapped before the answer");
}

#[test]
fn other_devices_are_served_while_a_client_with_a_large_mapping_leaves() {
    let (Setup { mut server, client, other, has_left, .. }, file) = setup_large();
    let least = least_turns(&file);
    drop(client);
    let turns = turns_until(&mut server, &other, &has_left);
    assert!(turns >= least, "{turns} turns of {least}");
    assert_eq!(files::count_mappings(&file), 0, "it is unmapped before the next client");
}

#[test]
fn other_devices_are_served_while_a_client_leaves_in_the_middle_of_an_unmap() {
    let (Setup { mut server, giver, client, other, has_left, .. }, file) = setup_large();
    let least = least_turns(&file);
    let all = wire::dma_unmap(dma::UNMAP_ALL, 0, 0);
    client.send(&wire::message(9, command::DMA_UNMAP, 0, &all), &[]);
    server.process().unwrap();
    server.handle().disconnect(giver);
    let turns = 1 + turns_until(&mut server, &other, &has_left);
    assert!(turns >= least, "{turns} turns of {least}");
    assert_eq!(files::count_mappings(&file), 0, "it is unmapped before the next client");
}

#[test]
fn an_unmap_that_waits_for_held_memory_unmaps_the_rest_meanwhile() {
    let (Setup { mut server, mut client, memory, .. }, file) = setup_large();
    let (held, at) = (files::memory(PAGE), 1 << 40);
    serve_while(&mut server, || {
        client.dma_map(dma::BOTH, 0, at, PAGE, Some(held.as_fd())).ok();
    });
    let guard = memory.map(at, 8).unwrap();
    let all = wire::dma_unmap(dma::UNMAP_ALL, 0, 0);
    client.send(&wire::message(9, command::DMA_UNMAP, 0, &all), &[]);
    settle(&mut server);
    assert!(!client.has_message(Duration::ZERO), "some memory is held");
    assert_eq!([&file, &held].map(files::count_mappings), [0, 1]);
    drop(guard);
    settle(&mut server);
    assert_eq!(client.answer_to(9, command::DMA_UNMAP).ok(), all);
    assert_eq!(files::count_mappings(&held), 0);
}

/// A device that holds one of them stops for a reset once it has released it.
#[test]
fn a_reset_waits_for_the_one_region_of_thousands_that_is_held() {
    let Setup { mut server, client, other, memory, .. } = setup();
    let guard = memory.map(2 * 77 * PAGE, 8).unwrap();
    client.send(&wire::message(9, command::RESET, 0, &[]), &[]);
    settle(&mut server);
    assert!(!client.has_message(Duration::ZERO), "some memory is held");
    guard.write(0, &[1]).unwrap();
    drop(guard);
    settle(&mut server);
    client.answer_to(9, command::RESET).ok();
    let (_, answer) = turns_of(&mut server, &client, &other, command::RESET, &[]);
    answer.ok();
}
