//! Interrupts: what `SET_IRQS` accepts, and what it makes of a raise.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::eventfd::{EfdFlags, EventFd as NixEventFd};
use vfio_user::{Device, EventFd, PciDevice, Server};
use vfio_user_tests::irqs::{PBA, eventfds, full, none, pending, raise, set_level, taken};
use vfio_user_tests::puppet::{self, Puppet};
use vfio_user_tests::ram::Ram;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::stepped::{settle, turns_of};
use vfio_user_tests::wire::irq::{
    BOOL, ERR, EVENTFD, INTX, MASK, MSI, MSIX, NONE, REQ, TRIGGER, UNMASK,
};
use vfio_user_tests::wire::{self, command, errno};
use vfio_user_tests::zoo::reg;
use vfio_user_tests::{files, serve};

const COUNTS: [u32; 5] = [1, 8, 256, 1, 1];

/// What the specification and the kernel's interface accept.
fn is_valid(flags: u32, index: u32, start: u32, count: u32, fds: u32, bytes: u32) -> bool {
    let (data, action) = (flags & 7, flags & 0x38);
    let vectors = COUNTS.get(index as usize).copied().unwrap_or(0);
    let known = flags < 0x40 && data.is_power_of_two() && action.is_power_of_two() && index < 5;
    let inside = u64::from(start) + u64::from(count) <= u64::from(vectors);
    let disables = data == NONE && action == TRIGGER && start == 0;
    let supported = index < ERR || action == TRIGGER;
    let brings = match data {
        EVENTFD => fds == 0 || fds == count,
        BOOL => fds == 0 && bytes == count,
        _ => fds == 0,
    };
    known && inside && (count > 0 || disables) && supported && brings
}

#[test]
fn exactly_the_valid_requests_are_accepted() {
    let (_running, mut client, _kit) = serve::zoo();
    let eventfd = EventFd::new().unwrap();
    let ranges =
        [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (6, 2), (7, 2), (8, 0), (255, 1), (256, 1)];
    for flags in (0..0x80).chain([0x124, 0x8000_0021]) {
        for index in 0..6 {
            for (start, count) in ranges {
                for (fds, bytes) in [(0, 0), (count, 0), (count + 1, 0), (0, count), (0, count + 1)]
                {
                    let request = wire::set_irqs(flags, index, start, count);
                    let payload = [request, vec![0; bytes as usize]].concat();
                    let sent = vec![eventfd.as_fd(); fds as usize];
                    let answer = client.request(command::SET_IRQS, &payload, &sent);
                    assert_eq!(
                        answer.errno(),
                        (!is_valid(flags, index, start, count, fds, bytes))
                            .then_some(errno::EINVAL),
                        "flags {flags:#x} index {index} {start}+{count} fds {fds} bytes {bytes}",
                    );
                }
            }
        }
    }
}

#[test]
fn ranges_that_wrap_and_short_argument_sizes_are_refused() {
    let (_running, mut client, _kit) = serve::zoo();
    for (start, count) in [(u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX), (0, 257)] {
        for data in [NONE, EVENTFD] {
            client.set_irqs(data | TRIGGER, MSIX, start, count, &[]).fails_with(errno::EINVAL);
        }
    }
    for argsz in [0, 19] {
        let mut payload = wire::set_irqs(NONE | TRIGGER, MSIX, 0, 0);
        payload[..4].copy_from_slice(&u32::to_le_bytes(argsz));
        client.request(command::SET_IRQS, &payload, &[]).fails_with(errno::EINVAL);
    }
}

#[test]
fn a_message_goes_to_its_vector_alone() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(16);
    client.assign(MSIX, 0, &files::borrow(&vectors[..8]));
    client.assign(MSIX, 248, &files::borrow(&vectors[8..]));
    for (at, source) in (0..8).chain(248..256).enumerate() {
        raise(&mut client, source);
        let mut expected = [0; 16];
        expected[at] = 1;
        assert_eq!(taken(&vectors), expected, "source {source}");
    }
    for source in [8, 100, 256, 0xffff, u32::MAX] {
        raise(&mut client, source);
        assert_eq!(taken(&vectors), [0; 16], "source {source}");
    }
}

