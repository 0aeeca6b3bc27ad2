//! What else a soft reset reaches: interrupts, blocks, timers, shared memory, sessions.

use super::*;

#[test]
fn composed_interrupts_follow() {
    let mut bench = bench();
    bench.write(0, ENABLE, 1_u32);
    bench.poke("status", 1);
    bench.handle_events();
    bench.write(0, 0x44, 0_u8);
    assert_eq!(bench.take_irq(4), 1);
    // Kept with its enable bits: no edge.
    bench.write(0, COMMAND, 1_u32);
    assert_eq!((bench.device().status, bench.take_irq(4)), (1, 0));
    // Cleared and set again within the access: a new edge.
    bench.write(0, COMMAND, 2_u32);
    assert_eq!((bench.device().status, bench.take_irq(4)), (1, 1));
    bench.write(0, 0x44, 0_u8);
    assert_eq!(bench.take_irq(4), 0);
    // Cleared: the next bit has an edge as well.
    bench.write(0, CONFIGURATION, 1_u32);
    bench.write(0, CONFIGURATION, 0_u32);
    assert_eq!(bench.take_irq(4), 0);
    bench.write(0, COMMAND, 2_u32);
    assert_eq!(bench.take_irq(4), 1);
}

#[test]
fn the_line_follows() {
    const INTERRUPT: u16 = 1 << 3;
    let mut bench = bench();
    bench.write(0, 0x3c, 1_u32);
    assert_ne!(bench.read_config::<u16>(0x06) & INTERRUPT, 0);
    bench.post(Event::Reset(PORT));
    bench.handle_events();
    assert_eq!(bench.read_config::<u16>(0x06) & INTERRUPT, 0);
}

#[test]
fn an_element_of_a_block_is_reset_alone() {
    let mut bench = bench();
    for queue in [0x100, 0x140, 0x180, 0x400] {
        bench.write(0, queue, 0x1111_u64);
        bench.write(0, queue + 0x0d, 9_u8);
        bench.write(0, queue + 0x0e, 1_u8);
        bench.write(0, queue + 0x10, 1_u32);
    }
    bench.write(0, CONFIGURATION, 1_u32);
    bench.write(0, 0x14c, 2_u8);
    let nic = bench.device();
    assert_eq!(nic.queues[1], Queue { errors: 9, ..Nic::default_queues()[1] });
    assert_eq!((nic.queues[0].base, nic.queues[2].base, nic.spare.base), (0x1111, 0x1111, 0x1111));
    assert_eq!((nic.configuration, &nic.resets), (1, &Vec::new()));
    for (queue, key) in [(0x100, 1), (0x140, 0x80)] {
        bench.write(0, queue + 0x0e, 0x80_u8);
        assert_eq!(bench.read::<u8>(0, queue + 0x0e), key, "written once, or again");
    }
}

#[test]
fn the_interrupt_of_an_element_follows_its_reset() {
    let mut bench = bench();
    bench.write(0, 0x10b, 1_u8);
    bench.write(0, 0x10c, 0xee_u8);
    assert_eq!(bench.take_irq(0), 1);
    bench.write(0, 0x10c, 0xee_u8);
    assert_eq!(bench.take_irq(0), 1, "an edge for each, as the reset comes between");
    bench.write(0, 0x14c, 0xff_u8);
    assert_eq!(bench.take_irq(0), 0);
    assert_eq!(bench.device().queues[0].status, 1);
    bench.write(0, 0x10c, 1_u8);
    assert_eq!(bench.device().queues[0].status, 0);
}

