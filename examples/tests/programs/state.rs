//! `--state`.

use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user::client;
use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;

use crate::program::{EDU, Folder, Program, TRIVIAL, attach};

/// Where `edu` has a register that keeps what is written, inverted.
const LIVENESS: u64 = 0x04;

/// The folder's `edu`, with its state in a file.
fn keeping_edu(folder: &Folder) -> Program {
    let path = format!("--socket-path={}", folder.socket().display());
    let state = format!("--state={}", folder.state().display());
    Program::of(EDU, Stdio::null(), &[&path, &state])
}

fn liveness(client: &Client) -> u32 {
    !client.region(RegionIndex::Bar0).read::<u32>(LIVENESS).unwrap()
}

fn set_liveness(client: &Client, value: u32) {
    client.region(RegionIndex::Bar0).write(LIVENESS, value).unwrap();
}

#[test]
fn sigterm_saves_the_state_for_the_next_run() {
    let folder = Folder::new("state-sigterm");
    for value in [0, 1, 2] {
        let mut program = keeping_edu(&folder);
        let client = attach(&folder.socket());
        assert_eq!(liveness(&client), if value == 0 { u32::MAX } else { value - 1 });
        set_liveness(&client, value);
        // With its client there, or without.
        if value == 1 {
            drop(client);
        }
        program.terminate();
        assert!(program.ended().success());
    }
}

#[test]
fn a_client_that_leaves_has_its_state_saved() {
    let folder = Folder::new("state-left");
    let mut program = keeping_edu(&folder);
    set_liveness(&attach(&folder.socket()), 7);
    // The next one is served when that is done.
    assert_eq!(liveness(&attach(&folder.socket())), 7);
    program.0.kill().unwrap();
    program.ended();
    let _again = keeping_edu(&folder);
    assert_eq!(liveness(&attach(&folder.socket())), 7);
}

#[test]
fn a_program_that_is_killed_while_it_saves_leaves_a_whole_file() {
    let folder = Folder::new("state-killed");
    let mut saved = 0;
    for round in 0..12 {
        let mut program = keeping_edu(&folder);
        let patience = Duration::from_millis(5);
        let mut last = liveness(&attach(&folder.socket()));
        last = if last == u32::MAX { 0 } else { last };
        assert!(last >= saved, "{last} was saved after {saved}");
        saved = last;
        let pid = Pid::from_raw(program.0.id().cast_signed());
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_micros(700 * round));
            kill(pid, Signal::SIGKILL).unwrap();
        });
        let options = client::AttachOptions { patience, ..client::AttachOptions::default() };
        while let Ok(client) = Client::attach_with(folder.socket(), options) {
            // Each device that is served has loaded the value that the one before has saved.
            match client.region(RegionIndex::Bar0).read::<u32>(LIVENESS) {
                Ok(value) if value != 0 => saved = !value,
                _ => {}
            }
            last += 1;
            if client.region(RegionIndex::Bar0).write(LIVENESS, last).is_err() {
                break;
            }
        }
        killer.join().unwrap();
        program.ended();
    }
    let mut program = keeping_edu(&folder);
    assert!(liveness(&attach(&folder.socket())) >= saved);
    program.terminate();
    assert!(program.ended().success());
}

/// What a program says that does not start.
fn refusal(program: &str, folder: &Folder) -> String {
    let path = format!("--socket-path={}", folder.socket().display());
    let state = format!("--state={}", folder.state().display());
    let output = Command::new(program).args([path, state]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn state_that_is_of_no_use_is_reported_and_left_alone() {
    let folder = Folder::new("state-refused");
    let mut program = keeping_edu(&folder);
    set_liveness(&attach(&folder.socket()), 7);
    program.terminate();
    assert!(program.ended().success());
    let stream = fs::read(folder.state()).unwrap();
    let error = refusal(TRIVIAL, &folder);
    assert!(error.contains("the state is of device `edu` (1234:11e8)"), "{error}");
    assert_eq!(fs::read(folder.state()).unwrap(), stream);
    for (damaged, why) in [
        (stream[..stream.len() / 2].to_vec(), "the stream ends early"),
        ([&stream[..], b"more"].concat(), "something follows the end of the stream"),
        (Vec::new(), "the stream ends early"),
        (vec![0; 4096], "this is no stream of device state"),
    ] {
        fs::write(folder.state(), &damaged).unwrap();
        let error = refusal(EDU, &folder);
        assert!(error.contains(why), "{error}");
        assert!(error.contains(&folder.state().display().to_string()), "{error}");
        assert_eq!(fs::read(folder.state()).unwrap(), damaged);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_reported_at_the_start() {
    let folder = Folder::new("state-nowhere");
    let path = format!("--socket-path={}", folder.socket().display());
    let output = Command::new(EDU).args([&path, "--state=/nowhere/state"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("state file /nowhere/state cannot be used"), "{error}");
}