#[test]
fn eventfds_that_are_replaced_are_closed() {
    let (_running, mut client, _kit) = serve::zoo();
    let [first, second] = [0, 0].map(|_| EventFd::new().unwrap());
    for index in [INTX, MSI, MSIX, ERR, REQ] {
        client.assign(index, 0, &[first.as_fd()]);
        assert_eq!(files::count_eventfd(&first), 2);
        client.assign(index, 0, &[second.as_fd()]);
        assert_eq!((files::count_eventfd(&first), files::count_eventfd(&second)), (1, 2));
        none(&mut client, TRIGGER, index, 0, 0);
        assert_eq!(files::count_eventfd(&second), 1);
    }
    for action in [MASK, UNMASK] {
        let set = |client: &mut RawClient, fds: &[BorrowedFd<'_>]| {
            client.set_irqs(EVENTFD | action, INTX, 0, 1, fds).ok();
        };
        set(&mut client, &[first.as_fd()]);
        set(&mut client, &[second.as_fd()]);
        client.sync();
        assert_eq!((files::count_eventfd(&first), files::count_eventfd(&second)), (1, 2));
        set(&mut client, &[]);
        client.sync();
        assert_eq!(files::count_eventfd(&second), 1);
    }
}

#[test]
fn disabling_an_index_closes_its_eventfds_and_those_that_unmask() {
    let (_running, mut client, _kit) = serve::zoo();
    let [trigger, unmask] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[trigger.as_fd()]);
    client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[unmask.as_fd()]).ok();
    none(&mut client, TRIGGER, INTX, 0, 0);
    client.sync();
    assert_eq!((files::count_eventfd(&trigger), files::count_eventfd(&unmask)), (1, 1));
}

#[test]
fn the_end_of_the_connection_closes_all_eventfds() {
    let (running, _kit) = serve::zoo_at_path();
    let mut client = running.client();
    let vectors = eventfds(7);
    for (index, eventfd) in (0..5).zip(&vectors) {
        client.assign(index, 0, &[eventfd.as_fd()]);
    }
    client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[vectors[5].as_fd()]).ok();
    client.set_irqs(EVENTFD | MASK, INTX, 0, 1, &[vectors[6].as_fd()]).ok();
    drop(client);
    running.client().sync();
    for eventfd in &vectors {
        assert_eq!(files::count_eventfd(eventfd), 1);
    }
}

#[test]
fn a_full_counter_does_not_block_the_device() {
    let (_running, mut client, _kit) = serve::zoo();
    let counter = full();
    for index in [INTX, MSI, MSIX] {
        client.assign(index, 0, &[counter.as_fd()]);
        raise(&mut client, 0);
        none(&mut client, TRIGGER, index, 0, 1);
        none(&mut client, TRIGGER, index, 0, 0);
    }
    assert_eq!(counter.read().unwrap(), u64::MAX);
}

#[test]
fn a_blocking_counter_stays_one_and_does_not_hang_the_device() {
    let (_running, mut client, _kit) = serve::zoo();
    let counter = NixEventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).unwrap();
    for index in [INTX, MSI, MSIX] {
        client.assign(index, 0, &[counter.as_fd()]);
        // The mode belongs to the counter, not to the descriptor: a client may wait by reading.
        let flags = fcntl(&counter, FcntlArg::F_GETFL).unwrap();
        assert!(!OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK));
        counter.write(u64::MAX - 1).unwrap();
        raise(&mut client, 0);
        client.sync();
        assert_eq!(counter.read().unwrap(), u64::MAX);
        none(&mut client, TRIGGER, index, 0, 0);
    }
}

/// The client empties and fills its counter while the device raises, and has it blocking whenever
/// it is full: a look before the write would see room.
#[test]
fn a_counter_that_is_filled_at_any_moment_does_not_hang_the_device() {
    const ROUNDS: usize = 500;
    let (_running, mut client, _kit) = serve::zoo();
    for index in [INTX, MSI, MSIX] {
        let counter = NixEventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).unwrap();
        client.assign(index, 0, &[counter.as_fd()]);
        let round = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| fill_each_round(&counter, &round));
            let _over = Over(&round);
            for _ in 0..ROUNDS {
                client.posted_write(0, reg::RAISE, &0_u32.to_le_bytes());
                for _ in 0..10 {
                    none(&mut client, UNMASK, index, 0, 1);
                    none(&mut client, TRIGGER, index, 0, 1);
                }
                round.fetch_add(1, Ordering::Relaxed);
            }
        });
        none(&mut client, TRIGGER, index, 0, 0);
    }
}

