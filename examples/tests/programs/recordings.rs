//! `--record` and `--replay`.

use std::process::{Command, Stdio};
use std::{fs, io};

use vfio_user::protocol::RegionIndex;

use crate::program::{EDU, Folder, Program, TRIVIAL, assert_is_trivial, attach};

#[test]
fn a_program_records_and_replays() {
    let folder = Folder::new("record");
    let recording = format!("--record={}", folder.0.join("rec").display());
    let mut program = Program::serving(&folder.socket(), &["--once", &recording]);
    let client = attach(&folder.socket());
    client.region(RegionIndex::Bar0).write(0x04, 5_u32).unwrap();
    assert_is_trivial(&client);
    drop(client);
    assert!(program.ended().success());
    let replay = format!("--replay={}", folder.0.join("rec").display());
    let replayed = |program: &str| Command::new(program).arg(&replay).output().unwrap();
    let same = replayed(TRIVIAL);
    let text = String::from_utf8(same.stdout).unwrap();
    assert!(same.status.success() && text.contains("replayed without a difference"), "{text}");
    let other = replayed(EDU);
    let text = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(2), "{text}");
    assert!(text.contains("the recording is of `trivial"), "{text}");
}

/// A file size limit of 4 KiB ends the recording in the middle of a write, as a full disk does.
#[test]
fn a_recording_that_cannot_be_written_ends_alone() {
    let folder = Folder::new("full");
    let recording = folder.0.join("rec");
    let options = [
        format!("--socket-path={}", folder.socket().display()),
        format!("--record={}", recording.display()),
        "--once".into(),
    ];
    let limited = ["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", TRIVIAL];
    let mut command = Command::new("sh");
    command.args(limited).args(options).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut program = Program(command.spawn().unwrap());
    let client = attach(&folder.socket());
    for value in 0..1000_u32 {
        client.region(RegionIndex::Bar0).write(0x04, value).unwrap();
        assert_eq!(client.region(RegionIndex::Bar0).read::<u32>(0x04).unwrap(), value);
    }
    drop(client);
    assert!(program.ended().success());
    assert_eq!(fs::metadata(&recording).unwrap().len(), 4096);
    let log = io::read_to_string(program.0.stderr.take().unwrap()).unwrap();
    assert_eq!(log.matches("the recording ends here").count(), 1, "{log}");
    let replay = format!("--replay={}", recording.display());
    let replayed = Command::new(TRIVIAL).arg(replay).output().unwrap();
    let text = String::from_utf8(replayed.stderr).unwrap();
    assert_eq!(replayed.status.code(), Some(2), "{text}");
    assert!(text.contains("the recording ends early: no end mark after "), "{text}");
}

#[test]
fn a_recording_of_a_killed_program_has_no_end_mark() {
    let folder = Folder::new("killed");
    let recording = format!("--record={}", folder.0.join("rec").display());
    let mut program = Program::serving(&folder.socket(), &[&recording]);
    // The recording is flushed when a client has left; the second one can attach then.
    drop(attach(&folder.socket()));
    drop(attach(&folder.socket()));
    program.0.kill().unwrap();
    program.ended();
    let replay = format!("--replay={}", folder.0.join("rec").display());
    let replayed = Command::new(TRIVIAL).arg(replay).output().unwrap();
    let text = String::from_utf8(replayed.stderr).unwrap();
    assert_eq!(replayed.status.code(), Some(2), "{text}");
    assert!(text.contains("the recording ends early: no end mark after "), "{text}");
    assert!(!text.contains("after 0 entries"), "{text}");
}

#[test]
fn options_of_servers_are_refused_for_a_replay() {
    let options = [
        "--socket-path=a",
        "--fd=3",
        "--activated",
        "--allow-uid=1",
        "--describe",
        "--state=a",
        "--monitor=a",
        "--record=a",
        "--once",
        "--write-multiple",
        "--any-memory-file",
        "--spin=1",
    ];
    for option in options {
        let refused = Command::new(TRIVIAL).args(["--replay=/nonexistent", option]).output();
        let refused = refused.unwrap();
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{text}");
        let name = option.split('=').next().unwrap();
        let both = text.contains("cannot be used with") && text.contains(name);
        assert!(both && text.contains("--replay"), "{text}");
    }
}
