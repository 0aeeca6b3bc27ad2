//! What a monitor counts: exactly what the client has done.

use std::os::fd::AsFd;

use vfio_user::EventFd;
use vfio_user_tests::irqs::eventfds;
use vfio_user_tests::wire::command;
use vfio_user_tests::wire::irq::MSIX;
use vfio_user_tests::{files, wire};

use crate::station::{
    self, BUFFER, CONTROL, COPY, DOORBELL, EVENTS, Observed, PHYCTL, QUEUES, RAISE, RING, STATUS,
};

fn count(observed: &mut Observed, name: &str) -> (u64, u64) {
    let accesses = observed.accesses();
    let found = accesses.iter().find(|count| count.name == name);
    found.map_or((0, 0), |count| (count.reads, count.writes))
}

#[test]
fn accesses_are_counted_by_register() {
    let mut observed = station::observe();
    for n in 0..10u32 {
        observed.client.write(0, CONTROL, &(n << 4).to_le_bytes());
        observed.client.number(0, EVENTS, 4);
        observed.client.number(0, RING + 8, 4);
        observed.client.number(0, QUEUES + 8, 4);
    }
    observed.client.write(0, QUEUES + 16, &[1, 0, 0, 0, 2, 0, 0, 0]);
    observed.client.number(7, 0, 4);
    observed.client.write(0, BUFFER, &[1; 32]);
    let expected = [
        ("control", (0, 10)),
        ("events", (10, 0)),
        ("ring[2]", (10, 0)),
        ("ring[1]", (0, 0)),
        ("queues[1].head", (10, 0)),
        ("queues[2].head", (0, 1)),
        ("queues[2].tail", (0, 1)),
        ("configuration space", (1, 0)),
        ("memory", (0, 1)),
    ];
    for (name, counted) in expected {
        assert_eq!(count(&mut observed, name), counted, "{name}");
    }
    let counters = observed.counters();
    assert_eq!((counters.reads, counters.writes), (31, 13));
    assert!(counters.refused.is_empty(), "{counters:?}");
}

#[test]
fn the_looks_of_a_monitor_are_not_counted() {
    let mut observed = station::observe();
    observed.registers();
    observed.value("events");
    let counters = observed.counters();
    assert_eq!((counters.reads, counters.writes), (0, 0));
    assert_eq!(observed.last(), []);
}

#[test]
fn a_doorbell_that_an_eventfd_rings_is_counted() {
    let mut observed = station::observe();
    let payload = wire::words(&[1 << 12, 0, 0, 0]);
    let fds = observed.client.request(command::GET_REGION_IO_FDS, &payload, &[]).fds;
    let doorbell = EventFd::from_fd(fds.into_iter().next().unwrap()).unwrap();
    doorbell.signal();
    // What was rung before a message is handled before it.
    observed.client.number(0, EVENTS, 4);
    assert_eq!(count(&mut observed, "doorbell"), (0, 1));
    let last = observed.last();
    assert_eq!((&*last[0].name, &*last[0].operation), ("doorbell", "kick"));
    observed.client.write(0, DOORBELL, &[1, 0, 0, 0]);
    assert_eq!(count(&mut observed, "doorbell"), (0, 2));
}

#[test]
fn accesses_without_effect_are_counted_by_their_reason() {
    let mut observed = station::observe();
    for _ in 0..3 {
        observed.client.write(0, STATUS, &[1, 0, 0, 0]);
    }
    observed.client.write(0, CONTROL, &[0, 0, 0, 0x80]);
    observed.client.write(0, station::UNMAPPED, &[1]);
    let mut refused = observed.counters().refused;
    refused.sort_by_key(|refused| refused.count);
    let refused: Vec<_> = refused.iter().map(|refused| (&*refused.reason, refused.count)).collect();
    assert_eq!(refused.last(), Some(&("read_only", 3)));
    assert!(
        refused.contains(&("reserved", 1)) && refused.contains(&("unmapped", 1)),
        "{refused:?}"
    );
    assert_eq!(refused.len(), 3);
}

#[test]
fn bytes_of_dma_and_calls_of_hooks_are_counted() {
    let mut observed = station::observe();
    let file = files::memory(0x1000);
    observed.client.dma_map(wire::dma::BOTH, 0, 0x1000, 0x1000, Some(file.as_fd())).ok();
    // Bus master and memory space.
    observed.client.write(7, 4, &[6, 0]);
    let eventfds = eventfds(1);
    observed.client.assign(MSIX, 0, &files::borrow(&eventfds));
    for _ in 0..5 {
        observed.client.write(0, COPY, &[0; 4]);
        observed.client.write(0, RAISE, &[0; 4]);
    }
    let counters = observed.counters();
    assert_eq!((counters.dma_read, counters.dma_written), (5 * 16, 5 * 32));
    let hooks = observed.hooks();
    let calls = |name: &str| hooks.iter().find(|hook| hook.name == name).map(|hook| hook.calls);
    assert_eq!((calls("copy"), calls("raise"), calls("wait")), (Some(5), Some(5), None));
    assert_eq!(calls("Device::dma_mapped"), Some(1));
    assert!(hooks.iter().all(|hook| hook.longest <= hook.nanoseconds && hook.longest > 0));
    let sum: u64 = hooks.iter().map(|hook| hook.nanoseconds).sum();
    assert_eq!(sum, counters.hook_nanoseconds);
    let raised = observed.vectors().iter().map(|vector| vector.raised).sum::<u64>();
    assert_eq!(raised, 5);
}

#[test]
fn the_last_accesses_are_kept_by_name() {
    let mut observed = station::observe();
    for n in 0..300u32 {
        observed.client.write(0, RING, &n.to_le_bytes());
    }
    observed.client.number(0, EVENTS, 4);
    observed.client.write(0, PHYCTL, &[0x34, 0x12]);
    observed.client.number(7, 0, 2);
    let last = observed.last();
    assert_eq!(last.len(), 256);
    assert!(last.windows(2).all(|two| two[0].number + 1 == two[1].number));
    assert!(last.is_sorted_by_key(|access| access.nanoseconds));
    assert_eq!(last[255].number, 302);
    let ends: Vec<_> = last[252..]
        .iter()
        .map(|access| (&*access.name, &*access.operation, access.value))
        .collect();
    let expected = [
        ("ring[0]", "write", 299),
        ("events", "read", 5),
        ("PHYCTL + 0x0", "write", 0x1234),
        ("configuration space + 0x0", "read", 0x1af4),
    ];
    assert_eq!(ends, expected);
}
