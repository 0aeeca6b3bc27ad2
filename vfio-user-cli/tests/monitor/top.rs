//! `vfu top`, on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use vfio_user_tests::PATIENCE;

use crate::pump::{self, Observed};

/// What makes a terminal show its own screen again.
const LEAVE: &str = "\x1b[?1049l";

/// `vfu top` on a terminal of 100 columns.
struct Top {
    child: Child,
    keys: File,
    terminal: OwnedFd,
    /// What it has written, without the sequences that move and colour.
    shown: Arc<Mutex<String>>,
}

impl Top {
    fn start(observed: &Observed) -> Self {
        let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        let mut vfu = Command::new(env!("CARGO_BIN_EXE_vfu"));
        vfu.arg("top").arg(&observed.path).arg("--interval=0.1");
        let [input, output, terminal] = [0, 1, 2].map(|_| slave.try_clone().unwrap());
        let child = vfu.stdin(input).stdout(output).spawn().unwrap();
        let (keys, mut screen) = (File::from(master.try_clone().unwrap()), File::from(master));
        let shown = Arc::new(Mutex::new(String::new()));
        let all = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                all.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Top { child, keys, terminal, shown }
    }

    fn wait_for(&self, text: &str) {
        wait_until(text, || plain(&self.shown.lock().unwrap()).contains(text));
    }

    fn press(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).unwrap();
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.terminal).unwrap().local_flags.contains(LocalFlags::ICANON)
    }

    /// Waits for its end; the terminal is as before then.
    fn assert_ends(&mut self, code: i32) {
        let mut status = None;
        wait_until("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.and_then(|status| status.code()), Some(code));
        assert!(!self.is_raw());
        wait_until("the screen", || self.shown.lock().unwrap().contains(LEAVE));
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Removes the sequences that move and colour.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        &part[end..]
    });
    first + &rest.collect::<String>()
}

#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited for {what} for too long");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_device_is_shown_live_until_a_key_quits() {
    let mut observed = pump::observe(|monitor| monitor);
    observed.work();
    let mut top = Top::start(&observed);
    for text in ["pump", "1af4:10fc", "control", "ring[1]", "msix", "read_only", "PHYCTL"] {
        top.wait_for(text);
    }
    assert!(top.is_raw());
    // Values that appear later.
    observed.client.write(0, 0x28, &[0xcd, 0xab, 0, 0]);
    top.wait_for("0xabcd");
    top.press(" ");
    top.wait_for("held");
    top.press("q");
    top.assert_ends(0);
}

#[test]
fn the_terminal_is_restored_after_a_signal() {
    let observed = pump::observe(|monitor| monitor);
    let mut top = Top::start(&observed);
    top.wait_for("pump");
    kill(Pid::from_raw(top.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    top.assert_ends(0);
}

#[test]
fn the_terminal_is_restored_when_the_device_ends() {
    let observed = pump::observe(|monitor| monitor);
    let mut top = Top::start(&observed);
    top.wait_for("pump");
    observed.running.shutdown().shutdown();
    drop(observed);
    top.assert_ends(2);
}
