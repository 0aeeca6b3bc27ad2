//! A register that a client writes as memory.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Duration;

use vfio_user::{Cx, Device, EventFd, PciDevice, Virtual};
use vfio_user_tests::wire::{self, command, irq};
use vfio_user_tests::{PATIENCE, serve};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xbe12)]
#[bar(0: mem32, size = 0x2000, shared(0x1000..0x2000))]
#[irq(msix = 1)]
struct Watcher {
    #[reg(0x00, ro)]
    last: u32,
    #[reg(0x1000, watch, reset = 0xffff_ffff, write_with = Self::ring)]
    bell: Virtual<u32>,
    /// A command, which clears itself.
    #[reg(0x1008, watch, singlepulse, on_write = Self::command)]
    command: u16,
    #[reg(0x04, ro)]
    commands: u32,
}

impl Device for Watcher {
    type Event = ();
}

impl Watcher {
    fn ring(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.last = value;
        cx.irq(0).raise();
    }

    fn command(&mut self, cx: &mut Cx<'_, Self>, _: u16, command: u16) {
        if command != 0 {
            self.commands += 1;
            cx.irq(0).raise();
        }
    }
}

#[test]
fn a_change_is_seen_without_a_message_and_before_a_later_one() {
    let (_running, mut client) = serve::over_pair(Watcher::default);
    client.negotiate();
    let mut answer = client.request(command::GET_REGION_INFO, &wire::region_info(4096, 0), &[]);
    let memory = File::from(answer.fds.remove(0));
    let interrupt = EventFd::new().unwrap();
    client.assign(irq::MSIX, 0, &[interrupt.as_fd()]);
    for (round, sleep) in (1u32..).zip([0, 0, 1, 20, 0, 40]) {
        // Long enough for the device's pauses to grow.
        thread::sleep(Duration::from_millis(sleep));
        memory.write_all_at(&round.to_le_bytes(), 0x1000).unwrap();
        assert_eq!(interrupt.wait(PATIENCE).unwrap(), Some(1), "round {round}");
        assert_eq!(client.number(0, 0, 4), u64::from(round));
    }
    for round in 100u32..1100 {
        memory.write_all_at(&round.to_le_bytes(), 0x1000).unwrap();
        assert_eq!(client.number(0, 0, 4), u64::from(round), "stored before the message was sent");
    }
}

/// A driver writes again as soon as the interrupt is there, while the device has not finished with
/// the first write.
#[test]
fn what_is_written_again_as_soon_as_it_is_answered_is_not_lost() {
    const ROUNDS: u32 = 2_000;
    let (_running, mut client) = serve::over_pair(Watcher::default);
    client.negotiate();
    let mut answer = client.request(command::GET_REGION_INFO, &wire::region_info(4096, 0), &[]);
    let memory = File::from(answer.fds.remove(0));
    let interrupt = EventFd::new().unwrap();
    client.assign(irq::MSIX, 0, &[interrupt.as_fd()]);
    for (at, value) in [(0x1000, &[5, 0, 0, 0][..]), (0x1008, &[6, 0])] {
        for round in 0..ROUNDS {
            memory.write_all_at(value, at).unwrap();
            assert_eq!(interrupt.wait(PATIENCE).unwrap(), Some(1), "{at:#x}, round {round}");
        }
    }
    assert_eq!(client.number(0, 4, 4), u64::from(ROUNDS));
}

#[test]
fn the_first_ring_of_the_next_client_is_heard_though_the_last_one_rang_the_same() {
    let running = serve::Running::at_path(Watcher::default);
    for round in 0..4 {
        let mut client = running.client();
        let mut answer = client.request(command::GET_REGION_INFO, &wire::region_info(4096, 0), &[]);
        let memory = File::from(answer.fds.remove(0));
        let interrupt = EventFd::new().unwrap();
        client.assign(irq::MSIX, 0, &[interrupt.as_fd()]);
        memory.write_all_at(&5_u32.to_le_bytes(), 0x1000).unwrap();
        assert_eq!(interrupt.wait(PATIENCE).unwrap(), Some(1), "client {round}");
    }
}
