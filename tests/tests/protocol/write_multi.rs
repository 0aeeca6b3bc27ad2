//! Several writes in one message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use vfio_user::{Cx, Device, PciDevice, Server, Virtual};
use vfio_user_tests::journal::Gate;
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno};

fn send(client: &mut RawClient, writes: &[(u32, u64, &[u8])]) -> Result<u64, u32> {
    let payload = wire::write_multi(writes);
    let answer = client.request(command::REGION_WRITE_MULTI, &payload, &[]);
    match answer.errno() {
        Some(errno) => Err(errno),
        None => Ok(wire::number(&answer.ok())),
    }
}

#[test]
fn all_of_them_are_done_in_order() {
    let (_running, mut client) = serve::function(Ram::new());
    let writes: &[(u32, u64, &[u8])] = &[
        (1, 0x100, &[1; 8]),
        (1, 0x104, &[2; 4]),
        (1, 0x104, &[3]),
        (0, 0x1000, &[4; 2]),
        (1, 0x200, &[]),
        (5, 8, &[5; 8]),
    ];
    assert_eq!(send(&mut client, writes), Ok(6));
    assert_eq!(client.read(1, 0x100, 9), [1, 1, 1, 1, 3, 2, 2, 2, 0]);
    assert_eq!(client.read(0, 0x1000, 3), [4, 4, 0]);
    assert_eq!(send(&mut client, &[]), Ok(0));
}

/// QEMU sends up to 200 at once, and wants no reply.
#[test]
fn posted_ones_are_done_before_what_comes_next() {
    let (_running, mut client) = serve::function(Ram::new());
    let bytes: Vec<[u8; 8]> = (0..200).map(|number| [number; 8]).collect();
    let offsets = (0..).step_by(8);
    let writes: Vec<_> = offsets.zip(&bytes).map(|(offset, data)| (1, offset, &data[..])).collect();
    for _ in 0..10 {
        client.post(command::REGION_WRITE_MULTI, &wire::write_multi(&writes), &[]);
        assert_eq!(client.read(1, 0, 1600), bytes.concat());
        client.write(1, 0, &[0; 1600]);
    }
    client.post(command::REGION_WRITE_MULTI, &wire::write_multi(&[(4, 0, &[1])]), &[]);
    client.sync();
}

/// A read-only region, one that does not exist, no region, a place behind the end.
#[test]
fn the_first_that_is_not_allowed_is_the_last() {
    let (_running, mut client) = serve::function(Ram::new());
    for (region, offset) in [(4, 0), (6, 0), (9, 0), (u32::MAX, 0), (5, 12), (1, u64::MAX)] {
        let wrong: (u32, u64, &[u8]) = (region, offset, &[9; 8]);
        let right: (u32, u64, &[u8]) = (1, 0, &[7; 8]);
        assert_eq!(send(&mut client, &[wrong, right]), Err(errno::EINVAL), "region {region}");
        assert_eq!(client.number(1, 0, 8), 0);
        assert_eq!(send(&mut client, &[right, wrong, (1, 8, &[9; 8])]), Ok(1), "region {region}");
        assert_eq!(client.read(1, 0, 16), [[7; 8], [0; 8]].concat());
        client.write(1, 0, &[0; 8]);
    }
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    let (_running, mut client) = serve::function(Ram::new());
    let mut request = |payload: &[u8]| {
        client.request(command::REGION_WRITE_MULTI, payload, &[]).fails_with(errno::EINVAL);
    };
    let whole = wire::write_multi(&[(1, 0, &[1; 8]), (1, 8, &[1; 8])]);
    for len in 0..whole.len() {
        request(&whole[..len]);
    }
    request(&[&whole[..], &[0]].concat());
    for count in [0, 1, 3, u64::MAX, u64::MAX / 24 + 1, 1 << 63] {
        request(&[&count.to_le_bytes(), &whole[8..]].concat());
    }
    // An entry has room for 8 bytes.
    for count in [9u32, 24, u32::MAX] {
        let mut large = wire::write_multi(&[(1, 0, &[1; 8])]);
        large[20..24].copy_from_slice(&count.to_le_bytes());
        request(&large);
    }
    assert_eq!(client.number(1, 0, 8), 0, "nothing has been written");
}

/// As many as a message takes.
const MOST: usize = 43_000;

/// Posts an event at each write.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
struct Poster {
    #[reg(0x0, wo, write_with = Self::post)]
    post: Virtual<u32>,
    /// Events that wait now, and the most that ever did.
    #[reg(0x4)]
    waiting: u32,
    #[reg(0x8)]
    most: u32,
    #[reg(0xc)]
    handled: u32,
}

