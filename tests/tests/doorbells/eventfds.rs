//! Doorbells: eventfds that a client rings instead of sending writes.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use vfio_user::function::{BackgroundWork, Function, Interrupts, Migrate, Region};
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Cx, Device, Dma, EventFd, PciDevice, ResetKind, Virtual};
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::{Answer, RawClient};
use vfio_user_tests::serve::{self, Running};
use vfio_user_tests::wire::{self, command, errno, irq};
use vfio_user_tests::{PATIENCE, files};

/// Where the registers are, in BAR 0.
const RINGS: u64 = 0x08;
const KICKS: u64 = 0x0c;
const LAST: u64 = 0x10;
/// In BAR 2.
const BEFORE: u64 = 0x10;

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 0xbe11)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x20)]
#[bar(2: mem32, size = 0x1000)]
#[irq(msix = 1, bar = 4)]
struct Tower {
    /// Counts, and raises an interrupt.
    #[reg(0x00, wo, write_with = Self::ring, ioeventfd = 0xabc)]
    go: Virtual<u16>,
    #[reg(0x08, ro)]
    rings: u32,
    #[reg(0x0c, ro)]
    kicks: u32,
    /// The doorbell that was kicked last.
    #[reg(0x10, ro)]
    last: u32,
    #[reg(0x100, wo, kick = Self::kicked)]
    bells: [Virtual<u32>; 300],
    #[reg(0x02, bar = 1, wo, kick = Self::port_kicked)]
    port: Virtual<u8>,
    #[reg(0x00, bar = 2)]
    plain: u32,
    /// How often it had been kicked when it was reset.
    #[reg(0x10, bar = 2, ro, sticky)]
    before: u32,
    total: u32,
}

impl Device for Tower {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.before = self.total;
    }
}

impl Tower {
    fn new() -> Self {
        Tower {
            go: Virtual::new(),
            rings: 0,
            kicks: 0,
            last: 0,
            bells: [Virtual::new(); 300],
            port: Virtual::new(),
            plain: 0,
            before: 0,
            total: 0,
        }
    }

    fn ring(&mut self, cx: &mut Cx<'_, Self>, value: u16) {
        self.rings += 1;
        self.last = value.into();
        cx.irq(0).raise();
    }

    fn kicked(&mut self, _: &mut Cx<'_, Self>, index: usize) {
        self.kicks += 1;
        self.total += 1;
        self.last = u32::try_from(index).unwrap();
    }

    fn port_kicked(&mut self, cx: &mut Cx<'_, Self>) {
        self.kicked(cx, 1000);
    }
}

