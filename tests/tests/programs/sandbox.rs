//! Device programs that are confined, and hooks that try to escape.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::libc;
use tempfile::TempDir;
use vfio_user::monitor::{self, Request};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command};

use super::program::{ESCAPE, EVERYTHING, Program, copy_both_ways};

const ATTEMPT: u64 = 0;
const ERRNO: u64 = 4;
const KEPT: u64 = 8;

fn start(program: &str, dir: &TempDir, options: &[String]) -> Program {
    let mut command = Command::new(program);
    command.arg("--sandbox");
    Program::start(command, dir.path(), options)
}

fn write(client: &mut RawClient, offset: u64, value: u32) {
    client.write(0, offset, &value.to_le_bytes());
}

#[test]
fn files_cannot_be_opened_by_a_hook_nor_by_its_threads() {
    let dir = tempfile::tempdir().unwrap();
    let program = start(ESCAPE, &dir, &[]);
    let mut client = program.client();
    for attempt in 0..=2 {
        write(&mut client, ATTEMPT, attempt);
        let errno = client.number(0, ERRNO, 4);
        assert_eq!(errno, u64::from(libc::EACCES.cast_unsigned()), "attempt {attempt}");
    }
    drop(client);
    program.end();
}

#[test]
fn a_hook_that_reaches_out_of_the_process_ends_it() {
    for attempt in 3..=9_u32 {
        let dir = tempfile::tempdir().unwrap();
        let program = start(ESCAPE, &dir, &[]);
        program.client().posted_write(0, ATTEMPT, &attempt.to_le_bytes());
        assert_eq!(program.ended().0.signal(), Some(libc::SIGSYS), "attempt {attempt}");
    }
}

#[test]
fn a_file_queue_works_in_the_sandbox_and_cannot_be_created_there() {
    let dir = tempfile::tempdir().unwrap();
    let program = start(ESCAPE, &dir, &[]);
    let mut client = program.client();
    for (attempt, errno) in [(10, 0), (11, libc::ENOSYS)] {
        write(&mut client, ATTEMPT, attempt);
        let found = client.number(0, ERRNO, 4);
        assert_eq!(found, u64::from(errno.cast_unsigned()), "attempt {attempt}");
    }
    drop(client);
    program.end();
}

#[test]
fn a_state_is_kept_and_a_monitor_answers() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    fs::create_dir(&folder).unwrap();
    let socket = dir.path().join("monitor.sock");
    let options = [
        format!("--state={}", folder.join("device").display()),
        format!("--monitor={}", socket.display()),
    ];
    for value in [1, 2] {
        let program = start(ESCAPE, &dir, &options);
        let mut client = program.client();
        assert_eq!(client.number(0, KEPT, 4), u64::from(value - 1));
        write(&mut client, KEPT, value);
        let mut tool = monitor::Client::connect(&socket, PATIENCE).unwrap();
        tool.ask(&Request::Counters).unwrap();
        drop(client);
        program.end();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    }
}

#[test]
fn memory_interrupts_and_threads_work_for_one_client_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let program = start(EVERYTHING, &dir, &["-vvv".to_owned()]);
    copy_both_ways(program.attach().unwrap());
    copy_both_ways(program.attach().unwrap());
    program.end();
}

#[test]
fn a_device_that_panics_is_constructed_again_with_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let state = format!("--state={}", dir.path().join("state").display());
    let program = start(ESCAPE, &dir, &[state]);
    let mut client = program.client();
    write(&mut client, KEPT, 7);
    drop(client);
    let client = program.client();
    let panics = wire::message(1, command::REGION_WRITE, 0, &wire::write(0, ATTEMPT, &[99; 4]));
    client.send(&panics, &[]);
    client.drain_to_end();
    assert_eq!(program.client().number(0, KEPT, 4), 7);
    program.end();
}

#[test]
fn a_recording_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("recording");
    let record = format!("--record={}", recording.display());
    let program = start(ESCAPE, &dir, &[record]);
    write(&mut program.client(), KEPT, 3);
    program.end();
    let replay = format!("--replay={}", recording.display());
    let replayed = Command::new(ESCAPE).arg(replay).output().unwrap();
    assert!(replayed.status.success(), "{replayed:?}");
}

#[test]
fn a_kernel_that_cannot_confine_is_refused() {
    for (call, expected) in [("landlock_create_ruleset", "Landlock"), ("seccomp", "seccomp")] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("device.sock");
        let ran = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e"])
            .arg(format!("inject={call}:error=ENOSYS"))
            .args([ESCAPE, "--sandbox", &format!("--socket-path={}", socket.display())])
            .output();
        let Ok(ran) = ran else {
            assert!(std::env::var_os("CI").is_none(), "strace cannot be run");
            eprintln!("\n*** SKIPPED: strace cannot be run ***\n");
            return;
        };
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && said.contains(expected), "{call}: {said}");
        assert!(!socket.exists(), "{call}: the socket is removed");
    }
}
