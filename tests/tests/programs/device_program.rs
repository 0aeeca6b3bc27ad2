//! What a device program does as a process: its help, its log, its limits, its end.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;

/// The program, under a shell that limits it.
struct Program {
    child: Child,
    socket: PathBuf,
    _dir: TempDir,
}

impl Program {
    fn start(limits: &str, options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("device.sock");
        let script = format!(
            "{limits} exec {} --socket-path={} {options}",
            env!("CARGO_BIN_EXE_stuck"),
            socket.display()
        );
        let child = Command::new("sh").args(["-c", &script]).stderr(Stdio::piped()).spawn();
        let program = Program { child: child.unwrap(), socket, _dir: dir };
        wait_until(|| program.socket.exists());
        program
    }

    fn client(&self) -> RawClient {
        let mut client = RawClient::connect(&self.socket);
        client.negotiate();
        client
    }

    fn signal(&self) {
        self.send(Signal::SIGTERM);
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// What it has said, once it has ended.
    fn ended(mut self) -> String {
        let mut said = String::new();
        wait_until(|| self.child.try_wait().unwrap().is_some());
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!self.socket.exists(), "the socket is removed");
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited for too long");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn its_help_is_its_own() {
    let help = Command::new(env!("CARGO_BIN_EXE_stuck")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("--id <ID>") && help.contains("--socket-path <PATH>"), "{help}");
    assert!(help.trim_start().starts_with("Usage:"), "{help}");
    for foreign in ["```", "no_run", "flattens", "::"] {
        assert!(!help.contains(foreign), "{foreign}: {help}");
    }
}

#[test]
fn a_signal_prints_what_has_no_model_while_the_device_runs() {
    let program = Program::start("", "");
    let mut client = program.client();
    client.write(0, 0x840, &[7, 0, 0, 0]);
    assert_eq!(client.number(0, 0x840, 4), 0);
    assert_eq!(client.number(0, 0x844, 2), 0);
    let expected = ["BAR 0 at 0x840: 1 read, 1 write, of 0x7", "BAR 0 at 0x844: 1 read"];
    assert_eq!(without_model(program, client), expected);
}

#[test]
fn a_signal_prints_that_nothing_was_accessed() {
    let program = Program::start("", "");
    let mut client = program.client();
    // An answer: from then on the program handles signals.
    client.sync();
    assert_eq!(without_model(program, client), ["nothing"]);
}

/// Sends a program the signal that prints the burndown, ends it, and returns what it printed.
fn without_model(program: Program, mut client: RawClient) -> Vec<String> {
    program.send(Signal::SIGUSR1);
    client.sync();
    program.signal();
    client.drain_to_end();
    let printed = program.ended();
    let places = printed.lines().filter_map(|line| line.strip_prefix("accessed without a model: "));
    places.map(str::to_owned).collect()
}

#[test]
fn its_log_names_the_device_and_has_no_escapes() {
    let program = Program::start("", "-vv");
    let mut client = program.client();
    assert_eq!(client.number(0, 0, 4), 7);
    client.write(0, 0, &[1; 4]);
    assert_eq!(client.number(0, 0x800, 4), 0);
    let second = RawClient::connect(&program.socket);
    second.send(&[0; 16], &[]);
    second.expect_closed();
    drop(client);
    let mut client = program.client();
    client.sync();
    program.signal();
    client.drain_to_end();
    let said = program.ended();
    assert!(!said.contains('\u{1b}'), "{said:?}");
    for line in said.lines().filter(|line| !line.contains("shutting down")) {
        assert!(line.contains("sleeper") && line.contains("device.sock"), "{line}");
    }
    assert!(said.contains("client connected") && said.contains("read-only"), "{said}");
    let warnings = said.lines().filter(|line| line.contains(" WARN "));
    assert!(warnings.clone().all(|line| !line.contains("0x800")), "{said}");
}

#[test]
fn it_may_open_as_many_descriptors_as_the_system_lets_it() {
    let program = Program::start("ulimit -Sn 64;", "");
    let limits =
        fs::read_to_string(Path::new("/proc").join(program.child.id().to_string()).join("limits"));
    let limits = limits.unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{line}");
    assert_ne!(words[3], "64");
}

#[test]
fn a_second_signal_ends_it_and_removes_the_socket() {
    let program = Program::start("", "");
    let mut client = program.client();
    client.posted_write(0, 4, &[1; 4]);
    // The hook is noticed after a second, and looked for every half of one.
    thread::sleep(Duration::from_millis(2500));
    program.signal();
    thread::sleep(Duration::from_millis(300));
    assert!(program.socket.exists(), "the hook has not returned");
    program.signal();
    let said = program.ended();
    assert!(said.contains("at once"), "{said}");
    let slow = said.lines().find(|line| line.contains("has not returned for a second"));
    let slow = slow.unwrap_or_else(|| panic!("{said}"));
    for text in ["sleeper", "region=0 offset=4", "hook=write_with of sleeper.nap"] {
        assert!(slow.contains(text), "{slow}");
    }
}
