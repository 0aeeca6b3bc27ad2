//! Programs that serve several devices, each at a socket of its own.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use vfio_user_tests::raw::RawClient;
use vfio_user_tests::wire::{self, command};

use crate::device_program::wait_until;

const SEVERAL: &str = env!("CARGO_BIN_EXE_several");

/// The register that makes a hook of a counter panic.
const FAIL: u64 = 4;

struct Program {
    child: Child,
    sockets: Vec<PathBuf>,
}

impl Program {
    /// Starts a program with a socket for each of these names.
    fn start(program: &str, dir: &TempDir, devices: &[(&str, &str)], options: &[&str]) -> Self {
        let sockets: Vec<_> = devices.iter().map(|(_, file)| dir.path().join(file)).collect();
        let paths = devices.iter().zip(&sockets).map(|((of, _), socket)| {
            let of = if of.is_empty() { String::new() } else { format!("{of}=") };
            format!("--socket-path={of}{}", socket.display())
        });
        let mut command = Command::new(program);
        command.args(paths).args(options).stderr(Stdio::piped());
        let program = Program { child: command.spawn().unwrap(), sockets };
        wait_until(|| program.sockets.iter().all(|socket| socket.exists()));
        program
    }

    fn client(&self, socket: usize) -> RawClient {
        let mut client = RawClient::connect(&self.sockets[socket]);
        client.negotiate();
        client
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Ends the program, and returns what it has said.
    fn end(mut self) -> String {
        self.send(Signal::SIGTERM);
        wait_until(|| self.child.try_wait().unwrap().is_some());
        assert!(self.child.wait().unwrap().success());
        assert!(self.sockets.iter().all(|socket| !socket.exists()), "the sockets are removed");
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count(client: &mut RawClient) -> u64 {
    client.number(0, 0, 4)
}

fn set_count(client: &mut RawClient, count: u32) {
    client.write(0, 0, &count.to_le_bytes());
}

fn refused(options: &[&str]) -> String {
    let Output { status, stderr, .. } = Command::new(SEVERAL).args(options).output().unwrap();
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

#[test]
fn a_program_with_one_type_serves_a_device_at_each_socket() {
    let dir = tempfile::tempdir().unwrap();
    let devices = [("", "a.sock"), ("", "b.sock"), ("", "c.sock")];
    let program = Program::start(env!("CARGO_BIN_EXE_stuck"), &dir, &devices, &["--id=20"]);
    let mut clients = [0, 1, 2].map(|socket| program.client(socket));
    assert_eq!(clients.each_mut().map(count), [20, 21, 22]);
    program.end();
}

#[test]
fn a_program_with_two_types_serves_the_one_that_an_option_names() {
    let dir = tempfile::tempdir().unwrap();
    let devices = [("counter", "a.sock"), ("label", "b.sock"), ("label", "c.sock")];
    let program = Program::start(SEVERAL, &dir, &devices, &[]);
    let [mut counter, mut first, mut second] = [0, 1, 2].map(|socket| program.client(socket));
    set_count(&mut counter, 5);
    assert_eq!([count(&mut counter), count(&mut first), count(&mut second)], [5, 0, 1]);
    drop((counter, first, second));
    program.end();
}

#[test]
fn a_client_that_crashes_leaves_the_other_device_alone() {
    let dir = tempfile::tempdir().unwrap();
    let devices = [("counter", "a.sock"), ("counter", "b.sock")];
    let program = Program::start(SEVERAL, &dir, &devices, &[]);
    let (bad, mut good) = (program.client(0), program.client(1));
    set_count(&mut good, 3);
    let message = wire::message(1, command::REGION_WRITE, 0, &wire::write(0, 0, &[9; 4]));
    bad.send(&message[..message.len() - 3], &[]);
    assert_eq!(count(&mut good), 3);
    drop(bad);
    assert_eq!(count(&mut good), 3);
    let mut next = program.client(0);
    assert_eq!(count(&mut next), 0, "half a message has no effect");
    drop((good, next));
    program.end();
}

#[test]
fn a_hook_that_panics_leaves_the_other_device_alone() {
    let dir = tempfile::tempdir().unwrap();
    let devices = [("counter", "a.sock"), ("counter", "b.sock")];
    let program = Program::start(SEVERAL, &dir, &devices, &[]);
    let (mut bad, mut good) = (program.client(0), program.client(1));
    set_count(&mut bad, 1);
    set_count(&mut good, 2);
    bad.posted_write(0, FAIL, &[0; 4]);
    bad.expect_closed();
    assert_eq!(count(&mut good), 2);
    assert_eq!(count(&mut program.client(0)), 0, "a new device");
    drop(good);
    let said = program.end();
    let replaced = said.lines().find(|line| line.contains("the device is replaced"));
    let replaced = replaced.unwrap_or_else(|| panic!("{said}"));
    assert!(replaced.contains("counter") && replaced.contains("a.sock"), "{replaced}");
}

#[test]
fn each_device_is_logged_by_its_name_and_socket() {
    let dir = tempfile::tempdir().unwrap();
    let devices = [("counter", "a.sock"), ("label", "b.sock")];
    let program = Program::start(SEVERAL, &dir, &devices, &["-v"]);
    for (socket, place) in [(0, 0x10), (1, 0x20)] {
        let mut client = program.client(socket);
        assert_eq!(client.number(0, place, 4), 0);
    }
    program.send(Signal::SIGUSR1);
    // The answer comes from another thread than the one that prints.
    program.client(0).sync();
    let said = program.end();
    let connected: Vec<_> = said.lines().filter(|line| line.contains("client connected")).collect();
    let is_named = |device: &str, socket: &str| {
        connected.iter().any(|line| line.contains(device) && line.contains(socket))
    };
    assert!(is_named("counter", "a.sock") && is_named("label", "b.sock"), "{said}");
    for (device, socket, place) in [("counter", "a.sock", "0x10"), ("label", "b.sock", "0x20")] {
        let path = dir.path().join(socket);
        let line = format!("{device} at {}: accessed without a model: ", path.display());
        let line = said.lines().find(|said| said.starts_with(&line));
        assert!(line.is_some_and(|line| line.contains(place)), "{said}");
    }
}

#[test]
fn each_device_has_a_state_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let state = |file: &str| format!("--state={}", dir.path().join(file).display());
    let (first, second) = (state("a.state"), state("b.state"));
    let devices = [("counter", "a.sock"), ("counter", "b.sock")];
    let options = [&*first, &*second];
    let program = Program::start(SEVERAL, &dir, &devices, &options);
    for (socket, value) in [(0, 6), (1, 7)] {
        set_count(&mut program.client(socket), value);
    }
    program.end();
    let program = Program::start(SEVERAL, &dir, &devices, &options);
    assert_eq!([0, 1].map(|socket| count(&mut program.client(socket))), [6, 7]);
    program.end();
    for (files, problem) in
        [(vec![&*first], "1 state files for 2 sockets"), (vec![&*first, &*first], "is given twice")]
    {
        let sockets = ["--socket-path=counter=/nowhere/a", "--socket-path=counter=/nowhere/b"];
        let said = refused(&[&sockets[..], &files].concat());
        assert!(said.contains(problem), "{said}");
    }
}

#[test]
fn a_program_with_one_client_each_ends_with_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let devices = [("counter", "a.sock"), ("label", "b.sock")];
    let mut program = Program::start(SEVERAL, &dir, &devices, &["--once"]);
    let mut last = program.client(1);
    drop(program.client(0));
    wait_until(|| !program.sockets[0].exists());
    assert_eq!(count(&mut last), 0);
    drop(last);
    wait_until(|| program.child.try_wait().unwrap().is_some());
}

#[test]
fn an_option_that_names_no_device_is_refused() {
    let names = "the devices are `counter`, `label`";
    for option in ["--socket-path=/nowhere/a", "--socket-path=disk=/nowhere/a", "--fd=disk=3"] {
        let said = refused(&[option]);
        assert!(said.contains(names), "{said}");
        assert!(!Path::new("/nowhere").exists());
    }
    assert!(refused(&["--describe"]).contains(names));
    let described = Command::new(SEVERAL).args(["--describe", "--device=label"]).output().unwrap();
    assert!(described.status.success());
    let text = String::from_utf8(described.stdout).unwrap();
    assert!(text.contains("1af4:10fa") && !text.contains("1af4:10f9"), "{text}");
    let help = Command::new(SEVERAL).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("`counter`, PCI device 1af4:10f9; `label`"), "{help}");
}

#[test]
fn inherited_sockets_are_served_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "exec {SEVERAL} --fd=counter=0 --fd=label=1 --once 2>{}",
        dir.path().join("log").display()
    );
    let (counter, one) = UnixStream::pair().unwrap();
    let (label, other) = UnixStream::pair().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::from(OwnedFd::from(one)))
        .stdout(Stdio::from(OwnedFd::from(other)))
        .spawn()
        .unwrap();
    let (mut counter, mut label) = (RawClient::new(counter), RawClient::new(label));
    counter.negotiate();
    label.negotiate();
    set_count(&mut counter, 8);
    assert_eq!([count(&mut counter), count(&mut label)], [8, 0]);
    drop((counter, label));
    wait_until(|| child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success(), "{:?}", fs::read_to_string(dir.path().join("log")));
}
