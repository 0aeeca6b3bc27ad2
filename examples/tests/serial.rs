//! The serial port's program at terminals.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use vfio_user::client::{AttachOptions, Client, ClientRegion};
use vfio_user::protocol::RegionIndex;
use vfio_user_tests::vm::Program;

const SERIAL: &str = env!("CARGO_BIN_EXE_serial");
const DATA: u64 = 0;
const LINE_STATUS: u64 = 5;

/// Waits until a byte has been received, and returns it.
fn receive(registers: &ClientRegion<'_>) -> u8 {
    while registers.read::<u8>(LINE_STATUS).unwrap() & 1 == 0 {}
    registers.read(DATA).unwrap()
}

#[test]
fn a_pseudo_terminal_is_the_line() {
    let mut program = Program::start(Path::new(SERIAL), &["--line=pty"]);
    let path = program.hear("the line is at ");
    let path = path.rsplit(' ').next().unwrap();
    let mut terminal = OpenOptions::new().read(true).write(true).open(path).unwrap();
    // The path is printed before the program serves.
    let patience = Duration::from_secs(20);
    let options = AttachOptions { patience, ..AttachOptions::default() };
    let client = Client::attach_with(program.socket(), options).unwrap();
    let registers = client.region(RegionIndex::Bar0);
    terminal.write_all(b"\x03").unwrap();
    assert_eq!(receive(&registers), 3, "no key is special");
    registers.write(DATA, b'\n').unwrap();
    let mut sent = [0];
    terminal.read_exact(&mut sent).unwrap();
    assert_eq!(sent, *b"\n", "nor is a byte that is sent");
    program.end();
}

#[test]
fn the_terminal_of_the_program_is_restored_when_it_ends() {
    let pty = openpty(None, None).unwrap();
    let cooked = tcgetattr(&pty.slave).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(SERIAL)
        .arg(format!("--socket-path={}", folder.path().join("serial.sock").display()))
        .arg("--line=stdio")
        .stdin(Stdio::from(pty.slave.try_clone().unwrap()))
        .stdout(Stdio::from(pty.slave.try_clone().unwrap()))
        .spawn()
        .unwrap();
    let mode = || tcgetattr(&pty.slave).unwrap();
    let is_raw = |mode: &Termios| !mode.local_flags.contains(LocalFlags::ICANON);
    while !is_raw(&mode()) {
        assert_eq!(program.try_wait().unwrap(), None, "it has ended");
    }
    // Ctrl-].
    let mut keyboard = File::from(pty.master);
    keyboard.write_all(b"\x1d").unwrap();
    assert!(program.wait().unwrap().success());
    assert_eq!(mode(), cooked);
}