#[test]
fn events_and_timers_reset_the_device() {
    let mut bench = written();
    bench.write(0, 0x18, 1_u32);
    bench.post(Event::Reset(CONTROLLER));
    bench.handle_events();
    assert_eq!((bench.device().constructed, bench.device().admin_queue), (0x1234, 0x102a));
    bench.write(0, 0x1c, 1_u32);
    assert_eq!(bench.device().address, 0);

    bench.write(0, 0x18, 1_u32);
    assert_eq!(bench.device().address, 1 << 32 | 1);
    bench.write(0, COMMAND, 3_u32);
    bench.advance(Duration::from_secs(1));
    assert_eq!(bench.device().address, 0);
    bench.write(0, COMMAND, 3_u32);
    bench.write(0, COMMAND, 1_u32);
    assert!(!bench.device().watchdog.is_armed(), "as in other resets");
}

#[test]
fn a_domain_is_not_reset_within_its_own_reset() {
    let mut bench = bench();
    bench.poke("serial", NESTS.into());
    bench.write(0, COMMAND, 5_u32);
    let expected = [ResetKind::Soft(CONTROLLER), ResetKind::Soft(PORT)].repeat(3);
    assert_eq!(bench.device().resets, expected);
    assert_eq!(bench.device().constructed, 5, "what the hook does after the last reset stays");
}

#[test]
fn what_does_not_exist_is_not_reset() {
    let mut bench = written();
    bench.write(0, COMMAND, 4_u32);
    assert_eq!((bench.device().configuration, bench.device().resets.len()), (0x2b, 0));
}

#[test]
fn shared_memory_shows_reset_values() {
    let mut bench = bench();
    bench.shared(0).store(0x2004, 6_u32).unwrap();
    bench.handle_events();
    bench.shared(0).store(0x2000, 0x5e5e_u32).unwrap();
    bench.handle_events();
    let load = |bench: &Bench<Nic>, at| bench.shared(0).load::<u32>(at).unwrap();
    assert_eq!((load(&bench, 0x2000), load(&bench, 0x2004)), (0xff, 6), "one of them is kept");
    bench.post(Event::Reset(CONTROLLER));
    bench.shared(0).store(0x2004, 8_u32).unwrap();
    bench.handle_events();
    assert_eq!((load(&bench, 0x2004), bench.device().limit), (0, 0));
    assert_eq!(bench.device().log, ["bell"]);
}

#[test]
fn a_soft_reset_ends_no_session() {
    let mut bench = bench();
    bench.write_memory(0x100, b"!");
    bench.write(0, COMMAND, 6_u32);
    bench.write(0, CONFIGURATION, 1_u32);
    bench.write(0, CONFIGURATION, 0_u32);
    let (dma, irq, remote) = bench.device().held.clone().unwrap();
    let mut byte = [0];
    dma.read(0x100, &mut byte).unwrap();
    irq.raise();
    assert_eq!((&byte, bench.take_irq(0)), (b"!", 1));
    remote.post(Event::Work).unwrap();
    bench.handle_events();
    assert_eq!(bench.device().log, ["kick", "work"]);
}

#[test]
fn the_device_may_end_its_session() {
    let mut bench = bench();
    bench.write_memory(0x100, b"!");
    bench.write(0, COMMAND, 6_u32);
    let (dma, irq, remote) = bench.device().held.clone().unwrap();
    let guard = dma.map(0x100, 1).unwrap();
    bench.post(Event::End);
    remote.post(Event::Work).unwrap();
    bench.handle_events();
    assert!(bench.device().log.is_empty(), "posted for the session that an earlier event ends");
    assert!(matches!(dma.read(0x100, &mut [0]), Err(DmaError::SessionEnded { .. })));
    assert!(matches!(remote.post(Event::Work), Err(PostError::SessionEnded(_))));
    irq.raise();
    assert_eq!((irq.has_ended(), bench.take_irq(0)), (true, 0));
    drop(guard);
    bench.write(0, COMMAND, 6_u32);
    let (dma, irq, _) = bench.device().held.clone().unwrap();
    dma.read(0x100, &mut [0]).unwrap();
    irq.raise();
    assert_eq!(bench.take_irq(0), 1, "the next session");
}