/// Ends the other thread, also when this one panics.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }
}

/// Empties the counter, fills it again at once, or a little later, and leaves it full and blocking
/// until the next round.
fn fill_each_round(counter: &NixEventFd, round: &AtomicUsize) {
    let set_mode = |mode| fcntl(counter, FcntlArg::F_SETFL(mode)).unwrap();
    let mut now = 0;
    while now != usize::MAX {
        set_mode(OFlag::O_NONBLOCK);
        let _ = counter.read();
        (0..now % 64 * 32).for_each(|_| std::hint::spin_loop());
        let _ = counter.write(u64::MAX - 1);
        set_mode(OFlag::empty());
        let seen = now;
        while now == seen {
            std::hint::spin_loop();
            now = round.load(Ordering::Relaxed);
        }
    }
}

#[test]
fn what_is_no_eventfd_is_refused_and_changes_nothing() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(3);
    client.assign(MSIX, 0, &files::borrow(&vectors[..2]));
    let (mut reader, writer) = files::new_pipe();
    let memory: OwnedFd = files::memory(4096).into();
    for bad in [writer.as_fd(), memory.as_fd()] {
        for action in [TRIGGER, UNMASK, MASK] {
            let fds = [vectors[2].as_fd(), bad];
            let answer = client.set_irqs(EVENTFD | action, MSIX, 0, 2, &fds);
            answer.fails_with(errno::EINVAL);
        }
    }
    drop(writer);
    files::assert_closed(&mut reader);
    raise(&mut client, 0);
    raise(&mut client, 1);
    assert_eq!(taken(&vectors), [1, 1, 0]);
    assert_eq!(files::count_eventfd(&vectors[2]), 1);
}

#[test]
fn with_fewer_msi_vectors_sources_share_them() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(4);
    for enabled in [1, 2, 4] {
        client.assign(MSI, 0, &files::borrow(&vectors[..enabled]));
        for source in 0..8 {
            raise(&mut client, source);
            let mut expected = [0; 4];
            expected[source as usize % enabled] = 1;
            assert_eq!(taken(&vectors), expected, "source {source} of {enabled}");
        }
        none(&mut client, TRIGGER, MSI, 0, 0);
    }
}

#[test]
fn a_vector_without_eventfd_keeps_its_interrupt_until_one_comes() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(4);
    for index in [MSI, MSIX] {
        client.assign(index, 0, &files::borrow(&vectors));
        client.set_irqs(EVENTFD | TRIGGER, index, 1, 1, &[]).ok();
        (0..4).for_each(|source| raise(&mut client, source));
        assert_eq!(taken(&vectors), [1, 0, 1, 1], "index {index}");
        client.assign(index, 1, &[vectors[1].as_fd()]);
        assert_eq!(taken(&vectors), [0, 1, 0, 0], "index {index}");
        none(&mut client, TRIGGER, index, 0, 0);
    }
}

#[test]
fn ranges_are_disabled_one_by_one() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(8);
    client.assign(MSIX, 10, &files::borrow(&vectors));
    let mut left = [1; 8];
    for (start, count) in [(12u32, 2u32), (10, 1), (17, 1), (11, 1), (14, 3)] {
        client.set_irqs(EVENTFD | TRIGGER, MSIX, start, count, &[]).ok();
        let first = start as usize - 10;
        left[first..first + count as usize].fill(0);
        (10..18).for_each(|source| raise(&mut client, source));
        assert_eq!(taken(&vectors), left, "without {start}+{count}");
        let held: Vec<_> = vectors.iter().map(|fd| files::count_eventfd(fd) as u64 - 1).collect();
        assert_eq!(held, left);
    }
}

