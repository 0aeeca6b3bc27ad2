//! Clients that ask for descriptors and do not receive them.

use std::thread;
use std::time::{Duration, Instant};

use vfio_user::{Device, PciDevice, Virtual};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve;
use vfio_user_tests::wire::{self, command};

#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xbe11)]
#[bar(0: mem32, size = 0x1000)]
#[bar(2: mem32, size = 0x1000, shared)]
struct Bells {
    #[reg(0x00, wo, kick = Self::kicked)]
    bells: [Virtual<u32>; 8],
    #[reg(0x100)]
    scratch: u32,
}

impl Bells {
    fn kicked(&mut self, _: &mut vfio_user::Cx<'_, Self>, _: usize) {
        self.scratch += 1;
    }
}

impl Device for Bells {
    type Event = ();
}

const COUNT: u16 = 60;

/// What has arrived and was not received, once it stays the same.
fn unread(client: &RawClient) -> u64 {
    let (start, mut before) = (Instant::now(), 0);
    loop {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(30));
        let now = rustix::io::ioctl_fionread(client.stream()).unwrap();
        if now == before && now > 0 {
            return now;
        }
        before = now;
    }
}

fn io_fds() -> Vec<u8> {
    wire::words(&[16 + 8 * 40, 0, 0, 0])
}

fn check(messages: &[(u16, Vec<u8>)], fds: &[usize]) {
    let (_running, mut client) = serve::over_pair(Bells::default);
    client.negotiate();
    for id in 0..COUNT {
        let (command, payload) = &messages[usize::from(id) % messages.len()];
        client.send(&wire::message(id, *command, 0, payload), &[]);
    }
    let first = unread(&client);
    assert!(first < 1000, "{first} bytes are there, of more than one reply with descriptors");
    for id in 0..COUNT {
        let which = usize::from(id) % messages.len();
        let answer = client.answer_to(id, messages[which].0);
        assert_eq!(answer.fds.len(), fds[which], "reply {id}");
        answer.ok();
    }
    client.sync();
}

#[test]
fn no_more_descriptors_are_sent_while_earlier_ones_are_unread() {
    check(&[(command::GET_REGION_IO_FDS, io_fds())], &[8]);
    check(&[(command::GET_REGION_INFO, wire::region_info(100, 2))], &[1]);
    let mixed = [
        (command::GET_REGION_IO_FDS, io_fds()),
        (command::REGION_READ, wire::access(0, 0x100, 4)),
        (command::GET_REGION_INFO, wire::region_info(100, 2)),
    ];
    check(&mixed, &[8, 0, 1]);
}

#[test]
fn a_client_that_leaves_them_unread_may_leave() {
    let (running, mut client) = serve::over_pair(Bells::default);
    client.negotiate();
    for id in 0..COUNT {
        client.send(&wire::message(id, command::GET_REGION_IO_FDS, 0, &io_fds()), &[]);
    }
    unread(&client);
    drop(client);
    running.join().unwrap();
}

#[test]
fn a_server_ends_whose_client_leaves_them_unread() {
    let (running, mut client) = serve::over_pair(Bells::default);
    client.negotiate();
    for id in 0..COUNT {
        client.send(&wire::message(id, command::GET_REGION_IO_FDS, 0, &io_fds()), &[]);
    }
    unread(&client);
    running.shutdown().shutdown();
    running.join().unwrap();
}
