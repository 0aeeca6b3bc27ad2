//! A device program that a test starts.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vfio_user::client::{AttachOptions, Client, PciView};
use vfio_user::protocol::DmaMapFlags;
use vfio_user_tests::PATIENCE;
use vfio_user_tests::raw::RawClient;

use super::device_program::wait_until;

pub(crate) const ESCAPE: &str = env!("CARGO_BIN_EXE_escape");
pub(crate) const EVERYTHING: &str = env!("CARGO_BIN_EXE_everything");

/// A program with one device, which listens at `device.sock` in a folder.
pub(crate) struct Program {
    child: Child,
    /// What it logs. A pipe may be full before it is read.
    log: File,
    socket: PathBuf,
}

impl Program {
    /// Starts a program. It gets the options and a socket.
    pub(crate) fn start(mut command: Command, folder: &Path, options: &[String]) -> Self {
        let socket = folder.join("device.sock");
        command.arg(format!("--socket-path={}", socket.display())).args(options);
        let log = tempfile::tempfile().unwrap();
        let child = command.stderr(log.try_clone().unwrap()).spawn().unwrap();
        Program { child, log, socket }
    }

    pub(crate) fn client(&self) -> RawClient {
        wait_until(|| self.socket.exists());
        let mut client = RawClient::connect(&self.socket);
        client.negotiate();
        client
    }

    pub(crate) fn attach(&self) -> vfio_user::Result<Client> {
        let options =
            AttachOptions { timeout: PATIENCE, patience: PATIENCE, ..AttachOptions::default() };
        Client::attach_with(&self.socket, options)
    }

    /// Waits until it ends by itself, and returns how, and what it has logged.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        wait_until(|| self.child.try_wait().unwrap().is_some());
        self.log.rewind().unwrap();
        self.log.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }

    /// Ends it in order, and checks that it removes its socket.
    pub(crate) fn end(self) {
        let socket = self.socket.clone();
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        let (status, said) = self.ended();
        assert!(status.success(), "{status}: {said}");
        assert!(!socket.exists(), "the socket is removed");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Registers of `everything`.
const SOURCE: u64 = 0x10;
const TARGET: u64 = 0x18;
const COPY: u64 = 0x20;
const COPY_BY_THREAD: u64 = 0x28;

/// Makes `everything` copy by a hook and by a thread, from memory that is mapped to memory that is
/// accessed by messages, and waits for the interrupt of each.
pub(crate) fn copy_both_ways(client: Client) {
    const ADDRESS: u64 = 0x1_0000_0000;
    let function = PciView::new(client).unwrap();
    let vectors = function.enable_msix(1).unwrap();
    let source = function.allocate(0x1000).unwrap();
    source.write(0, b"from here").unwrap();
    let target = Arc::new(Mutex::new(vec![0; 0x1000]));
    let rights = DmaMapFlags::READ | DmaMapFlags::WRITE;
    function.client().dma_map_memory(ADDRESS, 0x1000, target.clone(), rights).unwrap();
    let bar = function.bar(0).unwrap();
    bar.write(SOURCE, source.iova()).unwrap();
    for copy in [COPY, COPY_BY_THREAD] {
        bar.write(TARGET, ADDRESS + copy).unwrap();
        bar.write(copy, 9_u32).unwrap();
        assert_eq!(vectors[0].wait(PATIENCE).unwrap(), Some(1), "{copy:#x}");
        let at = usize::try_from(copy).unwrap();
        assert_eq!(&target.lock().unwrap()[at..at + 9], b"from here", "{copy:#x}");
    }
}
