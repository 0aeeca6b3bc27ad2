//! Device programs that take over from each other, as processes.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user_tests::generations::{Generations, wait_for};
use vfio_user_tests::raw::RawClient;

const STUCK: &str = env!("CARGO_BIN_EXE_stuck");
/// A register of `stuck` whose hook does not return.
const NAP: u64 = 4;

fn client(programs: &Generations) -> RawClient {
    let mut client = RawClient::connect(&programs.socket());
    client.negotiate();
    client
}

/// Sends a program two signals, the first of which it handles, and waits until it has ended.
fn end_at_once(program: &mut Child, log: &dyn Fn() -> String) {
    let pid = Pid::from_raw(program.id().cast_signed());
    kill(pid, Signal::SIGTERM).unwrap();
    wait_for(|| log().contains("shutting down").then_some(()));
    kill(pid, Signal::SIGTERM).unwrap();
    let status = wait_for(|| program.try_wait().unwrap());
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{}", log());
}

#[test]
fn a_second_signal_removes_the_files_of_its_own_sockets_and_none_of_a_successor() {
    let logs = tempfile::tempdir().unwrap();
    let path = logs.path().join("log");
    let log = || std::fs::read_to_string(&path).unwrap();
    let mut first = Command::new(STUCK);
    first.stderr(File::create(&path).unwrap());
    let mut programs = Generations::start_under(first, STUCK, &["-v"]);
    let files = [programs.socket(), programs.upgrade_socket()];
    let mut guest = client(&programs);
    let mut successor = programs.spawn();
    // The device of the first program does not return from `saved`.
    wait_for(|| log().contains("another program serves the devices").then_some(()));
    guest.sync();
    end_at_once(programs.running(), &log);
    guest.sync();
    assert!(files.iter().all(|path| path.exists()), "they are the successor's");
    drop(guest);

    // The second one owns them.
    client(&programs).posted_write(0, NAP, &[1; 4]);
    let pid = Pid::from_raw(successor.id().cast_signed());
    kill(pid, Signal::SIGTERM).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    kill(pid, Signal::SIGTERM).unwrap();
    let status = wait_for(|| successor.try_wait().unwrap());
    assert_eq!(status.signal(), Some(libc::SIGTERM));
    assert!(!files.iter().any(|path| path.exists()), "they are removed");
}
