//! Memory of a device that its client maps.

use std::fs::File;
use std::os::unix::fs::FileExt;

use vfio_user_tests::files;
use vfio_user_tests::mailbox::{Mailbox, reg};
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno};

fn info(client: &mut RawClient, index: u32) -> Answer {
    client.request(command::GET_REGION_INFO, &wire::region_info(4096, index), &[])
}

/// The file behind a region, and the areas of it.
fn file(client: &mut RawClient, index: u32) -> (File, Vec<(u64, u64)>) {
    let mut answer = info(client, index);
    let [fd] = <[_; 1]>::try_from(std::mem::take(&mut answer.fds)).expect("one descriptor");
    let payload = answer.ok();
    assert_eq!(wire::u32_at(&payload, 4), 0xf, "READ, WRITE, MMAP, CAPS");
    assert_eq!(wire::u64_at(&payload, 24), 0, "the BAR starts where the file does");
    let areas = (48..payload.len()).step_by(16);
    let areas = areas.map(|at| (wire::u64_at(&payload, at), wire::u64_at(&payload, at + 8)));
    (File::from(fd), areas.collect())
}

fn mailbox() -> (Running, RawClient) {
    let (running, mut client) = serve::over_pair(Mailbox::default);
    client.negotiate();
    (running, client)
}

#[test]
fn what_is_mapped_is_what_the_device_and_messages_see() {
    let (_running, mut client) = mailbox();
    let (file, areas) = file(&mut client, 0);
    assert_eq!(areas, [(0x2000, 0x2000), (0x6000, 0x1000)]);
    // A mapping of the client's is the same pages as its file.
    file.write_all_at(&[0x44, 0x33, 0x22, 0x11], 0x2000).unwrap();
    client.write(0, reg::AT, &0x2000u64.to_le_bytes());
    assert_eq!(client.number(0, reg::VALUE, 4), 0x1122_3344, "by the device");
    assert_eq!(client.number(0, 0x2000, 8), 0x1122_3344, "by message");
    client.write(0, reg::VALUE, &7u32.to_le_bytes());
    client.posted_write(0, 0x2004, &[8]);
    client.sync();
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, 0x2000).unwrap();
    assert_eq!(bytes, [7, 0, 0, 0, 8, 0, 0, 0]);
}

#[test]
fn registers_beside_the_memory_stay_registers() {
    let (_running, mut client) = mailbox();
    let (file, _) = file(&mut client, 0);
    file.write_all_at(&vec![0xee; 0x8000], 0).unwrap();
    assert_eq!(client.number(0, reg::SCRATCH, 4), 0);
    client.write(0, reg::LAST, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(client.read(0, reg::LAST, 6), [1, 2, 3, 4, 5, 6]);
    assert_eq!(client.read(0, 0x5ffe, 4), [0, 0, 0xee, 0xee]);
    client.write(0, reg::AT, &0x1000u64.to_le_bytes());
    client.write(0, reg::VALUE, &[9; 4]);
    assert_eq!(client.number(0, reg::VALUE, 4), 0xffff_ffff, "there is no memory");
}

#[test]
fn large_memory_is_reached_everywhere() {
    let (_running, mut client) = mailbox();
    let (file, areas) = file(&mut client, 2);
    assert_eq!(areas, [(0, 64 << 30)]);
    let last = (64 << 30) - 8;
    client.write(2, last, &[5; 8]);
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, last).unwrap();
    assert_eq!(bytes, [5; 8]);
    assert_eq!(client.try_write(2, last + 1, &[5; 8]), Err(errno::EINVAL));
    let long = vec![0x77; 1 << 20];
    client.write(2, 1 << 33, &long);
    assert_eq!(client.read(2, 1 << 33, 1 << 20), long);
}

/// What a device remembers of one client another finds, as in its registers.
#[test]
fn memory_outlives_clients_and_resets_and_ends_with_the_device() {
    let running = Running::at_path(Mailbox::default);
    let mut client = running.client();
    let (first, _) = file(&mut client, 0);
    client.write(0, 0x6000, &[1]);
    client.request(command::RESET, &[], &[]).ok();
    drop(client);
    let mut client = running.client();
    let (second, _) = file(&mut client, 0);
    assert_eq!(client.read(0, 0x6000, 1), [1]);
    let mut byte = [0];
    second.read_exact_at(&mut byte, 0x6000).unwrap();
    assert_eq!((byte, files::count_mappings(&first)), ([1], 1));
    drop(client);
    drop(running);
    assert_eq!(files::count_mappings(&first), 0);
}
