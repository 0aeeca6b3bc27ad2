//! The boot of a guest whose kernel drives the ACCES PCI-IDIO-16, replayed.
//!
//! `VFIO_USER_BLESS=1 cargo test -p vfio-user-tests --test guest lines_go` records it again.

use vfio_user::Bench;
use vfio_user::record::ReplayError;

use crate::gpio_program;
use crate::idio16::{Fault, Idio16};

const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings/gpio-boot.rec");

#[test]
fn a_boot_is_replayed_without_a_difference() {
    let replay = Bench::replay(gpio_program::Idio16::default(), BOOT).unwrap();
    assert_eq!(replay.unrecorded, []);
    assert!(replay.entries > 250, "{replay:?}");
    Bench::replay(Idio16::new(Fault::None), BOOT).unwrap();
}

#[track_caller]
fn assert_difference(fault: Fault, during: &str, recorded: &str, replayed: &str) {
    match Bench::replay(Idio16::new(fault), BOOT) {
        Err(ReplayError::Differs(difference)) => {
            let found = (&*difference.during, &*difference.recorded, &*difference.replayed);
            assert_eq!(found, (during, recorded, replayed), "{difference}");
        }
        replayed => panic!("{replayed:?}"),
    }
}

#[test]
fn a_planted_fault_is_named() {
    assert_difference(Fault::StuckInput, "read of idio16.input[1]", "0x80", "0x0");
    assert_difference(Fault::NoInterrupt, "Work", "interrupt INTx", "nothing");
    assert_difference(Fault::PlainStatus, "read of idio16.status", "0x7", "0x4");
}