#[test]
fn disabling_what_has_no_vectors_or_none_assigned_succeeds() {
    let (_running, mut client) = serve::function(Ram::new());
    for index in [MSI, INTX, MSIX, ERR, REQ] {
        none(&mut client, TRIGGER, index, 0, 0);
        none(&mut client, TRIGGER, index, 0, 0);
    }
    client.set_irqs(EVENTFD | TRIGGER, MSIX, 0, 1, &[]).ok();

    // It changes nothing of what is assigned elsewhere.
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(2);
    client.assign(MSIX, 0, &files::borrow(&vectors));
    for index in [MSI, INTX, ERR, REQ] {
        none(&mut client, TRIGGER, index, 0, 0);
    }
    client.set_irqs(EVENTFD | TRIGGER, MSIX, 2, 3, &[]).ok();
    (0..5).for_each(|source| raise(&mut client, source));
    assert_eq!(taken(&vectors), [1, 1]);
    // And what was disabled can be assigned again.
    none(&mut client, TRIGGER, MSIX, 0, 0);
    raise(&mut client, 0);
    assert_eq!(taken(&vectors), [0, 0]);
    client.assign(MSIX, 0, &files::borrow(&vectors));
    raise(&mut client, 1);
    assert_eq!(taken(&vectors)[1], 1);
}

#[test]
fn messages_take_precedence_over_the_line_which_takes_over_again() {
    let (_running, mut client, _kit) = serve::zoo();
    let [line, msi, msix] = [0, 0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[line.as_fd()]);
    client.assign(MSI, 0, &[msi.as_fd()]);
    raise(&mut client, 0);
    client.assign(MSIX, 0, &[msix.as_fd()]);
    raise(&mut client, 0);
    assert_eq!((line.take(), msi.take(), msix.take()), (None, Some(1), Some(1)));
    none(&mut client, TRIGGER, MSIX, 0, 0);
    none(&mut client, TRIGGER, MSI, 0, 0);
    raise(&mut client, 0);
    assert_eq!((line.take(), msi.take(), msix.take()), (Some(1), None, None));
}

#[test]
fn a_rising_edge_sends_one_message() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(2);
    client.assign(MSIX, 0, &files::borrow(&vectors));
    for (level, expected) in [(true, 1), (true, 0), (false, 0), (false, 0), (true, 1)] {
        set_level(&mut client, 1, level);
        assert_eq!(taken(&vectors), [0, expected]);
    }
}

#[test]
fn a_level_that_rose_as_a_message_asserts_the_line_that_follows() {
    let (_running, mut client, _kit) = serve::zoo();
    let [line, msix] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(MSIX, 0, &[msix.as_fd()]);
    set_level(&mut client, 0, true);
    none(&mut client, TRIGGER, MSIX, 0, 0);
    client.assign(INTX, 0, &[line.as_fd()]);
    assert_eq!((msix.take(), line.take()), (Some(1), Some(1)));
}

#[test]
fn masked_vectors_pend_and_fire_once_when_unmasked() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(4);
    client.assign(MSIX, 62, &files::borrow(&vectors));
    none(&mut client, MASK, MSIX, 62, 3);
    assert_eq!((pending(&mut client, 0), pending(&mut client, 1)), (0, 0));
    for source in [62, 63, 63, 64, 65] {
        raise(&mut client, source);
    }
    assert_eq!(taken(&vectors), [0, 0, 0, 1]);
    assert_eq!((pending(&mut client, 0), pending(&mut client, 1)), (3 << 62, 1));
    client.write(5, PBA, &[0xff; 16]);
    assert_eq!((pending(&mut client, 0), pending(&mut client, 1)), (3 << 62, 1), "read-only");
    none(&mut client, UNMASK, MSIX, 63, 2);
    assert_eq!(taken(&vectors), [0, 1, 1, 0]);
    assert_eq!((pending(&mut client, 0), pending(&mut client, 1)), (1 << 62, 0));
    none(&mut client, UNMASK, MSIX, 62, 4);
    none(&mut client, UNMASK, MSIX, 62, 4);
    assert_eq!(taken(&vectors), [1, 0, 0, 0]);
}

