//! The server's process, and what it uses.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::check::PATIENCE;
use super::tenant::Tenant;

/// How much more memory the server may use at the end, in KiB: buffers and the heap's own keep
/// their largest size.
const GROWTH: u64 = 16 << 10;

pub(crate) struct Server {
    child: Child,
    dir: TempDir,
}

/// What a process uses.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    descriptors: usize,
    mapped_files: usize,
    threads: usize,
    /// In KiB.
    memory: u64,
}

impl Server {
    /// Starts this program as a server of some devices, confined.
    pub(crate) fn start(devices: usize) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let own = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(own);
        command.args(["serve", "--sandbox"]);
        command.args(
            (0..devices).map(|index| format!("--socket-path={}", socket(&dir, index).display())),
        );
        // It reports panics, which are wanted.
        let child = command.stderr(Stdio::null()).spawn().map_err(|error| error.to_string())?;
        let server = Server { child, dir };
        let is_ready = || (0..devices).all(|index| server.socket(index).exists());
        wait_until(is_ready).then_some(()).ok_or("the server does not start")?;
        Ok(server)
    }

    pub(crate) fn socket(&self, index: usize) -> PathBuf {
        socket(&self.dir, index)
    }

    /// Returns what the server uses once no client is attached, and `is_right` is.
    pub(crate) fn used_at_rest(
        &self,
        tenants: &mut [Tenant],
        is_right: impl Fn(&Used) -> bool,
    ) -> Result<Used, String> {
        tenants.iter_mut().try_for_each(Tenant::verify)?;
        let mut last = self.used()?;
        let start = Instant::now();
        let mut same = 0;
        while (same < 5 || !is_right(&last)) && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(100));
            let now = self.used()?;
            same = if now.equals(&last) { same + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    }

    fn used(&self) -> Result<Used, String> {
        let process = Path::new("/proc").join(self.child.id().to_string());
        let text = |name: &str| fs::read_to_string(process.join(name));
        let count = |name: &str| Ok::<_, std::io::Error>(fs::read_dir(process.join(name))?.count());
        let used = || {
            let memory = text("status")?;
            let memory = memory.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let memory = memory.and_then(|line| line.split_whitespace().next()?.parse().ok());
            Ok::<_, std::io::Error>(Used {
                descriptors: count("fd")?,
                mapped_files: text("maps")?.lines().filter(|line| line.contains("/memfd:")).count(),
                threads: count("task")?,
                memory: memory.unwrap_or_default(),
            })
        };
        used().map_err(|error| format!("the server is gone: {error}"))
    }

    /// Ends it in order.
    pub(crate) fn end(mut self) -> Result<(), String> {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGTERM).map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Used {
    /// Returns whether all that is counted is the same.
    pub(crate) fn equals(&self, other: &Used) -> bool {
        let counts = |used: &Used| (used.descriptors, used.mapped_files, used.threads);
        counts(self) == counts(other)
    }

    /// # Errors
    ///
    /// If it uses more, or less, than before.
    pub(crate) fn compare(&self, before: &Used) -> Result<(), String> {
        if self.equals(before) && self.memory <= before.memory + GROWTH {
            return Ok(());
        }
        Err(format!("the server does not use what it did\nbefore {before}\nafter  {self}"))
    }
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Used { descriptors, mapped_files, threads, memory } = self;
        write!(
            f,
            "{descriptors} descriptors, {mapped_files} mapped files, {threads} threads, {memory} KiB"
        )
    }
}

fn socket(dir: &TempDir, index: usize) -> PathBuf {
    dir.path().join(format!("{index}.sock"))
}

fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() >= PATIENCE {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}
