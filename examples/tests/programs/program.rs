//! The programs, and how tests run them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user::client;
use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;

pub(crate) const TRIVIAL: &str = env!("CARGO_BIN_EXE_trivial");
pub(crate) const EDU: &str = env!("CARGO_BIN_EXE_edu");
pub(crate) const NULL: &str = env!("CARGO_BIN_EXE_null");
pub(crate) const IOEVENTFD: &str = env!("CARGO_BIN_EXE_ioeventfd");
pub(crate) const IOEVENTFD_BENCH: &str = env!("CARGO_BIN_EXE_ioeventfd-bench");
pub(crate) const DMA_ENGINE: &str = env!("CARGO_BIN_EXE_dma-engine");
pub(crate) const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// A folder that is gone at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("vfio-user-{name}.{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("device.sock")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that is killed at the latest when this is dropped.
pub(crate) struct Program(pub(crate) Child);

impl Program {
    pub(crate) fn start(stdin: Stdio, arguments: &[&str]) -> Self {
        Self::of(TRIVIAL, stdin, arguments)
    }

    pub(crate) fn of(program: &str, stdin: Stdio, arguments: &[&str]) -> Self {
        Program(Command::new(program).stdin(stdin).args(arguments).spawn().unwrap())
    }

    pub(crate) fn serving(socket: &Path, arguments: &[&str]) -> Self {
        let path = format!("--socket-path={}", socket.display());
        let arguments: Vec<_> =
            [path.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        Self::start(Stdio::null(), &arguments)
    }

    pub(crate) fn terminate(&self) {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(Instant::now() < deadline, "the program does not end"),
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn attach(socket: &Path) -> Client {
    let patience = Duration::from_secs(10);
    Client::attach_with(
        socket,
        client::AttachOptions { patience, ..client::AttachOptions::default() },
    )
    .unwrap()
}

pub(crate) fn assert_is_trivial(client: &Client) {
    assert_eq!(client.region(RegionIndex::Bar0).read::<u32>(0).unwrap(), 0x7472_6976);
}
