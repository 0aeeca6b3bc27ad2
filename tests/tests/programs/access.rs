//! Who may connect to a device program, and how a service manager starts it.

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;

use super::device_program::wait_until;

/// A user that exists on every system, and is not the one of the tests.
const OTHER: u32 = 65534;

/// The program, which a shell starts with `before`.
struct Program {
    child: Child,
    socket: PathBuf,
    dir: TempDir,
}

impl Program {
    fn start(before: &str, options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("device.sock");
        let path = format!("--socket-path={}", socket.display());
        let child = shell(before, &format!("{path} {options}")).spawn().unwrap();
        wait_until(|| socket.exists());
        Program { child, socket, dir }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shell(before: &str, options: &str) -> Command {
    let script = format!("{before} exec {} {options}", env!("CARGO_BIN_EXE_stuck"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stderr(Stdio::null());
    shell
}

/// The user that runs the tests: the owner of what they create.
fn own_user() -> u32 {
    tempfile::tempdir().unwrap().path().metadata().unwrap().uid()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_socket_has_the_permissions_of_the_option_whatever_the_umask_is() {
    for umask in ["umask 077;", "umask 000;"] {
        let program = Program::start(umask, "--socket-mode=0660");
        assert_eq!(mode(&program.socket), 0o660, "{umask}");
    }
}

#[test]
fn permissions_that_make_no_sense_are_refused() {
    for wrong in ["0668", "1777", "rw"] {
        let output = Command::new(env!("CARGO_BIN_EXE_stuck"))
            .args(["--socket-path=/nowhere/x", &format!("--socket-mode={wrong}")])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn a_user_that_is_not_listed_is_not_served() {
    let own = own_user();
    let program = Program::start("", &format!("--allow-uid={},{}", own + 1, own + 2));
    RawClient::connect(&program.socket).expect_closed();
    let program = Program::start("", &format!("--allow-uid={},{own}", own + 1));
    RawClient::connect(&program.socket).negotiate();
}

/// A process of another user, which only root can start.
#[test]
fn a_process_of_another_user_is_served_if_it_is_listed() {
    if own_user() != 0 {
        assert!(std::env::var_os("CI").is_none(), "this test needs root");
        eprintln!("NOT TESTED: only root can start a process of another user");
        return;
    }
    for (listed, is_served) in [(OTHER, true), (0, false)] {
        let program = Program::start("umask 000;", &format!("--allow-uid={listed}"));
        fs::set_permissions(program.dir.path(), Permissions::from_mode(0o755)).unwrap();
        // Where the other user can run it. A process copies it: this one starts others meanwhile,
        // which would hold a file that it writes, and such a file cannot be run.
        let client = program.dir.path().join("connect");
        let copy = Command::new("cp").arg(env!("CARGO_BIN_EXE_connect")).arg(&client).status();
        assert!(copy.unwrap().success());
        let output = Command::new(&client).arg(&program.socket).uid(OTHER).output().unwrap();
        assert_eq!(output.status.success(), is_served, "{output:?}");
    }
}

#[test]
fn a_program_serves_the_sockets_that_it_is_passed_and_reports_that_it_is_ready() {
    for options in ["--activated", "--activated --sandbox"] {
        serves_what_it_is_passed(options);
    }
}

#[track_caller]
fn serves_what_it_is_passed(options: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (socket, manager) = (dir.path().join("device.sock"), dir.path().join("notify"));
    let listener = UnixListener::bind(&socket).unwrap();
    let notified = UnixDatagram::bind(&manager).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();
    let child = shell("export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&0;", options)
        .env("NOTIFY_SOCKET", &manager)
        .stdin(OwnedFd::from(listener))
        .spawn();
    let program = Program { child: child.unwrap(), socket, dir };
    let mut message = [0; 64];
    let len = notified.recv(&mut message).expect("a message in time");
    assert_eq!(&message[..len], b"READY=1");
    RawClient::connect(&program.socket).negotiate();
}

#[test]
fn sockets_for_another_process_are_not_taken() {
    for passed in ["", "export LISTEN_PID=1 LISTEN_FDS=1;", "export LISTEN_PID=$$ LISTEN_FDS=0;"] {
        let mut program = shell(passed, "--activated");
        let output = program.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("LISTEN_PID"), "{passed}: {said}");
    }
}
