//! Tests of `vfu proxy`, between clients and devices.

mod card;
mod hostile;
mod passes;
mod replayed;
mod servers;
mod shown;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use vfio_user::client::{AttachOptions, Client};
use vfio_user_tests::PATIENCE;

const VFU: &str = env!("CARGO_BIN_EXE_vfu");

/// A proxy in a process. Dropping this kills it.
struct Proxy {
    child: Child,
    folder: TempDir,
}

impl Proxy {
    /// Starts a proxy in front of a server, and waits until it listens.
    fn start(server: &Path, options: &[&str]) -> Self {
        Self::start_as(Command::new(VFU), server, options, None)
    }

    /// Starts a proxy as this command, with another output than the file that is read later.
    fn start_as(
        mut command: Command,
        server: &Path,
        options: &[&str],
        output: Option<Stdio>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let file = File::create(folder.path().join("output")).expect("file");
        command.arg("proxy").arg(folder.path().join("proxy.sock")).arg(server).args(options);
        command.stdin(Stdio::null()).stdout(output.unwrap_or(file.into()));
        let proxy = Proxy { child: command.spawn().expect("it runs"), folder };
        proxy.wait("it listens", || proxy.socket().exists());
        proxy
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("proxy.sock")
    }

    fn attach(&self) -> Client {
        let options =
            AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
        Client::attach_with(self.socket(), options).expect("it forwards")
    }

    /// Returns what it has printed.
    fn printed(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).expect("it prints text")
    }

    #[track_caller]
    fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "{what}, not in time:\n{}", self.printed());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until it has printed a text.
    #[track_caller]
    fn wait_for(&self, text: &str) {
        self.wait(text, || self.printed().contains(text));
    }

    /// Returns the number of its open descriptors.
    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    /// Returns the number that its next descriptor gets.
    fn next_descriptor(&self) -> u32 {
        let folder = PathBuf::from(format!("/proc/{}/fd", self.child.id()));
        (0..1024).find(|fd| !folder.join(fd.to_string()).is_symlink()).expect("a number is free")
    }

    /// Ends it by a signal, and returns what it has printed.
    #[track_caller]
    fn finish(mut self) -> String {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill(pid, Signal::SIGTERM).expect("it runs");
        assert!(self.child.wait().expect("it ends").success());
        assert!(!self.socket().exists());
        self.printed()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