impl Poster {
    fn post(&mut self, cx: &mut Cx<'_, Self>, _: u32) {
        self.waiting += 1;
        self.most = self.most.max(self.waiting);
        cx.post(());
    }
}

impl Device for Poster {
    type Event = ();

    fn event(&mut self, _: &mut Cx<'_, Self>, (): ()) {
        self.waiting -= 1;
        self.handled += 1;
    }
}

#[test]
fn events_are_handled_before_a_long_message_ends() {
    for count in [1, 256, 257, 1000, MOST] {
        let (_running, mut client) = serve::over_pair(Poster::default);
        client.negotiate();
        let writes: Vec<(u32, u64, &[u8])> = vec![(0, 0, &[0; 4]); count];
        assert_eq!(send(&mut client, &writes), Ok(count as u64));
        assert_eq!(client.number(0, 0xc, 4), count as u64);
        assert!(client.number(0, 8, 4) <= 1000, "{} at once", client.number(0, 8, 4));
    }
}

#[test]
fn other_sessions_are_served_before_a_long_message_ends() {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let (gate, count) = (Gate::default(), Arc::new(AtomicU32::new(0)));
    let (door, done) = (gate.clone(), Arc::clone(&count));
    let busy = Puppet::factory(move |_| {
        if done.fetch_add(1, Ordering::Relaxed) == 0 {
            door.pass();
        }
    });
    let (seen, done) = (Arc::new(AtomicU32::new(u32::MAX)), Arc::clone(&count));
    let see = Arc::clone(&seen);
    let other =
        Puppet::factory(move |_| see.store(done.load(Ordering::Relaxed), Ordering::Relaxed));
    let (_, mut busy) = puppet::add(&handle, busy);
    let (_, mut other) = puppet::add(&handle, other);
    let _running = Running::start(server, Server::run);
    busy.negotiate();
    other.negotiate();
    let writes: Vec<(u32, u64, &[u8])> = vec![(0, Puppet::ACT, &[0; 4]); MOST];
    let message = wire::message(5, command::REGION_WRITE_MULTI, 0, &wire::write_multi(&writes));
    busy.send(&message, &[]);
    gate.wait_until_held();
    other.posted_write(0, Puppet::ACT, &[0; 4]);
    gate.open();
    other.sync();
    let seen = seen.load(Ordering::Relaxed);
    assert!(seen < 2000, "{seen} writes were done before the other session had its turn");
    let answer = busy.answer_to(5, command::REGION_WRITE_MULTI).ok();
    assert_eq!(wire::number(&answer), MOST as u64);
    assert_eq!(count.load(Ordering::Relaxed) as usize, MOST);
}

#[test]
fn a_long_message_stops_at_the_first_write_that_is_not_allowed() {
    let (_running, mut client) = serve::function(Ram::new());
    for wrong in [255, 256, 257, 511, 512, 700] {
        let mut writes: Vec<(u32, u64, &[u8])> = vec![(1, 0, &[7; 8]); 1000];
        writes[wrong] = (4, 0, &[1]);
        writes[wrong + 1] = (1, 8, &[9; 8]);
        assert_eq!(send(&mut client, &writes), Ok(wrong as u64));
        assert_eq!(client.read(1, 0, 16), [[7; 8], [0; 8]].concat());
    }
}

#[test]
fn messages_behind_a_long_one_wait_for_it() {
    let (_running, mut client) = serve::over_pair(Poster::default);
    client.negotiate();
    let writes: Vec<(u32, u64, &[u8])> = vec![(0, 0, &[0; 4]); 2000];
    for round in 1..=5u64 {
        client.post(command::REGION_WRITE_MULTI, &wire::write_multi(&writes), &[]);
        assert_eq!(client.number(0, 0xc, 4), 2000 * round);
    }
}

/// The server does what was sent, also if the client is gone by then.
#[test]
fn a_client_that_leaves_behind_a_long_message_is_cleaned_up_after_it() {
    let running = Running::at_path(Poster::default);
    let writes: Vec<(u32, u64, &[u8])> = vec![(0, 0, &[0; 4]); 5000];
    let mut client = running.client();
    client.post(command::REGION_WRITE_MULTI, &wire::write_multi(&writes), &[]);
    drop(client);
    assert_eq!(running.client().number(0, 0xc, 4), 5000);
}
