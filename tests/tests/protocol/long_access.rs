//! Accesses to many registers in one message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use vfio_user::{Cx, Device, PciDevice, Server, Virtual};
use vfio_user_tests::journal::Gate;
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno};

const COUNT: usize = 1 << 18;
const SIZE: u32 = 1 << 20;

/// What the hooks of a device share with the test.
#[derive(Clone, Debug, Default)]
struct Seen {
    accesses: Arc<AtomicU32>,
    /// Held in the first access.
    gate: Option<Gate>,
}

impl Seen {
    fn access(&self) {
        if self.accesses.fetch_add(1, Ordering::Relaxed) == 0
            && let Some(gate) = &self.gate
        {
            gate.pass();
        }
    }

    fn count(&self) -> u32 {
        self.accesses.load(Ordering::Relaxed)
    }
}

/// A BAR full of registers with hooks, and one that refuses what is wrong.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f9)]
#[bar(0: mem32, size = 0x10_0000)]
#[bar(1: mem32, size = 0x4000, unmapped = refuse)]
#[migrate(none)]
struct Wide {
    #[reg(0x0, read_with = Self::read, write_with = Self::write)]
    words: [Virtual<u32>; COUNT],
    #[reg(0x0, bar = 1, wo, write_with = Self::write_strict)]
    strict: [Virtual<u32>; 0xf00],
    #[reg(0x3ff8, bar = 1)]
    events: u32,
    sum: u32,
    seen: Seen,
}

impl Wide {
    fn new(seen: &Seen) -> Self {
        let (words, strict) = ([Virtual::default(); COUNT], [Virtual::default(); 0xf00]);
        Wide { words, strict, events: 0, sum: 0, seen: seen.clone() }
    }

    fn read(&mut self, _: &mut Cx<'_, Self>, index: usize) -> u32 {
        self.seen.access();
        u32::try_from(index).unwrap() ^ self.sum
    }

    fn write(&mut self, cx: &mut Cx<'_, Self>, index: usize, value: u32) {
        self.seen.access();
        // What has been done, and in which order.
        let index = u32::try_from(index).unwrap();
        self.sum = self.sum.rotate_left(5).wrapping_add(value ^ index);
        if index.is_multiple_of(0x1000) {
            cx.post(());
        }
    }

    fn write_strict(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u32) {
        self.seen.access();
    }
}

impl Device for Wide {
    type Event = ();

    fn event(&mut self, _: &mut Cx<'_, Self>, (): ()) {
        self.events += 1;
    }
}

fn serve(seen: &Seen) -> (Running, RawClient) {
    let seen = seen.clone();
    let (running, mut client) = serve::over_pair(move || Wide::new(&seen));
    client.negotiate();
    (running, client)
}

/// What [`Wide::sum`] is after these writes of whole words.
fn sum(before: u32, first: u32, data: &[u8]) -> u32 {
    let words = data.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    (first..)
        .zip(words)
        .fold(before, |sum, (index, value)| sum.rotate_left(5).wrapping_add(value ^ index))
}