#[test]
fn bytes_choose_the_vectors() {
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(4);
    client.assign(MSIX, 4, &files::borrow(&vectors));
    let mut bools = |action: u32, bytes: [u8; 4]| {
        let payload = [wire::set_irqs(BOOL | action, MSIX, 4, 4), bytes.to_vec()].concat();
        client.request(command::SET_IRQS, &payload, &[]).ok();
        taken(&vectors)
    };
    assert_eq!(bools(TRIGGER, [1, 0, 2, 0xff]), [1, 0, 1, 1]);
    assert_eq!(bools(TRIGGER, [0; 4]), [0; 4]);
    assert_eq!(bools(MASK, [1, 1, 0, 0]), [0; 4]);
    (4..8).for_each(|source| raise(&mut client, source));
    assert_eq!(taken(&vectors), [0, 0, 1, 1]);
    let payload = [wire::set_irqs(BOOL | UNMASK, MSIX, 4, 4), vec![0, 1, 1, 1]].concat();
    client.request(command::SET_IRQS, &payload, &[]).ok();
    assert_eq!(taken(&vectors), [0, 1, 0, 0]);
}

#[test]
fn a_client_may_test_its_eventfds() {
    let (_running, mut client, _kit) = serve::zoo();
    for index in [INTX, MSI, MSIX, ERR, REQ] {
        let eventfd = EventFd::new().unwrap();
        none(&mut client, TRIGGER, index, 0, 1);
        client.assign(index, 0, &[eventfd.as_fd()]);
        none(&mut client, TRIGGER, index, 0, 1);
        assert_eq!(eventfd.take(), Some(1), "index {index}");
    }
}

#[test]
fn a_reset_drops_levels_and_pending_interrupts_and_keeps_eventfds() {
    let (_running, mut client, _kit) = serve::zoo();
    let [line, msix] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[line.as_fd()]);
    none(&mut client, MASK, INTX, 0, 1);
    set_level(&mut client, 0, true);
    raise(&mut client, 0);
    client.request(command::RESET, &[], &[]).ok();
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), None);
    set_level(&mut client, 0, true);
    assert_eq!(line.take(), Some(1));

    client.assign(MSIX, 0, &[msix.as_fd()]);
    none(&mut client, MASK, MSIX, 0, 1);
    raise(&mut client, 0);
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!(pending(&mut client, 0), 0);
    none(&mut client, UNMASK, MSIX, 0, 1);
    assert_eq!(msix.take(), None);
    raise(&mut client, 0);
    assert_eq!(msix.take(), Some(1));
}

/// As many vectors as a function may have.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1_0000)]
#[irq(msix = 2048)]
struct Busy {}

impl Device for Busy {
    type Event = ();
}

/// However many vectors a request is for, it takes turns with other devices of the thread.
#[test]
fn other_devices_are_served_while_all_vectors_are_triggered() {
    const COUNT: u32 = 2048;
    let mut server = Server::new().unwrap();
    let handle = server.handle();
    let (_, client) = puppet::add(&handle, Busy::default);
    let (_, other) = puppet::add(&handle, Puppet::factory(|_| {}));
    for client in [&client, &other] {
        client.send(&wire::message(1, command::VERSION, 0, &wire::version(0, "{}")), &[]);
        settle(&mut server);
        client.answer_to(1, command::VERSION).ok();
    }
    let eventfds = eventfds(2);
    for (vector, eventfd) in [0, COUNT - 1].into_iter().zip(&eventfds) {
        let assign = wire::set_irqs(EVENTFD | TRIGGER, MSIX, vector, 1);
        client.send(&wire::message(2, command::SET_IRQS, 0, &assign), &[eventfd.as_fd()]);
        settle(&mut server);
        client.answer_to(2, command::SET_IRQS).ok();
    }
    let all = [(NONE, vec![]), (BOOL, vec![1; COUNT as usize])];
    for (action, (data, bytes)) in [TRIGGER, MASK, UNMASK].into_iter().zip(all.iter().cycle()) {
        let request = [wire::set_irqs(data | action, MSIX, 0, COUNT), bytes.clone()].concat();
        let (turns, answer) = turns_of(&mut server, &client, &other, command::SET_IRQS, &request);
        assert_eq!(answer.errno(), None);
        assert!(turns >= 16, "{turns} turns");
    }
    settle(&mut server);
    assert_eq!(taken(&eventfds), [1, 1]);
}
