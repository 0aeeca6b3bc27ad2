//! What registers hold after a soft reset, and what the access that requests it still does.

use super::*;

#[test]
fn registers_are_reset_but_for_those_that_are_kept() {
    let mut bench = written();
    bench.write(0, CONFIGURATION, 0_u32);
    let nic = bench.device();
    assert_eq!((nic.configuration, nic.constructed, nic.enable), (0, 0x1234, 0));
    assert_eq!((nic.admin_queue, nic.serial), (0x102a, 0x2a));
    assert_eq!(nic.queues, Nic::default_queues());
    assert_eq!((nic.spare.base, nic.spare.size), (0x2a, 0x2a));
    assert_eq!(nic.ticks, 0);
}

#[test]
fn each_domain_keeps_what_it_declares() {
    let mut bench = written();
    bench.write(0, COMMAND, 1_u32);
    let nic = bench.device();
    assert_eq!((nic.admin_queue, nic.enable, nic.constructed), (0x102a, 0x2a, 0x1234));
    assert_eq!((nic.spare.base, nic.spare.size, nic.configuration), (0, 3, 0));
    assert_eq!(nic.resets, [ResetKind::Soft(PORT)]);

    let mut bench = written();
    bench.reset_by(ResetKind::FunctionLevel);
    assert_eq!((bench.device().admin_queue, bench.device().spare.base), (0x102a, 0));
    bench.reset();
    assert_eq!((bench.device().admin_queue, bench.device().serial), (0x1000, 0x2a));
}

#[test]
fn the_reset_covers_the_register_whose_hook_requests_it() {
    let mut bench = written();
    bench.write(0, 0x40, 0xdead_u32);
    assert_eq!(bench.device().scratch, 0, "`write_with` has stored it before");
    bench.write(0, CONFIGURATION, 0xffff_ffff_u32);
    bench.write(0, CONFIGURATION, 0xffff_fffe_u32);
    assert_eq!(bench.read::<u32>(0, CONFIGURATION), 0, "`on_write` runs once it is stored");
    bench.write(0, COMMAND, 1_u32);
    assert_eq!(bench.read::<u32>(0, COMMAND), 0, "kept, but a pulse ends");
}

#[test]
fn what_the_access_would_still_do_does_not_happen() {
    let mut bench = bench();
    bench.write(0, CONFIGURATION, 1_u32);
    assert_eq!(bench.device().log, ["kick"]);
    bench.write(0, CONFIGURATION, 0_u32);
    assert_eq!(bench.device().log, ["kick"], "no kick behind a reset");
    bench.write(0, 0x3c, 0xff_u32);
    assert_eq!((bench.device().causes, bench.take_irq(3)), (0xff, 1));
    bench.write(0, 0x3c, 0x5e5e_u32);
    assert_eq!((bench.device().causes, bench.take_irq(3)), (0, 0), "the test sets no status");
    bench.poke("events", 0x5e5e);
    assert_eq!(bench.read::<u32>(0, 0x28), 0x5e5e, "what was read before the reset");
    assert_eq!(bench.device().events, 7, "reading clears nothing any more");
    assert_eq!((bench.read::<u32>(0, 0x28), bench.device().events), (7, 0));
}

#[test]
fn the_rest_of_a_message_meets_the_device_after_the_reset() {
    let mut bench = written();
    let mut bytes = [0; 12];
    bytes[4] = 1;
    bytes[8] = 0x55;
    let region = vfio_user::protocol::RegionIndex::Bar0;
    bench.try_write(region, 0, &bytes).unwrap();
    let nic = bench.device();
    let expected = [ResetKind::Soft(CONTROLLER), ResetKind::Soft(PORT)];
    assert_eq!((nic.resets.as_slice(), nic.admin_queue), (&expected[..], 0x55));
}

#[test]
fn halves_and_write_once_bits_are_forgotten() {
    let mut bench = written();
    bench.write(0, 0x18, 0x1111_1111_u32);
    bench.write(0, CONFIGURATION, 0_u32);
    bench.write(0, 0x1c, 0x2222_2222_u32);
    assert_eq!(bench.device().address, 0, "the half before the reset is forgotten");
    bench.write(0, 0x18, 0x3333_3333_u32);
    assert_eq!(bench.device().address, 0x2222_2222_3333_3333);
    bench.write(0, 0x14, 0x77_u8);
    assert_eq!(bench.device().key, 0x77, "once again");

    assert_eq!(bench.read::<u32>(0, 0x20), 1);
    bench.write(0, COMMAND, 1_u32);
    tick(&mut bench, 5);
    assert_eq!(bench.read::<u32>(0, 0x24), 6, "the other half of a new value");
}

#[test]
fn a_read_that_resets_the_device_latches_nothing() {
    let mut bench = bench();
    bench.write(0, 0x40, 0x5e5e_u32);
    tick(&mut bench, 1);
    assert_eq!(bench.device().scratch, 0);
    bench.write(0, 0x40, 0x5e5e_u32);
    bench.read::<u32>(0, 0x20);
    tick(&mut bench, 3);
    assert_eq!(bench.read::<u32>(0, 0x24), 4);
}
