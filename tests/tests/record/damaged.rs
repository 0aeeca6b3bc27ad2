//! Recordings that are cut, changed, or of something else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use vfio_user::record::{RecordingError, ReplayError};
use vfio_user::{Bench, Device, PciDevice};

use crate::device::{Flaw, Panel, drive, recorded};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcaff, name = "other")]
struct Other {}

impl Device for Other {
    type Event = ();
}

fn replay(path: &Path, bytes: &[u8]) -> Result<(), ReplayError> {
    fs::write(path, bytes).unwrap();
    Bench::replay(Panel::new(Flaw::None), path).map(drop)
}

#[test]
fn a_recording_is_of_its_device_alone() {
    let (_folder, path) = recorded(Flaw::None, drive);
    let error = Bench::replay(Other::default(), &path).unwrap_err();
    let expected = "the recording is of `panel, 1234:cafe`, the device is `other, 1234:caff`";
    assert_eq!(error.to_string(), expected);
    let foreign = replay(&path, b"a text, and no recording");
    assert!(matches!(foreign, Err(ReplayError::Recording(RecordingError::NoRecording))));
    let mut newer = fs::read(&path).unwrap();
    newer = [&b"\x89VFUREC\n\x02\x00"[..], &newer].concat();
    let newer = replay(&path, &newer);
    assert!(matches!(newer, Err(ReplayError::Recording(RecordingError::Format(2)))));
}

/// They hold memory of the guest.
#[test]
fn recordings_are_for_their_owner_alone() {
    let (_folder, path) = recorded(Flaw::None, drive);
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn every_cut_is_reported() {
    let (_folder, path) = recorded(Flaw::None, drive);
    let bytes = fs::read(&path).unwrap();
    for len in (0..bytes.len()).step_by(97) {
        let cut = replay(&path, &bytes[..len]);
        assert!(matches!(cut, Err(ReplayError::Recording(_))), "{len}: {cut:?}");
    }
    let longer = replay(&path, &[&bytes[..], b"x"].concat());
    assert!(matches!(longer, Err(ReplayError::Recording(RecordingError::TrailingBytes { .. }))));
}

/// The places of the frames of a recording.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut at = 10;
    let mut all = Vec::new();
    while let Some(len) = bytes.get(at..at + 4) {
        all.push(at);
        at += u32::from_le_bytes(len.try_into().unwrap()) as usize + 8;
    }
    all
}

/// Gives a frame the checksum that belongs to it.
fn seal(bytes: &mut [u8], frame: usize) {
    let len = u32::from_le_bytes(bytes[frame..frame + 4].try_into().unwrap()) as usize;
    let crc = crc32c::crc32c(&bytes[frame..frame + 4 + len]);
    bytes[frame + 4 + len..frame + 8 + len].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn changed_bytes_do_not_match_their_checksum() {
    let (_folder, path) = recorded(Flaw::None, drive);
    let bytes = fs::read(&path).unwrap();
    for frame in frames(&bytes).into_iter().step_by(7) {
        let mut changed = bytes.clone();
        changed[frame + 4] ^= 0x55;
        let refused = replay(&path, &changed);
        assert!(matches!(refused, Err(ReplayError::Recording(RecordingError::Checksum { .. }))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Checksums detect accidents, not attacks: entries may say anything.
    #[test]
    fn hostile_entries_are_refused_or_replayed(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u16>(), any::<u8>()), 40),
    ) {
        let (_folder, path) = recorded(Flaw::None, drive);
        let bytes = fs::read(&path).unwrap();
        let frames = frames(&bytes);
        for (frame, place, byte) in changes {
            let frame = frames[frame.index(frames.len())];
            let len = u32::from_le_bytes(bytes[frame..frame + 4].try_into().unwrap()) as usize;
            let mut changed = bytes.clone();
            changed[frame + 4 + usize::from(place) % len] = byte;
            seal(&mut changed, frame);
            // Neither a panic nor a hang, whatever comes of it.
            let _ = replay(&path, &changed);
        }
    }
}