/// A client that takes so many descriptors at once.
fn tower(max_msg_fds: u32) -> (Running, RawClient) {
    let (running, mut client) = serve::over_pair(Tower::new);
    let json = format!(r#"{{"capabilities":{{"max_msg_fds":{max_msg_fds}}}}}"#);
    client.request(command::VERSION, &wire::version(0, &json), &[]).ok();
    (running, client)
}

fn ask(client: &mut RawClient, argsz: u32, index: u32) -> Answer {
    client.request(command::GET_REGION_IO_FDS, &wire::words(&[argsz, 0, index, 0]), &[])
}

/// The eventfds of a region.
fn eventfds(client: &mut RawClient, index: u32) -> Vec<EventFd> {
    let fds: Vec<OwnedFd> = ask(client, 1 << 20, index).fds;
    fds.into_iter().map(|fd| EventFd::from_fd(fd).expect("an eventfd")).collect()
}

#[test]
fn doorbells_are_reported_as_the_specification_says() {
    let (_running, mut client) = tower(2);
    for argsz in [16, 17, 95] {
        let answer = ask(&mut client, argsz, 0);
        assert!(answer.fds.is_empty(), "argsz {argsz}");
        assert_eq!(answer.ok(), wire::words(&[96, 0, 0, 2]));
    }
    for argsz in [96, 97, u32::MAX] {
        let mut answer = ask(&mut client, argsz, 0);
        assert_eq!(std::mem::take(&mut answer.fds).len(), 2);
        let expected = [
            &[96, 0, 0, 2][..],
            &[0, 0, 2, 0, 0, 0, 1, 0, 0xabc, 0],
            &[0x100, 0, 4, 0, 1, 0, 0, 0, 0, 0],
        ];
        assert_eq!(answer.ok(), wire::words(&expected.concat()));
    }
    let mut answer = ask(&mut client, 4096, 1);
    assert_eq!(std::mem::take(&mut answer.fds).len(), 1);
    let expected = [&[56, 0, 1, 1][..], &[2, 0, 1, 0, 0, 0, 2, 0, 0, 0]];
    assert_eq!(answer.ok(), wire::words(&expected.concat()), "a port");
}

#[test]
fn a_region_without_doorbells_has_none() {
    let (_running, mut client) = tower(8);
    for index in [2, wire::region::CONFIG] {
        let answer = ask(&mut client, 16, index);
        assert_eq!(answer.ok(), wire::words(&[16, 0, index, 0]));
    }
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let (_running, mut client) = tower(8);
    for words in [
        [15, 0, 0, 0],
        [0, 0, 0, 0],
        [4096, 1, 0, 0],
        [4096, 0, 0, 1],
        [4096, 0, 3, 0],
        [4096, 0, wire::region::ROM, 0],
        [4096, 0, wire::region::VGA, 0],
        [4096, 0, 9, 0],
        [4096, 0, u32::MAX, 0],
    ] {
        let answer = client.request(command::GET_REGION_IO_FDS, &wire::words(&words), &[]);
        answer.fails_with(errno::EINVAL);
    }
    for len in 0..16 {
        let payload = &wire::words(&[4096, 0, 0, 0])[..len];
        client.request(command::GET_REGION_IO_FDS, payload, &[]).fails_with(errno::EINVAL);
    }
}

/// Those that do not fit arrive by message.
#[test]
fn a_client_gets_as_many_as_it_takes_and_linux_passes() {
    for (takes, gets) in [(0, 0), (1, 1), (7, 7), (253, 253), (254, 253), (u32::MAX, 253)] {
        let (_running, mut client) = tower(takes);
        let bells = eventfds(&mut client, 0);
        assert_eq!(bells.len(), gets);
        for bell in bells.iter().skip(1) {
            bell.signal();
        }
        let kicks = gets.saturating_sub(1) as u64;
        assert_eq!(client.number(0, KICKS, 4), kicks);
        client.write(0, 0x100 + 299 * 4, &[1; 4]);
        assert_eq!((client.number(0, KICKS, 4), client.number(0, LAST, 4)), (kicks + 1, 299));
    }
}

#[test]
fn a_kick_is_never_overtaken_by_a_later_message() {
    let (_running, mut client) = tower(8);
    let bells = eventfds(&mut client, 0);
    let read = wire::access(0, KICKS, 4);
    let mut kicks = 0;
    for round in 0..2000 {
        // Keeps the server busy with something, or lets it sleep.
        let busy = (round % 3 != 0).then(|| {
            let id = client.id();
            client.send(&wire::message(id, command::REGION_READ, 0, &read), &[]);
            id
        });
        bells[1 + round % 7].signal();
        kicks += 1;
        let id = client.id();
        client.send(&wire::message(id, command::REGION_READ, 0, &read), &[]);
        if let Some(busy) = busy {
            client.answer_to(busy, command::REGION_READ).ok();
        }
        let answer = client.answer_to(id, command::REGION_READ).ok();
        assert_eq!(wire::number(&answer[16..]), kicks, "round {round}");
    }
}

/// A function that reports how often it has caught up since the last access.
#[derive(Debug, Default)]
struct Late {
    ram: Ram,
    caught_up: u8,
}

impl Migrate for Late {}

impl BackgroundWork for Late {
    fn catch_up(&mut self) {
        self.caught_up += 1;
    }
}

impl Function for Late {
    fn region(&self, index: RegionIndex) -> Region<'_> {
        self.ram.region(index)
    }

    fn read(&mut self, _: RegionIndex, _: u64, data: &mut [u8]) -> Result<(), Errno> {
        data.fill(std::mem::take(&mut self.caught_up));
        Ok(())
    }

    fn write(&mut self, _: RegionIndex, _: u64, _: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    fn reset(&mut self) {}

    fn interrupts(&self) -> &Arc<Interrupts> {
        self.ram.interrupts()
    }

    fn dma(&self) -> &Dma {
        self.ram.dma()
    }
}

/// Between the end of a wait and the receive there is time for a doorbell and a message.
#[test]
fn what_came_before_a_message_was_received_is_looked_for() {
    let (_running, mut client) = serve::function(Late::default());
    for _ in 0..10 {
        assert_ne!(client.number(1, 0, 1), 0);
    }
    // Messages that are received together need no more than one look.
    let id = client.id();
    let read = wire::message(id, command::REGION_READ, 0, &wire::access(1, 0, 1));
    client.send(&[&read[..], &read].concat(), &[]);
    let caught_up = [(); 2].map(|()| client.answer_to(id, command::REGION_READ).ok()[16]);
    assert!(caught_up[0] > 0 && caught_up[1] == 0, "{caught_up:?}");
}

#[test]
fn a_doorbell_wakes_a_device_that_sleeps() {
    let (_running, mut client) = tower(8);
    let interrupt = EventFd::new().unwrap();
    client.assign(irq::MSIX, 0, &[interrupt.as_fd()]);
    let bells = eventfds(&mut client, 0);
    for round in 1..=50 {
        bells[0].signal();
        assert_eq!(interrupt.wait(PATIENCE).unwrap(), Some(1));
        assert_eq!(client.number(0, RINGS, 4), round);
    }
    assert_eq!(client.number(0, LAST, 4), 0xabc);
}

#[test]
fn a_kick_before_a_reset_is_one_to_the_device_before_it() {
    let (_running, mut client) = tower(8);
    let bells = eventfds(&mut client, 0);
    bells[2].signal();
    bells[3].signal();
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!((client.number(2, BEFORE, 4), client.number(0, KICKS, 4)), (2, 0));
    bells[3].signal();
    assert_eq!(client.number(0, KICKS, 4), 1, "eventfds outlive a reset");
}

#[test]
fn eventfds_are_the_same_as_long_as_their_client_stays() {
    let running = Running::at_path(Tower::new);
    let mut client = running.client();
    let first = eventfds(&mut client, 0);
    let again = eventfds(&mut client, 0);
    again[1].signal();
    assert_eq!(client.number(0, KICKS, 4), 1);
    assert_eq!(files::count_eventfd(&first[1]), 3, "two of ours, one of the device's");
    // The last kick of a client counts, even if nothing else reports it.
    first[1].signal();
    drop((client, again));
    let mut client = running.client();
    assert_eq!(client.number(0, KICKS, 4), 2);
    assert_eq!(files::count_eventfd(&first[1]), 1, "the device has closed it");
    first[1].signal();
    assert_eq!(client.number(0, KICKS, 4), 2, "the device has no eventfd left");
}
