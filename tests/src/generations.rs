//! Programs that take over from each other.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::PATIENCE;

/// A device program, and those that take over from it. Dropping this kills the one that runs.
#[derive(Debug)]
pub struct Generations {
    program: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
    running: Child,
}

impl Generations {
    /// Starts the first program, which listens when this returns.
    ///
    /// # Panics
    ///
    /// If it does not listen in time.
    pub fn start(program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        Self::start_under(Command::new(program.as_ref()), program, arguments)
    }

    /// As [`start`](Self::start), with a command for the first program, which gets its options.
    ///
    /// # Panics
    ///
    /// If it does not listen in time.
    pub fn start_under(mut first: Command, program: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let program = program.as_ref().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let mut all: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        all.push(format!("--socket-path={}", folder.path().join("device.sock").display()));
        all.push(format!("--take-over={}", folder.path().join("upgrade.sock").display()));
        let running = spawn(&mut first, &all);
        let generations = Generations { program, arguments: all, folder, running };
        for path in [generations.socket(), generations.upgrade_socket()] {
            wait_for(|| path.exists().then_some(()));
        }
        generations
    }

    /// Returns the path of the device's socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("device.sock")
    }

    /// Returns the path of the socket at which successors ask.
    pub fn upgrade_socket(&self) -> PathBuf {
        self.folder.path().join("upgrade.sock")
    }

    /// Returns the program that runs, as far as this knows.
    pub fn running(&mut self) -> &mut Child {
        &mut self.running
    }

    /// Starts another program with the same options.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn spawn(&self) -> Child {
        self.command().stdin(Stdio::null()).spawn().unwrap()
    }

    /// Returns the command of another program with the same options.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    /// Adds an option for the programs that follow, or removes it if it is there.
    pub fn toggle(&mut self, option: &str) {
        let before = self.arguments.len();
        self.arguments.retain(|argument| argument != option);
        if self.arguments.len() == before {
            self.arguments.push(option.to_owned());
        }
    }

    /// Starts another program, and waits until it has taken over.
    ///
    /// # Panics
    ///
    /// If it has not in time, or the one before fails.
    pub fn upgrade(&mut self) {
        self.upgrade_while(|| {});
    }

    /// As [`upgrade`](Self::upgrade), and works meanwhile.
    ///
    /// # Panics
    ///
    /// As [`upgrade`](Self::upgrade).
    pub fn upgrade_while(&mut self, mut work: impl FnMut()) {
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
    ///
    /// # Panics
    ///
    /// If it does not end in time, or fails.
    pub fn expect_end(&mut self) {
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

fn spawn(command: &mut Command, arguments: &[String]) -> Child {
    command.args(arguments).stdin(Stdio::null()).spawn().unwrap()
}

/// Waits until there is a result.
///
/// # Panics
///
/// If there is none in time.
pub fn wait_for<T>(mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        if let Some(result) = check() {
            return result;
        }
        assert!(Instant::now() < deadline, "not in time");
        thread::sleep(Duration::from_micros(200));
    }
}
