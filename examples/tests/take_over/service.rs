//! A service manager learns which process serves.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use vfio_user_tests::PATIENCE;

const ENGINE: &str = env!("CARGO_BIN_EXE_dma-engine");

#[test]
fn a_program_that_has_taken_over_reports_that_it_is_the_main_process() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let manager = UnixDatagram::bind(at("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let start = || {
        let mut program = Command::new(ENGINE);
        program.arg(format!("--socket-path={}", at("device.sock").display()));
        program.arg(format!("--take-over={}", at("upgrade.sock").display()));
        program.env("NOTIFY_SOCKET", at("notify")).stdin(Stdio::null()).spawn().unwrap()
    };
    let received = || {
        let mut message = [0; 64];
        let len = manager.recv(&mut message).expect("a message in time");
        String::from_utf8_lossy(&message[..len]).into_owned()
    };
    let mut first = start();
    assert_eq!(received(), "READY=1");
    let mut second = start();
    assert_eq!(received(), format!("MAINPID={}\nREADY=1", second.id()));
    assert!(first.wait().unwrap().success());
    second.kill().unwrap();
    second.wait().unwrap();
}
