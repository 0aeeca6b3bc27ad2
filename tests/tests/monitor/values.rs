//! What a monitor shows of a device while its client works.

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use vfio_user::monitor::{ClientError, Monitor, Reply, Request};
use vfio_user::{Error, Server};
use vfio_user_tests::irqs::{eventfds, none};
use vfio_user_tests::wire::irq::{MASK, MSIX, UNMASK};
use vfio_user_tests::wire::{command, feature};
use vfio_user_tests::{PATIENCE, files, wire};

use crate::station::{self, CONTROL, EVENTS, PHYCTL, QUEUES, RAISE, UNMAPPED, WAIT};

/// The feature that moves a device from one state to another, and two of the states.
const MIG_DEVICE_STATE: u32 = 2;
const STOP: u32 = 1;
const RUNNING: u32 = 2;

fn refusal(asked: Result<Reply, ClientError>) -> String {
    match asked {
        Err(ClientError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn registers_are_shown_while_the_client_works() {
    let mut observed = station::observe();
    for value in 1..200u32 {
        observed.client.write(0, QUEUES + 2 * 8 + 4, &value.to_le_bytes());
        assert_eq!(observed.value("queues[2].tail"), u64::from(value));
    }
    observed.client.write(0, CONTROL, &0x31u32.to_le_bytes());
    assert_eq!((observed.value("control"), observed.value("control.mode")), (0x31, 3));
    observed.client.write(0, 0x105, &[7]);
    assert_eq!(observed.value("buffer[5]"), 7);
    let registers = observed.registers();
    let names: Vec<_> = registers.iter().map(|register| &*register.name).collect();
    let expected = [
        "events",
        "control",
        "raise",
        "copy",
        "wait",
        "status",
        "doorbell",
        "ring[0]",
        "ring[1]",
        "ring[2]",
        "ring[3]",
        "queues[0].head",
        "queues[1].head",
        "queues[2].head",
        "queues[0].tail",
        "queues[1].tail",
        "queues[2].tail",
    ];
    assert_eq!(names, expected);
    assert_eq!((registers[1].value, &*registers[1].set), (0x31, "enable, mode=0x3"));
    assert_eq!((registers[16].value, registers[16].exact), (199, true));
    assert!(!registers[5].exact, "a hook computes the status");
}

#[test]
fn a_peek_leaves_a_register_that_reads_clear() {
    let mut observed = station::observe();
    assert_eq!((observed.value("events"), observed.registers()[0].value), (5, 5));
    assert_eq!(observed.client.number(0, EVENTS, 4), 5);
    assert_eq!((observed.value("events"), observed.registers()[0].value), (0, 0));
}

#[test]
fn names_that_do_not_exist_are_refused() {
    let mut observed = station::observe();
    for name in ["", "nothing", "queues[3].tail", "ring[4]", "control.speed", "queues.tail.x"] {
        let reason = refusal(observed.tool.ask(&Request::Register { name: name.to_owned() }));
        assert_eq!(reason, format!("there is no register or field `{name}`"));
    }
}

#[test]
fn pokes_are_refused_unless_they_are_allowed() {
    let poke = |name: &str, value| Request::Poke { name: name.to_owned(), value };
    let mut observed = station::observe();
    let reason = refusal(observed.tool.ask(&poke("events", 9)));
    assert_eq!(reason, "this monitor does not allow pokes");
    assert_eq!(observed.client.number(0, EVENTS, 4), 5);

    let mut observed = station::observe_with(Monitor::allow_pokes);
    let reply = observed.tool.ask(&poke("events", 9)).unwrap();
    assert!(matches!(reply, Reply::Register(events) if events.value == 9));
    observed.tool.ask(&poke("control.mode", 2)).unwrap();
    assert_eq!(observed.client.number(0, EVENTS, 4), 9);
    assert_eq!(observed.client.number(0, CONTROL, 4), 0x20);
    let reason = refusal(observed.tool.ask(&poke("control.mode", 0x10)));
    assert_eq!(reason, "0x10 does not fit in `control.mode`");
}

#[test]
fn a_device_that_is_stopped_is_shown_and_not_changed() {
    let mut observed = station::observe_with(Monitor::allow_pokes);
    let move_to = |state| wire::words(&[16, feature::SET | MIG_DEVICE_STATE, state, 0]);
    observed.client.request(command::FEATURE, &move_to(STOP), &[]).ok();
    assert_eq!(observed.value("events"), 5);
    let poke = Request::Poke { name: "events".to_owned(), value: 9 };
    assert_eq!(refusal(observed.tool.ask(&poke)), "the device is stopped");
    observed.client.request(command::FEATURE, &move_to(RUNNING), &[]).ok();
    observed.tool.ask(&poke).unwrap();
    assert_eq!(observed.client.number(0, EVENTS, 4), 9);
}

#[test]
fn vectors_are_shown_with_their_masks_and_pending_interrupts() {
    let mut observed = station::observe();
    let eventfds = eventfds(3);
    observed.client.assign(MSIX, 0, &files::borrow(&eventfds));
    none(&mut observed.client, MASK, MSIX, 1, 1);
    for vector in [0u32, 0, 1, 1, 3] {
        observed.client.write(0, RAISE, &vector.to_le_bytes());
    }
    let vectors = observed.vectors();
    let msix: Vec<_> = vectors.iter().filter(|vector| vector.kind == "msix").collect();
    let numbers: Vec<_> = msix.iter().map(|vector| vector.vector).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    let assigned: Vec<_> = msix.iter().map(|vector| vector.assigned).collect();
    assert_eq!(assigned, [true, true, true, false]);
    let states: Vec<_> = msix.iter().map(|vector| (vector.masked, vector.pending)).collect();
    assert_eq!(states, [(false, false), (true, true), (false, false), (false, true)]);
    let counts: Vec<_> = msix.iter().map(|vector| (vector.raised, vector.delivered)).collect();
    assert_eq!(counts, [(2, 2), (2, 0), (0, 0), (1, 0)]);
    none(&mut observed.client, UNMASK, MSIX, 1, 1);
    let vectors = observed.vectors();
    let first = vectors.iter().find(|vector| vector.kind == "msix" && vector.vector == 1).unwrap();
    assert_eq!((first.masked, first.pending, first.delivered), (false, false, 1));
}

#[test]
fn all_mapped_memory_is_shown_page_by_page() {
    let mut observed = station::observe();
    let file = files::memory(0x1000);
    for number in 0..150 {
        let (first, read_write) = (0x10_0000 + number * 0x2000, wire::dma::BOTH);
        observed.client.dma_map(read_write, 0, first, 0x1000, Some(file.as_fd())).ok();
    }
    observed.client.dma_map(wire::dma::READ, 0, 0x1000, 0x1000, None).ok();
    let mappings = observed.mappings();
    assert_eq!(mappings.len(), 151);
    assert!(mappings.is_sorted_by_key(|mapping| mapping.iova));
    let first = &mappings[0];
    assert_eq!((first.iova, first.last, &*first.by), (0x1000, 0x1fff, "messages"));
    assert_eq!((first.read, first.write), (true, false));
    assert_eq!((&*mappings[1].by, mappings[1].write), ("mapped", true));
    observed.client.dma_unmap(wire::dma::UNMAP_ALL, 0, 0).unwrap();
    assert!(observed.mappings().is_empty());
}

#[test]
fn places_without_a_model_are_shown() {
    let mut observed = station::observe();
    observed.client.write(0, PHYCTL, &[1, 0, 0, 0]);
    observed.client.write(0, PHYCTL, &[2, 0, 0, 0]);
    observed.client.number(0, UNMAPPED, 4);
    let places = observed.unmodelled();
    assert_eq!(places.len(), 2);
    assert_eq!(places[0].name, Some(("PHYCTL".to_owned(), 0)));
    assert_eq!((places[0].writes, places[0].written), (2, Some((1, 2))));
    assert_eq!((places[1].offset, places[1].reads), (UNMAPPED, 1));
}

#[test]
fn the_hook_that_does_not_return_is_named() {
    let mut observed = station::observe();
    observed.client.posted_write(0, WAIT, &[1, 0, 0, 0]);
    let start = Instant::now();
    let hook = loop {
        assert!(start.elapsed() < PATIENCE, "no hook runs");
        match observed.tool.ask(&Request::Device).unwrap() {
            Reply::Device(device) if device.hook.is_some() => break device.hook.unwrap(),
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    assert_eq!(hook.name, "write_with of station.wait");
    let reason = refusal(observed.tool.ask(&Request::Counters));
    let expected = "the device does not answer: write_with of station.wait runs for ";
    assert!(reason.starts_with(expected), "{reason}");
    let last = observed.last().pop().unwrap();
    assert_eq!((&*last.name, &*last.operation, last.value), ("wait", "write", 1));
    observed.end.send(()).unwrap();
    // The device goes on, and answers again.
    observed.client.number(0, CONTROL, 4);
    let calls: u64 = observed.hooks().iter().map(|hook| hook.calls).sum();
    assert_eq!(observed.counters().hook_calls, calls);
}

fn permissions(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_socket_is_for_its_user_and_replaces_a_dead_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("monitor.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let monitor = Monitor::bind(&path).unwrap();
    assert_eq!(permissions(&path), 0o600);
    assert!(matches!(Monitor::bind(&path), Err(Error::SocketInUse(_))));
    drop(Server::bind(dir.path().join("a.sock")).unwrap().monitor(monitor));
    assert!(!path.exists());
    std::fs::write(&path, "a file").unwrap();
    assert!(matches!(Monitor::bind(&path), Err(Error::NotASocket(_))));
}

#[test]
fn the_socket_goes_with_its_device() {
    let observed = station::observe();
    let path = observed.path.clone();
    assert!(path.exists());
    observed.running.shutdown().shutdown();
    observed.running.join().unwrap();
    assert!(!path.exists());
}
