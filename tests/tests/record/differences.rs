//! The first difference between a recording and a changed device.

use vfio_user::Bench;
use vfio_user::client::PciView;
use vfio_user::record::{Difference, ReplayError};

use crate::device::{Flaw, Panel, drive, recorded};

/// Replays the recording of a good device with one that has a flaw.
fn difference(flaw: Flaw) -> Difference {
    let (_folder, path) = recorded(Flaw::None, drive);
    match Bench::replay(Panel::new(flaw), path) {
        Err(ReplayError::Differs(difference)) => *difference,
        replayed => panic!("{replayed:?}"),
    }
}

#[track_caller]
fn assert_difference(flaw: Flaw, during: &str, recorded: &str, replayed: &str) {
    let difference = difference(flaw);
    let found = (&*difference.during, &*difference.recorded, &*difference.replayed);
    assert_eq!(found, (during, recorded, replayed), "{difference}");
    assert!(difference.entry > 0 && !difference.time.is_zero(), "{difference}");
}

#[test]
fn the_same_device_does_the_same() {
    let (_folder, path) = recorded(Flaw::None, drive);
    let replay = Bench::replay(Panel::new(Flaw::None), path).unwrap();
    assert_eq!(replay.unrecorded, []);
    assert!(replay.time.as_micros() > 100, "{replay:?}");
}

#[test]
fn a_flaw_that_was_recorded_is_seen_when_it_is_mended() {
    let flaw = |panel: &PciView| {
        let bar = panel.bar(0).unwrap();
        bar.write(0, 7_u32).unwrap();
        bar.read::<u32>(4).unwrap();
    };
    let (_folder, path) = recorded(Flaw::Sum, flaw);
    Bench::replay(Panel::new(Flaw::Sum), &path).unwrap();
    let error = Bench::replay(Panel::new(Flaw::None), path).unwrap_err().to_string();
    let expected = "read of panel.sum: the recording has 0x8, the replay 0x7";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_value_is_named_with_its_register() {
    assert_difference(Flaw::Sum, "read of panel.sum", "0x26", "0x27");
}

#[test]
fn an_interrupt_is_named() {
    assert_difference(Flaw::Vector, "Work", "interrupt MSI-X 0", "interrupt MSI-X 1");
    assert_difference(Flaw::Silence, "Work", "interrupt MSI-X 0", "nothing");
}

#[test]
fn a_dma_access_is_named() {
    let difference = difference(Flaw::Copy);
    assert!(difference.during.ends_with("to panel.copy"), "{difference}");
    assert!(difference.recorded.ends_with("(byte 15: 0x21)"), "{difference}");
    assert!(difference.replayed.ends_with("(byte 15: 0x20)"), "{difference}");
    let source = self::difference(Flaw::Source);
    assert!(source.recorded.starts_with("a DMA read of 16 bytes at "), "{source}");
    assert_ne!(source.recorded, source.replayed);
}

#[test]
fn a_panic_is_a_difference_and_recorded_it_is_none() {
    assert_difference(Flaw::Panic, "write of 0x7 to panel.value", "success", "a panic");
    let (_folder, path) = recorded(Flaw::Panic, |panel| {
        let written = panel.bar(0).unwrap().write(0, 7_u32);
        assert!(written.is_err());
    });
    Bench::replay(Panel::new(Flaw::Panic), &path).unwrap();
    let error = Bench::replay(Panel::new(Flaw::None), &path).unwrap_err().to_string();
    assert!(error.contains("has a panic, the replay success"), "{error}");
}
