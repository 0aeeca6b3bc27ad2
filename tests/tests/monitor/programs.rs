//! Monitors of device programs: an option for each socket.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use vfio_user::monitor::{Reply, Request};
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;

use crate::station;

const SEVERAL: &str = env!("CARGO_BIN_EXE_several");

struct Program {
    child: Child,
    dir: TempDir,
}

impl Program {
    /// Serves a counter at `a.sock` and a label at `b.sock`.
    fn start(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place =
            |option: &str, name: &str| format!("{option}{}", dir.path().join(name).display());
        let mut command = Command::new(SEVERAL);
        command.args([
            place("--socket-path=counter=", "a.sock"),
            place("--socket-path=label=", "b.sock"),
            place("--monitor=", "a.mon"),
            place("--monitor=", "b.mon"),
        ]);
        let child = command.args(options).stderr(Stdio::null()).spawn().unwrap();
        let program = Program { child, dir };
        let paths = ["a.sock", "b.sock", "a.mon", "b.mon"].map(|name| program.path(name));
        wait_until(|| paths.iter().all(|path| path.exists()));
        program
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn client(&self, name: &str) -> RawClient {
        let mut client = RawClient::connect(&self.path(name));
        client.negotiate();
        client
    }

    fn ask(&self, name: &str, request: &Request) -> Option<Reply> {
        station::connect(&self.path(name)).ask(request).ok()
    }

    fn value(&self, monitor: &str, register: &str) -> Option<u64> {
        match self.ask(monitor, &Request::Register { name: register.to_owned() })? {
            Reply::Register(register) => Some(register.value),
            _ => None,
        }
    }

    fn end(&mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        wait_until(|| self.child.try_wait().unwrap().is_some());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited for too long");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn each_device_of_a_program_has_a_monitor_of_its_own() {
    let mut program = Program::start(&[]);
    program.client("a.sock").write(0, 0, &[7, 0, 0, 0]);
    assert_eq!(program.value("a.mon", "count"), Some(7));
    assert_eq!(program.value("b.mon", "number"), Some(0));
    assert_eq!(program.value("b.mon", "count"), None);
    let device = program.ask("b.mon", &Request::Device);
    assert!(
        matches!(device, Some(Reply::Device(device)) if device.name == "label" && !device.pokes)
    );
    let poke = Request::Poke { name: "count".to_owned(), value: 1 };
    assert_eq!(program.ask("a.mon", &poke), None);
    program.end();
    assert!(!program.path("a.mon").exists() && !program.path("b.mon").exists());
}

#[test]
fn a_program_allows_pokes_on_request() {
    let mut program = Program::start(&["--monitor-poke"]);
    let poke = Request::Poke { name: "count".to_owned(), value: 0x55 };
    assert!(program.ask("a.mon", &poke).is_some());
    assert_eq!(program.client("a.sock").number(0, 0, 4), 0x55);
    program.end();
}

/// The device is constructed anew, and counts from zero.
#[test]
fn a_monitor_follows_a_device_over_a_panic() {
    let mut program = Program::start(&[]);
    let mut client = program.client("a.sock");
    client.write(0, 0, &[7, 0, 0, 0]);
    client.posted_write(0, 4, &[1, 0, 0, 0]);
    client.expect_closed();
    program.client("a.sock").write(0, 0, &[8, 0, 0, 0]);
    assert_eq!(program.value("a.mon", "count"), Some(8));
    let counters = program.ask("a.mon", &Request::Counters);
    assert!(matches!(counters, Some(Reply::Counters(counters)) if counters.writes == 1));
    program.end();
}

#[test]
fn each_socket_needs_a_monitor_if_one_has() {
    let dir = tempfile::tempdir().unwrap();
    let place = |option: &str, name: &str| format!("{option}{}", dir.path().join(name).display());
    let options = [
        place("--socket-path=counter=", "a.sock"),
        place("--socket-path=counter=", "b.sock"),
        place("--monitor=", "a.mon"),
    ];
    let Output { status, stderr, .. } = Command::new(SEVERAL).args(&options).output().unwrap();
    assert!(!status.success());
    let said = String::from_utf8(stderr).unwrap();
    assert!(said.contains("1 monitors for 2 sockets"), "{said}");
    let poke = Command::new(SEVERAL).args([&options[0], "--monitor-poke"]).output().unwrap();
    assert!(!poke.status.success());
}
