//! Programs that take over from each other.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vfio_user_tests::PATIENCE;

/// A device program, and those that take over from it.
pub(crate) struct Generations {
    program: &'static str,
    arguments: Vec<String>,
    folder: TempDir,
    running: Child,
}

impl Generations {
    /// Starts the first program, which listens when this returns.
    pub(crate) fn start(program: &'static str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut all: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        all.push(format!("--socket-path={}", folder.path().join("device.sock").display()));
        all.push(format!("--take-over={}", folder.path().join("upgrade.sock").display()));
        let running = spawn(program, &all);
        let generations = Generations { program, arguments: all, folder, running };
        for path in [generations.socket(), generations.upgrade_socket()] {
            wait_for(|| {
                thread::sleep(Duration::from_millis(1));
                path.exists().then_some(())
            });
        }
        generations
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("device.sock")
    }

    /// Returns the path of the socket at which successors ask.
    pub(crate) fn upgrade_socket(&self) -> PathBuf {
        self.folder.path().join("upgrade.sock")
    }

    /// Starts another program with the same options.
    pub(crate) fn spawn(&self) -> Child {
        spawn(self.program, &self.arguments)
    }

    /// Starts another program, and waits until it has taken over.
    pub(crate) fn upgrade(&mut self) {
        self.upgrade_while(|| thread::sleep(Duration::from_micros(200)));
    }

    /// As [`upgrade`](Self::upgrade), and works meanwhile.
    pub(crate) fn upgrade_while(&mut self, mut work: impl FnMut()) {
        let mut successor = self.spawn();
        let mut refused = 0;
        let status = wait_for(|| {
            work();
            // A loaded machine may be too slow for the program that runs, which then goes on.
            if refused < 3 && successor.try_wait().unwrap().is_some() {
                refused += 1;
                successor = self.spawn();
            }
            self.running.try_wait().unwrap()
        });
        self.running = successor;
        assert!(status.success(), "{status}");
    }

    /// Waits until the program has ended as one does that was succeeded.
    pub(crate) fn expect_end(&mut self) {
        let status = wait_for(|| self.running.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for Generations {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

fn spawn(program: &str, arguments: &[String]) -> Child {
    Command::new(program).args(arguments).stdin(Stdio::null()).spawn().unwrap()
}

/// Waits until there is a result.
fn wait_for<T>(mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        if let Some(result) = check() {
            return result;
        }
        assert!(Instant::now() < deadline, "not in time");
        thread::yield_now();
    }
}
