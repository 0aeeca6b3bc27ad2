//! The teaching device is recorded over a socket, and replayed.

use vfio_user::Bench;
use vfio_user::client::{DmaBuffer, PciView, Vectors};
use vfio_user::record::ReplayError;
use vfio_user_tests::PATIENCE;
use vfio_user_tests::recording::record;

use crate::edu_program::Edu;

const BUFFER: u64 = 0x4_0000;

/// Computes a factorial, and moves bytes to the device and back.
fn drive(edu: &PciView) {
    let (bar, irqs) = (edu.bar(0).unwrap(), edu.enable_msi(1).unwrap());
    let memory = edu.allocate(0x1000).unwrap();
    bar.write(0x04, 0x1234_5678_u32).unwrap();
    assert_eq!(bar.read::<u32>(0x04).unwrap(), !0x1234_5678);
    bar.write(0x20, 0x80_u32).unwrap();
    bar.write(0x08, 5_u32).unwrap();
    interrupted(edu, &irqs, 1);
    assert_eq!(bar.read::<u32>(0x08).unwrap(), 120);
    memory.write(0, b"there and back").unwrap();
    transfer(edu, &irqs, memory.iova(), BUFFER, 5);
    transfer(edu, &irqs, BUFFER, memory.iova() + 0x100, 7);
    assert_eq!(text(&memory), *b"there and back");
    edu.reset().unwrap();
    assert_eq!(bar.read::<u32>(0x04).unwrap(), 0);
}

fn text(memory: &DmaBuffer) -> [u8; 14] {
    let mut bytes = [0; 14];
    memory.read(0x100, &mut bytes).unwrap();
    bytes
}

fn transfer(edu: &PciView, irqs: &Vectors, source: u64, destination: u64, command: u64) {
    let bar = edu.bar(0).unwrap();
    for (offset, value) in [(0x80, source), (0x88, destination), (0x90, 14), (0x98, command)] {
        bar.write(offset, value).unwrap();
    }
    interrupted(edu, irqs, 0x100);
}

/// Waits for the interrupt, and acknowledges it.
fn interrupted(edu: &PciView, irqs: &Vectors, status: u32) {
    let bar = edu.bar(0).unwrap();
    assert_eq!(irqs[0].wait(PATIENCE).unwrap(), Some(1));
    assert_eq!(bar.read::<u32>(0x24).unwrap(), status);
    bar.write(0x64, status).unwrap();
}

#[test]
fn a_recording_is_replayed_without_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edu.rec");
    record(Edu::new(), &path, drive);
    let replay = Bench::replay(Edu::new(), &path).unwrap();
    assert_eq!(replay.unrecorded, []);
    assert!(replay.entries > 50, "{replay:?}");
}

#[test]
fn a_recording_that_breaks_off_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edu.rec");
    record(Edu::new(), &path, drive);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let error = Bench::replay(Edu::new(), &path).unwrap_err();
    assert!(matches!(error, ReplayError::Recording(_)), "{error}");
    assert!(error.to_string().starts_with("the recording ends early: "), "{error}");
}
