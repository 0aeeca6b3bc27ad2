//! A guest: from the command line of `boot.sh` to its last line.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::Flock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::lines::{Lines, NoLine};
use super::{Program, Vm, file, scratch};

/// How long a guest may run.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How much longer `boot.sh` may take to end it and say so.
const GRACE: Duration = Duration::from_secs(15);

/// The configuration of a guest.
#[derive(Debug)]
pub struct Setup {
    vm: Vm,
    script: String,
    arguments: Vec<String>,
}

impl Setup {
    pub(super) fn new(vm: Vm, script: &str) -> Self {
        Setup { vm, script: script.to_owned(), arguments: Vec::new() }
    }

    /// Adds a device.
    #[must_use]
    pub fn device(self, device: &Program) -> Self {
        self.socket(&device.socket())
    }

    /// Adds the device of a server that listens at a path.
    #[must_use]
    pub fn socket(self, path: &Path) -> Self {
        self.option("--device").option(&path.display().to_string())
    }

    /// Adds an option of `boot.sh`, or a value of one.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.arguments.push(option.to_owned());
        self
    }

    /// Boots the guest, waits until it ends, and returns the output of its script.
    ///
    /// # Panics
    ///
    /// If it does not end in time, or its script fails.
    #[track_caller]
    pub fn run(self) -> String {
        self.boot().finish()
    }

    /// Boots the guest once fewer than two others run.
    ///
    /// # Panics
    ///
    /// If `boot.sh` does not run.
    pub fn boot(self) -> Guest {
        let place = self.vm.place();
        self.start(Some(place))
    }

    /// Boots the guest at once, in a test that has another one: a test that waited for a slot while
    /// its other guest has one could wait for itself.
    ///
    /// # Panics
    ///
    /// If `boot.sh` does not run.
    pub fn boot_beside(self, _other: &Guest) -> Guest {
        self.start(None)
    }

    fn start(self, place: Option<Flock<File>>) -> Guest {
        let folder = scratch("guest");
        let script = folder.join("script.sh");
        fs::write(&script, &self.script).expect("a script can be written");
        let mut child = Command::new(file("boot.sh"))
            .env("VM_DIR", &self.vm.folder)
            .arg("--script")
            .arg(&script)
            .args(["--timeout", &TIMEOUT.as_secs().to_string()])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("boot.sh runs");
        let output = Lines::of(child.stdout.take().expect("it is piped"));
        let errors = Lines::of(child.stderr.take().expect("it is piped"));
        let deadline = Instant::now() + TIMEOUT + GRACE;
        Guest { child, output, errors, deadline, folder, _place: place }
    }
}

/// A running guest. Dropping this ends it.
#[derive(Debug)]
pub struct Guest {
    child: Child,
    output: Lines,
    errors: Lines,
    deadline: Instant,
    folder: PathBuf,
    _place: Option<Flock<File>>,
}

impl Guest {
    /// Waits for a line of the script's output that contains `text`.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn hear(&mut self, text: &str) -> String {
        match self.output.find(text, self.deadline) {
            Ok(line) => line,
            Err(why) => self.fail(&format!("it has not said {text:?} ({why:?})")),
        }
    }

    /// Waits until the guest ends, and returns the output of its script.
    ///
    /// # Panics
    ///
    /// If it does not end in time, or its script fails.
    #[track_caller]
    pub fn finish(mut self) -> String {
        if !self.output.finish(self.deadline) {
            self.fail("it does not end");
        }
        let status = self.child.wait().expect("a child can be waited for");
        if !status.success() {
            self.fail(&format!("its script: {status}"));
        }
        self.output.seen().to_owned()
    }

    /// Panics with all available output.
    #[track_caller]
    fn fail(&mut self, problem: &str) -> ! {
        self.terminate();
        let deadline = Instant::now() + GRACE;
        for lines in [&mut self.output, &mut self.errors] {
            while lines.next(deadline) != Err(NoLine::End) && Instant::now() < deadline {}
        }
        let (output, errors) = (self.output.seen(), self.errors.seen());
        panic!("the guest: {problem}\n--- its script wrote:\n{output}--- boot.sh:\n{errors}");
    }

    /// Makes `boot.sh` end the guest.
    fn terminate(&self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // An error means that it has ended already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.terminate();
            // `boot.sh` ends at once after the signal.
            let _ = self.child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
