//! The classic pair as two programs, and the third that its server moves to.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::{env, fs};

const SERVER: &str = env!("CARGO_BIN_EXE_server");
const CLIENT: &str = env!("CARGO_BIN_EXE_client");

/// A server of one client, in a folder that is gone at the end.
struct Server {
    folder: PathBuf,
    process: Child,
}

impl Server {
    fn start(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("vfio-user-{name}.{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(SERVER);
        command.arg("--write-multiple").arg("-v").arg(folder.join("device.sock"));
        Server { process: command.spawn().unwrap(), folder }
    }

    /// Runs the client to its end, which is the server's as well.
    fn drive(&mut self, options: &[&Path]) -> Output {
        let mut command = Command::new(CLIENT);
        let output = command.arg(self.folder.join("device.sock")).args(options).output().unwrap();
        assert!(self.process.wait().unwrap().success());
        output
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[track_caller]
fn assert_lines(text: &str, expected: &[&str]) {
    let mut lines = text.lines();
    for part in expected {
        assert!(lines.any(|line| line.contains(part)), "{part:?} is not in its place in\n{text}");
    }
}

/// What the client prints before it migrates.
const TOUR: &[&str] = &[
    "attached: 9 regions, 5 interrupt indices",
    "BAR 0: 0x8 bytes, 0 doorbells",
    "BAR 1: 0x4000 bytes, mapped 0x0..0x1000 and 0x3000..0x4000, 0 doorbells",
    "INTx: vectors: 1",
    "features: migration in pre-copy and stopped, the log of dirty pages",
    "the device is reset",
    "config space: dead:beef, subsystem cafe:babe",
    "accesses of other sizes, and outside, are refused",
    "BAR 1: written where it is mapped and by messages",
    "BAR 1: written without an answer, and at several places in one message",
    "INTx: triggered, masked, unmasked by a message and by an eventfd",
    " s since its time",
    "the interrupt has come; the server has written memory and read it, which is logged",
    "memory is taken back",
    "source: 16384 bytes read in pre-copy, while a guest writes BAR 1",
];

#[test]
fn the_client_asks_for_everything_and_moves_the_server() {
    let output = Server::start("client").drive(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert_lines(&text, TOUR);
    let moved = [
        "destination: started as process",
        "source: the guest has written BAR 1",
        "source: 16392 bytes moved in",
        "destination: BAR 1 has checksum",
        "destination: it runs, and the source has stopped",
        "destination: the interrupt of the source has come, and memory is written",
        "destination: it has ended with its client",
    ];
    assert_lines(&text, &moved);
    let checksums: Vec<_> = text.lines().filter_map(|line| line.split_once("checksum ")).collect();
    assert!(checksums.len() == 2 && checksums[0].1 == checksums[1].1, "{checksums:?}");
}

/// Whatever is wrong with the destination, the source runs as before.
#[track_caller]
fn assert_stays(server: &mut Server, destination: &Path, why: &str) {
    let output = server.drive(&[Path::new("--server"), destination]);
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_lines(&text, TOUR);
    assert_lines(&text, &["source: it is running again, and its interrupt has come"]);
    let last = error.lines().last().unwrap();
    assert!(last.starts_with(&format!("client: {why}")), "{error}");
    assert!(last.ends_with("; the source runs on"), "{error}");
}

#[test]
fn the_source_runs_on_when_the_destination_does_not_start() {
    for (destination, why) in [
        ("/nowhere/server", "the destination /nowhere/server cannot start: No such file"),
        ("/bin/false", "the destination does not start: exit status: 1"),
    ] {
        assert_stays(&mut Server::start("no-destination"), Path::new(destination), why);
    }
}

/// By then it has stopped.
#[test]
fn the_source_runs_on_when_the_destination_refuses_the_state() {
    let mut server = Server::start("wrong-destination");
    let destination = server.folder.join("destination");
    let script =
        format!("#!/bin/sh\nexec {} --socket-path=\"$2\" --once\n", env!("CARGO_BIN_EXE_trivial"));
    fs::write(&destination, script).unwrap();
    fs::set_permissions(&destination, fs::Permissions::from_mode(0o755)).unwrap();
    assert_stays(&mut server, &destination, "MIG_DATA_WRITE failed: EINVAL");
}
