//! What passes: descriptors, the second socket, ends.

use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use vfio_user::EventFd;
use vfio_user::client::{Client, DmaMapping};
use vfio_user::protocol::{DmaMapFlags, IrqAction, IrqIndex, RegionIndex};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::{PATIENCE, files, serve};

use crate::Proxy;
use crate::card::{Card, card};

const BOTH: DmaMapFlags = DmaMapFlags::READ.union(DmaMapFlags::WRITE);
/// Bus master and memory.
const ENABLED: u16 = 6;

fn enable(client: &Client) {
    client.region(RegionIndex::Config).write(4, ENABLED).unwrap();
}

/// Maps a file, lets the device write to it, and waits for its interrupt.
fn store_in_file(client: &Client, iova: u64) {
    let file = files::memory(0x1000);
    let (fd, rights) = (file.as_fd(), BOTH);
    client.dma_map(DmaMapping { iova, size: 0x1000, file: fd, offset: 0, rights }).unwrap();
    let eventfd = EventFd::new().unwrap();
    client.set_irqs(IrqIndex::Intx, 0, &[Some(&eventfd)]).unwrap();
    let bar = client.region(RegionIndex::Bar0);
    bar.write(Card::STATUS, 0xcafe_u32).unwrap();
    bar.write(Card::STORE, iova + 8).unwrap();
    assert_eq!(eventfd.wait(PATIENCE).unwrap(), Some(1));
    client.act_on_irqs(IrqIndex::Intx, IrqAction::Unmask, 0..1).unwrap();
    let mut stored = [0; 4];
    file.read_exact_at(&mut stored, 8).unwrap();
    assert_eq!(stored, 0xcafe_u32.to_le_bytes());
    client.dma_unmap(iova, 0x1000).unwrap();
}

#[test]
fn descriptors_pass_both_ways_and_are_closed() {
    let card = card();
    let proxy = Proxy::start(card.path(), &["--quiet"]);
    let client = proxy.attach();
    enable(&client);
    let at_first = proxy.descriptors();
    let map = client.region_details(RegionIndex::Bar2).unwrap().map().unwrap();
    map.store(0x1004, 0x5a5a_u32).unwrap();
    let read: u32 = client.region(RegionIndex::Bar2).read(0x1004).unwrap();
    assert_eq!(read, 0x5a5a);
    for round in 1..=20 {
        store_in_file(&client, round << 20);
    }
    assert_eq!(proxy.descriptors(), at_first);
    drop(client);
    // Nothing of a connection is left: neither its sockets nor the second one's.
    let idle = Proxy::start(card.path(), &["--quiet"]).descriptors();
    proxy.wait("all is closed", || proxy.descriptors() == idle);
    proxy.finish();
}

#[test]
fn memory_is_reached_through_the_second_socket() {
    let card = card();
    let proxy = Proxy::start(card.path(), &[]);
    let client = proxy.attach();
    enable(&client);
    let memory = Arc::new(Mutex::new(vec![0x77; 0x1000]));
    client.dma_map_memory(0x8000, 0x1000, memory, BOTH).unwrap();
    let bar = client.region(RegionIndex::Bar0);
    bar.write(Card::FETCH, 0x8010_u64).unwrap();
    proxy.wait("the fetch ends", || bar.read::<u32>(Card::STATUS).unwrap() == 0x7777_7777);
    drop(client);
    proxy.wait_for("closed");
    let printed = proxy.finish();
    let line = |text: &str| printed.lines().find(|line| line.contains(text)).expect(text);
    assert!(line("DMA_READ address=0x8010 count=4").contains(" twin< "), "{printed}");
    let reply = line("DMA_READ ok address=0x8010 count=4 data=0x77777777");
    assert!(reply.contains(" twin> ") && reply.ends_with('s'), "{printed}");
}

#[test]
fn clients_follow_each_other_and_a_second_one_is_refused() {
    let card = card();
    let proxy = Proxy::start(card.path(), &["--quiet"]);
    for round in 0..3_u32 {
        let client = proxy.attach();
        let bar = client.region(RegionIndex::Bar0);
        enable(&client);
        bar.write(Card::STATUS, round).unwrap();
        assert_eq!(bar.read::<u32>(Card::STATUS).unwrap(), round);
        let refused = Client::attach(proxy.socket()).unwrap_err();
        assert!(matches!(refused, vfio_user::Error::DeviceInUse), "{refused}");
    }
    proxy.finish();
}

#[test]
fn the_end_of_a_server_reaches_the_client() {
    let card = card();
    let proxy = Proxy::start(card.path(), &["--quiet"]);
    let mut client = RawClient::connect(&proxy.socket());
    client.negotiate();
    drop(card);
    client.expect_closed();
    assert!(client.try_send(&[0; 16], &[]).is_err(), "the client's writes fail");
    drop(client);
    proxy.finish();
}

#[test]
fn large_and_pipelined_messages_pass_unchanged() {
    let (zoo, _) = serve::zoo_at_path();
    let proxy = Proxy::start(zoo.path(), &["--quiet"]);
    let mut client = RawClient::connect(&proxy.socket());
    client.negotiate();
    let data: Vec<u8> = (0..0x10_0000_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
    let (command, access) = (vfio_user_tests::wire::command::REGION_WRITE, wire_write(&data));
    let mut stream = Vec::new();
    let ids: Vec<u16> = (0..5).map(|_| client.id()).collect();
    for id in &ids {
        stream.extend(vfio_user_tests::wire::message(*id, command, 0, &access));
    }
    client.send(&stream, &[]);
    for id in ids {
        // BAR 1 is smaller: what matters is that each arrives as one message.
        assert_eq!(client.answer_to(id, command).errno(), Some(22));
    }
    client.sync();
    proxy.finish();
}

/// The payload of a write to BAR 1.
fn wire_write(data: &[u8]) -> Vec<u8> {
    vfio_user_tests::wire::write(1, 0, data)
}
