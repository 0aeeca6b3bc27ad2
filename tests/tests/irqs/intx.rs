//! The line INTA: a level, signalled by eventfd.

use std::os::fd::AsFd;

use vfio_user::EventFd;
use vfio_user_tests::irqs::{full, none, raise, set_level};
use vfio_user_tests::wire::irq::{EVENTFD, INTX, MASK, UNMASK};
use vfio_user_tests::wire::region;
use vfio_user_tests::{PATIENCE, serve};

#[test]
fn the_command_register_disables_the_line_and_the_status_register_shows_it() {
    const COMMAND: u64 = 0x04;
    const STATUS: u64 = 0x06;
    let (_running, mut client, _kit) = serve::zoo();
    let line = EventFd::new().unwrap();
    client.assign(INTX, 0, &[line.as_fd()]);
    client.write(region::CONFIG, COMMAND, &[0, 4]);
    set_level(&mut client, 0, true);
    assert_eq!(client.number(region::CONFIG, STATUS, 2) & 1 << 3, 1 << 3);
    assert_eq!(line.take(), None);
    client.write(region::CONFIG, COMMAND, &[0, 0]);
    assert_eq!(line.take(), Some(1));
    set_level(&mut client, 0, false);
    assert_eq!(client.number(region::CONFIG, STATUS, 2) & 1 << 3, 0);
}

#[test]
fn a_counter_that_unmasks_and_is_full_does_not_block_the_device() {
    let (_running, mut client, _kit) = serve::zoo();
    let counter = full();
    let line = EventFd::new().unwrap();
    client.assign(INTX, 0, &[line.as_fd()]);
    none(&mut client, MASK, INTX, 0, 1);
    set_level(&mut client, 0, true);
    client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[counter.as_fd()]).ok();
    assert_eq!(line.wait(PATIENCE).unwrap(), Some(1), "it was signalled, so it unmasks");
    client.sync();
}

#[test]
fn intx_masks_itself_and_fires_again_when_unmasked_while_asserted() {
    let (_running, mut client, _kit) = serve::zoo();
    let [line, unmask] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[line.as_fd()]);
    set_level(&mut client, 0, true);
    assert_eq!(line.take(), Some(1), "asserted");
    set_level(&mut client, 0, true);
    set_level(&mut client, 1, true);
    assert_eq!(line.take(), None, "masked by itself");
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), Some(1), "still asserted");

    client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[unmask.as_fd()]).ok();
    for round in 0..10 {
        unmask.signal();
        assert_eq!(line.wait(PATIENCE).unwrap(), Some(1), "round {round}");
    }
    set_level(&mut client, 0, false);
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), Some(1), "the other source still asserts it");
    set_level(&mut client, 1, false);
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), None, "deasserted");
    set_level(&mut client, 1, true);
    assert_eq!(line.take(), Some(1), "and asserted anew");
}

#[test]
fn intx_asserted_while_masked_fires_when_unmasked_and_only_if_still_asserted() {
    let (_running, mut client, _kit) = serve::zoo();
    let line = EventFd::new().unwrap();
    client.assign(INTX, 0, &[line.as_fd()]);
    none(&mut client, MASK, INTX, 0, 1);
    set_level(&mut client, 3, true);
    assert_eq!(line.take(), None);
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), Some(1));
    none(&mut client, MASK, INTX, 0, 1);
    set_level(&mut client, 3, false);
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), None);
}

#[test]
fn intx_asserted_before_an_eventfd_comes_fires_at_once() {
    let (_running, mut client, _kit) = serve::zoo();
    let line = EventFd::new().unwrap();
    set_level(&mut client, 0, true);
    client.assign(INTX, 0, &[line.as_fd()]);
    assert_eq!(line.take(), Some(1));
}

#[test]
fn a_pulse_of_intx_while_masked_is_not_lost() {
    let (_running, mut client, _kit) = serve::zoo();
    let line = EventFd::new().unwrap();
    client.assign(INTX, 0, &[line.as_fd()]);
    raise(&mut client, 0);
    raise(&mut client, 0);
    assert_eq!(line.take(), Some(1));
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), Some(1));
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), None);
}

#[test]
fn an_eventfd_masks_intx() {
    let (_running, mut client, _kit) = serve::zoo();
    let [line, mask] = [0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[line.as_fd()]);
    client.set_irqs(EVENTFD | MASK, INTX, 0, 1, &[mask.as_fd()]).ok();
    mask.signal();
    // Eventfds are looked at before the socket.
    set_level(&mut client, 0, true);
    assert_eq!(line.take(), None);
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!(line.take(), Some(1));
}

/// QEMU with KVM, section 12.2 of the protocol's description.
#[test]
fn the_sequence_of_qemu_and_kvm_loses_no_interrupt() {
    let (_running, mut client, _kit) = serve::zoo();
    let [slow, fast, resample] = [0, 0, 0].map(|_| EventFd::new().unwrap());
    client.assign(INTX, 0, &[slow.as_fd()]);
    none(&mut client, MASK, INTX, 0, 1);
    set_level(&mut client, 0, true);
    client.assign(INTX, 0, &[fast.as_fd()]);
    client.set_irqs(EVENTFD | UNMASK, INTX, 0, 1, &[resample.as_fd()]).ok();
    none(&mut client, UNMASK, INTX, 0, 1);
    assert_eq!((slow.take(), fast.take()), (None, Some(1)));
    resample.signal();
    assert_eq!(fast.wait(PATIENCE).unwrap(), Some(1));
}
