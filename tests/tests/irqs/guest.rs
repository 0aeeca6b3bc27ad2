//! Interrupts: what the guest says of them, in tables, masks and capabilities.

use std::os::fd::AsFd;

use vfio_user::EventFd;
use vfio_user_tests::irqs::{eventfds, none, pending, raise, taken};
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::irq::{INTX, MSI, MSIX, TRIGGER};
use vfio_user_tests::wire::{command, region};
use vfio_user_tests::{files, serve};

#[test]
fn the_guests_msix_table_is_kept() {
    let (_running, mut client, _kit) = serve::zoo();
    let table = client.read(5, 0, 4096);
    for entry in table.chunks(16) {
        assert_eq!(entry, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], "masked at power-on");
    }
    client.write(5, 16, &[0xff; 16]);
    let entry = [[0xfc, 0xff, 0xff, 0xff], [0xff; 4], [0xff; 4], [1, 0, 0, 0]].concat();
    assert_eq!(client.read(5, 16, 16), entry);
    client.write(5, 16 + 12, &[0]);
    assert_eq!(client.read(5, 16 + 12, 4), [0; 4]);
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!(client.read(5, 0, 4096), table);
}

#[test]
fn masks_of_the_table_count_once_it_has_been_written_and_until_a_reset() {
    const CONTROL: u64 = 12;
    let (_running, mut client, _kit) = serve::zoo();
    let vectors = eventfds(2);
    client.assign(MSIX, 8, &files::borrow(&vectors));
    let raise_both = |client: &mut RawClient| (8..10).for_each(|source| raise(client, source));
    raise_both(&mut client);
    assert_eq!(taken(&vectors), [1, 1], "an untouched table must not mean masked");
    client.write(5, 8 * 16 + CONTROL, &[0; 4]);
    raise_both(&mut client);
    raise_both(&mut client);
    assert_eq!(taken(&vectors), [2, 0]);
    assert_eq!(pending(&mut client, 0), 1 << 9);
    client.write(5, 9 * 16 + CONTROL, &[0]);
    assert_eq!(taken(&vectors), [0, 1], "fires once when unmasked");
    assert_eq!(pending(&mut client, 0), 0);
    client.write(5, 9 * 16 + CONTROL, &[1]);
    raise_both(&mut client);
    let replaced = EventFd::new().unwrap();
    client.assign(MSIX, 9, &[replaced.as_fd()]);
    assert_eq!((taken(&vectors), replaced.take()), (vec![1, 0], None), "no unmask");
    client.request(command::RESET, &[], &[]).ok();
    assert_eq!(pending(&mut client, 0), 0);
    raise_both(&mut client);
    assert_eq!((taken(&vectors), replaced.take()), (vec![1, 0], Some(1)));
}

/// Where a capability is in configuration space.
fn capability(client: &mut RawClient, id: u64) -> u64 {
    let mut offset = client.number(region::CONFIG, 0x34, 1);
    while offset != 0 && client.number(region::CONFIG, offset, 1) != id {
        offset = client.number(region::CONFIG, offset + 1, 1);
    }
    assert_ne!(offset, 0, "there is no capability {id:#x}");
    offset
}

const MSI_ID: u64 = 0x05;
const MSIX_ID: u64 = 0x11;

#[test]
fn the_function_mask_holds_all_vectors_back_in_whatever_bytes_it_comes() {
    let (_running, mut client, _kit) = serve::zoo();
    let control = capability(&mut client, MSIX_ID) + 2;
    let vectors = eventfds(2);
    client.assign(MSIX, 0, &files::borrow(&vectors));
    let [masked, unmasked]: [[&[u8]; 3]; 2] =
        [[&[0, 0xc0], &[0xc0], &[0, 0, 0, 0xc0]], [&[0, 0x80], &[0x80], &[0, 0, 0, 0x80]]];
    for (at, (mask, unmask)) in
        [control, control + 1, control - 2].into_iter().zip(masked.into_iter().zip(unmasked))
    {
        client.write(region::CONFIG, at, mask);
        raise(&mut client, 0);
        raise(&mut client, 0);
        assert_eq!((taken(&vectors), pending(&mut client, 0)), (vec![0, 0], 1), "at {at:#x}");
        client.write(region::CONFIG, at, unmask);
        assert_eq!((taken(&vectors), pending(&mut client, 0)), (vec![1, 0], 0), "at {at:#x}");
    }
}

#[test]
fn messages_that_the_guest_enabled_wait_for_their_eventfds() {
    let (_running, mut client, _kit) = serve::zoo();
    let line = EventFd::new().unwrap();
    client.assign(INTX, 0, &[line.as_fd()]);
    // All vectors of MSI-X; two messages of MSI.
    for (id, index, on, off) in
        [(MSIX_ID, MSIX, [0, 0x80], [0, 0]), (MSI_ID, MSI, [0x11, 0], [0, 0])]
    {
        let control = capability(&mut client, id) + 2;
        client.write(region::CONFIG, control, &on);
        for round in 0..2 {
            raise(&mut client, 0);
            raise(&mut client, 1);
            assert_eq!(line.take(), None, "the line is not used while messages are enabled");
            let vectors = eventfds(2);
            client.assign(index, 0, &files::borrow(&vectors));
            assert_eq!(taken(&vectors), [1, 1], "index {index} round {round}");
            // QEMU disables the index and assigns again when there are to be more vectors.
            none(&mut client, TRIGGER, index, 0, 0);
        }
        raise(&mut client, 0);
        client.write(region::CONFIG, control, &off);
        let vectors = eventfds(2);
        client.assign(index, 0, &files::borrow(&vectors));
        assert_eq!(taken(&vectors), [0, 0], "forgotten when the guest disabled it");
        none(&mut client, TRIGGER, index, 0, 0);
    }
    raise(&mut client, 0);
    assert_eq!(line.take(), Some(1));
}

#[test]
fn the_guest_may_enable_fewer_messages_than_eventfds_are_assigned() {
    let (_running, mut client, _kit) = serve::zoo();
    let control = capability(&mut client, MSI_ID) + 2;
    let vectors = eventfds(8);
    client.assign(MSI, 0, &files::borrow(&vectors));
    for log in 0..4u8 {
        client.write(region::CONFIG, control, &[log << 4 | 1]);
        (0..8).for_each(|source| raise(&mut client, source));
        let mut expected = [0; 8];
        expected[..1 << log].fill(8 >> log);
        assert_eq!(taken(&vectors), expected);
    }
}
