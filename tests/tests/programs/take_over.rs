//! Device programs that take over from each other, as processes.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user::client::{AttachOptions, Client};
use vfio_user::monitor::{self, Monitor, Reply, Request};
use vfio_user::protocol::RegionIndex;
use vfio_user_tests::PATIENCE;
use vfio_user_tests::generations::{Generations, wait_for};
use vfio_user_tests::raw::RawClient;

use super::program::{ESCAPE, EVERYTHING, copy_both_ways};

/// A register of `escape` that holds what is written.
const KEPT: u64 = 8;
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

fn attach(programs: &Generations) -> Client {
    let options =
        AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
    Client::attach_with(programs.socket(), options).unwrap()
}

/// Ends a program in order, and checks that it removes its files.
fn end(mut programs: Generations) {
    kill(Pid::from_raw(programs.running().id().cast_signed()), Signal::SIGTERM).unwrap();
    programs.expect_end();
    let folder = programs.socket().parent().unwrap().to_owned();
    let left: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?} is left");
}

#[test]
fn confined_programs_take_over_from_each_other() {
    let states = tempfile::tempdir().unwrap();
    let state = format!("--state={}", states.path().join("state").display());
    let mut programs = Generations::start(ESCAPE, &["--sandbox", &state]);
    let guest = attach(&programs);
    let bar = guest.region(RegionIndex::Bar0);
    for round in 1..=3_u32 {
        bar.write(KEPT, round).unwrap();
        programs.upgrade();
        assert_eq!(bar.read::<u32>(KEPT).unwrap(), round);
        // The hook opens a file.
        bar.write(0, 0_u32).unwrap();
        let errno = bar.read::<u32>(4).unwrap();
        assert_eq!(errno, libc::EACCES.cast_unsigned(), "the successor is confined");
    }
    drop(guest);
    assert_eq!(attach(&programs).region(RegionIndex::Bar0).read::<u32>(KEPT).unwrap(), 3);
    end(programs);
    assert_eq!(states.path().read_dir().unwrap().count(), 1, "the last one has saved the state");
}

#[test]
fn threads_of_a_confined_successor_reach_memory_and_interrupts() {
    let mut programs = Generations::start(EVERYTHING, &["--sandbox", "-vvv"]);
    for _ in 0..2 {
        let client = attach(&programs);
        programs.upgrade();
        copy_both_ways(client);
    }
    end(programs);
}

/// Asks a monitor how many reads it has counted.
fn reads(socket: &std::path::Path) -> u64 {
    let mut tool = monitor::Client::connect(socket, PATIENCE).unwrap();
    let Reply::Counters(counters) = tool.ask(&Request::Counters).unwrap() else { panic!() };
    counters.reads
}

#[test]
fn tools_look_into_the_device_of_the_program_that_serves() {
    for options in [&[][..], &["--sandbox"]] {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("monitor.sock");
        let option = format!("--monitor={}", socket.display());
        let mut programs = Generations::start(ESCAPE, &[&[&option[..]], options].concat());
        let guest = attach(&programs);
        for _ in 0..3 {
            guest.region(RegionIndex::Bar0).read::<u32>(KEPT).unwrap();
            assert!(reads(&socket) > 0);
            programs.upgrade();
            assert_eq!(reads(&socket), 0, "the successor counts from its start");
        }
        drop(guest);
        end(programs);
        assert!(!socket.exists(), "it is removed");
    }
}

/// A confined successor could not remove a file outside of the folders of its own sockets.
#[test]
fn the_file_of_a_monitor_is_removed_when_the_successor_has_none_there() {
    for options in [&[][..], &["--sandbox"]] {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let sockets = folders.each_ref().map(|folder| folder.path().join("monitor.sock"));
        let [first, second] =
            sockets.each_ref().map(|socket| format!("--monitor={}", socket.display()));
        let mut programs = Generations::start(ESCAPE, &[&[&first[..]], options].concat());
        programs.toggle(&first);
        programs.toggle(&second);
        programs.upgrade();
        assert_eq!(sockets.each_ref().map(|socket| socket.exists()), [false, true]);
        assert_eq!(reads(&sockets[1]), 0);
        programs.toggle(&second);
        programs.upgrade();
        assert!(!sockets[1].exists(), "the successor has no monitor");
        end(programs);
    }
}

#[test]
fn a_monitor_of_another_program_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("monitor.sock");
    let mut programs = Generations::start(ESCAPE, &[]);
    let other = Monitor::bind(&socket).unwrap();
    let monitor = format!("--monitor={}", socket.display());
    let refused = programs.command().arg(&monitor).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("belongs to another program"), "{said}");
    assert!(attach(&programs).region(RegionIndex::Bar0).read::<u32>(KEPT).is_ok());
    drop(other);
    // From then on it is free.
    programs.toggle(&monitor);
    programs.upgrade();
    assert_eq!(reads(&socket), 0);
    programs.toggle(&monitor);
    programs.upgrade();
    assert!(!socket.exists(), "a program without a monitor removes the file");
    end(programs);
}