#[test]
fn every_register_is_accessed_once_in_order() {
    let (_running, mut client) = serve(&Seen::default());
    let data: Vec<u8> = (0..SIZE).map(|at| at.wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
    let mut expected = 0;
    // Around the boundaries of parts, and all of it.
    for (first, count) in
        [(0, COUNT), (1, 1023), (1, 1024), (1023, 1024), (1022, 2051), (3, 1025), (1023, 2050)]
    {
        let (offset, len) = (u64::from(first) * 4, count * 4);
        client.write(0, offset, &data[..len]);
        expected = sum(expected, first, &data[..len]);
        let read = client.read(0, offset, u32::try_from(len).unwrap());
        let words: Vec<u8> =
            (first..).take(count).flat_map(|at| (at ^ expected).to_le_bytes()).collect();
        assert!(read == words, "{count} registers from {first}");
    }
}

#[test]
fn unaligned_ends_reach_the_bytes_that_they_cover() {
    let (_running, mut client) = serve(&Seen::default());
    for offset in [1_u32, 2, 3, 4095, 4094, 4089, 4088, 8191] {
        for len in [4097_u32, 4098, 4103, 4104, 4105, 8199, 12001] {
            let read = client.read(0, offset.into(), len);
            let byte = |at: u32| (at / 4).to_le_bytes()[usize::try_from(at % 4).unwrap()];
            let expected: Vec<u8> = (offset..offset + len).map(byte).collect();
            assert!(read == expected, "{len} bytes from {offset}");
        }
    }
}

/// Sends an access, and returns how many of its registers had been accessed when another session
/// had its turn.
fn accessed_before_others(command: u16, payload: &[u8]) -> u32 {
    let server = Server::new().unwrap();
    let handle = server.handle();
    let (gate, noted) = (Gate::default(), Arc::new(AtomicU32::new(u32::MAX)));
    let seen = Seen { gate: Some(gate.clone()), ..Seen::default() };
    let (of_wide, of_other, note) = (seen.clone(), seen.clone(), Arc::clone(&noted));
    let (_, mut busy) = puppet::add(&handle, move || Wide::new(&of_wide));
    let other = Puppet::factory(move |_| note.store(of_other.count(), Ordering::Relaxed));
    let (_, mut other) = puppet::add(&handle, other);
    let _running = Running::start(server, Server::run);
    busy.negotiate();
    other.negotiate();
    busy.send(&wire::message(5, command, 0, payload), &[]);
    gate.wait_until_held();
    other.posted_write(0, Puppet::ACT, &[0; 4]);
    gate.open();
    other.sync();
    busy.answer_to(5, command).ok();
    assert_eq!(seen.count() as usize, COUNT);
    noted.load(Ordering::Relaxed)
}

#[test]
fn other_sessions_are_served_before_a_long_access_ends() {
    let write = wire::write(0, 0, &vec![7; SIZE as usize]);
    let read = wire::access(0, 0, SIZE);
    for (command, payload) in [(command::REGION_WRITE, write), (command::REGION_READ, read)] {
        let seen = accessed_before_others(command, &payload);
        assert!(seen <= 4096, "{seen} registers were accessed before the other session's turn");
    }
}

#[test]
fn events_are_handled_and_messages_wait_until_a_long_access_ends() {
    let (_running, mut client) = serve(&Seen::default());
    let data = vec![7; SIZE as usize];
    client.posted_write(0, 0, &data);
    client.posted_write(0, 0, &data);
    let expected = sum(sum(0, 0, &data), 0, &data);
    assert_eq!(client.number(0, 0, 4), u64::from(expected), "read after both");
    assert_eq!(client.number(1, 0x3ff8, 4), 2 * COUNT as u64 / 0x1000);
}

#[test]
fn a_long_access_is_refused_as_a_whole() {
    let seen = Seen::default();
    let (_running, mut client) = serve(&seen);
    // There is nothing between the registers and the counter.
    assert_eq!(client.try_write(1, 0, &[1; 0x3c04]), Err(errno::EINVAL));
    assert_eq!(client.try_write(1, 0x1000, &[1; 0x3000]), Err(errno::EINVAL));
    assert_eq!(seen.count(), 0);
    assert_eq!(client.try_write(1, 0, &[1; 0x3c00]), Ok(()));
    assert_eq!(seen.count(), 0xf00);
}

/// The server does what was sent, also if the client is gone by then.
#[test]
fn a_client_that_leaves_behind_a_long_access_is_cleaned_up_after_it() {
    let seen = Seen::default();
    let of_wide = seen.clone();
    let running = Running::at_path(move || Wide::new(&of_wide));
    let mut client = running.client();
    client.posted_write(0, 0, &vec![7; SIZE as usize]);
    drop(client);
    running.client().sync();
    assert_eq!(seen.count() as usize, COUNT);
}
