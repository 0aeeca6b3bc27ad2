//! Device programs, each in a process.

use std::env;
use std::fs::remove_dir_all;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::lines::Lines;
use super::scratch;

/// The time limit of every step of a device program.
const PATIENCE: Duration = Duration::from_secs(20);

/// A device program that listens on a socket. Dropping this kills it.
#[derive(Debug)]
pub struct Program {
    name: String,
    command: Command,
    child: Child,
    output: Lines,
    folder: PathBuf,
}

impl Program {
    /// Starts a program of the examples package.
    ///
    /// # Panics
    ///
    /// If it cannot be built or started.
    pub fn example(name: &str, arguments: &[&str]) -> Self {
        Self::start(&Self::example_path(name), arguments)
    }

    /// Starts a program of the examples package in a network of its own, where the commands of
    /// `setup` run before. Returns `None` if the machine has no such networks.
    ///
    /// # Panics
    ///
    /// If it cannot be built or started.
    pub fn example_in_network(name: &str, setup: &str, arguments: &[&str]) -> Option<Self> {
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--net", "sh", "-ec"]);
            command
        };
        let can_set_up = unshare().arg(setup).status().is_ok_and(|status| status.success());
        if !can_set_up {
            assert!(env::var_os("CI").is_none(), "no network of its own: {setup}");
            eprintln!("\n*** SKIPPED: no network of its own: {setup} ***\n");
            return None;
        }
        let mut command = unshare();
        command.arg(format!("{setup}\nexec \"$0\" \"$@\"")).arg(Self::example_path(name));
        Some(Self::launch(command, name, "--socket-path=", arguments))
    }

    /// Runs a command in the network of a program of
    /// [`example_in_network`](Self::example_in_network). Returns its standard output.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn run_in_network(&self, script: &str) -> Vec<u8> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.child.id()));
        command.args(["--user", "--net", "--preserve-credentials", "bash", "-ec", script]);
        let ran = command.output().expect("nsenter");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    }

    /// Returns the path of a program of the examples package.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    pub fn example_path(name: &str) -> PathBuf {
        examples().join(name)
    }

    /// Returns the path of `vfu`.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    pub fn vfu_path() -> PathBuf {
        build(&["--package=vfio-user-cli", "--bin=vfu"]).join("vfu")
    }

    /// Starts the device program at a path that cargo passes to integration tests.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(path: &Path, arguments: &[&str]) -> Self {
        Self::launch(Command::new(path), &name_of(path), "--socket-path=", arguments)
    }

    /// As [`start`](Self::start), for a program whose only argument is the path of its socket.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_at(path: &Path) -> Self {
        Self::launch(Command::new(path), &name_of(path), "", &[])
    }

    fn launch(mut command: Command, name: &str, option: &str, arguments: &[&str]) -> Self {
        let (name, folder) = (name.to_owned(), scratch(name));
        command
            .arg(format!("{option}{}", folder.join("device.sock").display()))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let (child, output) = spawn(&mut command);
        Program { name, command, child, output, folder }
    }

    /// Returns the path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("device.sock")
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    ///
    /// If it does not read.
    pub fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it is piped");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Waits for a line of its standard output that contains `text`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn hear(&mut self, text: &str) -> String {
        let heard = self.output.find(text, Instant::now() + PATIENCE);
        heard.unwrap_or_else(|why| {
            panic!("{} has not said {text:?} ({why:?}), but: {}", self.name, self.output.seen())
        })
    }

    /// Kills the program like a crash: nothing is cleaned up.
    ///
    /// # Panics
    ///
    /// If it has ended before.
    pub fn crash(&mut self) {
        let ended = self.child.try_wait().expect("a child can be waited for");
        assert_eq!(ended, None, "{} has ended before", self.name);
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Starts the program again, on the socket that it left behind.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn restart(&mut self) {
        (self.child, self.output) = spawn(&mut self.command);
    }

    /// Shuts the program down.
    ///
    /// # Panics
    ///
    /// If it does not, or does not remove its socket.
    pub fn end(mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("process ids are small"));
        kill(pid, Signal::SIGTERM).expect("it can be asked");
        let finished = self.output.finish(Instant::now() + PATIENCE);
        assert!(finished, "{} does not end", self.name);
        let status = self.child.wait().expect("a child can be waited for");
        assert!(status.success(), "{} ended with {status}", self.name);
        assert!(!self.socket().exists(), "{} has left its socket", self.name);
    }
}

/// Returns the name of a program.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn spawn(command: &mut Command) -> (Child, Lines) {
    let spawned = command.spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let output = child.stdout.take().expect("it is piped");
    (child, Lines::of(output))
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that the process has ended already, or that the folder is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = remove_dir_all(&self.folder);
    }
}

/// Returns the folder of the example programs. Cargo builds the programs of the package under test
/// only, so this builds them, once.
fn examples() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| build(&["--package=vfio-user-examples", "--bins"]))
}

/// Builds programs of the workspace, and returns the folder that they are in.
fn build(what: &[&str]) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet"]).args(what);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = build.status().expect("cargo runs");
    assert!(status.success(), "{what:?} cannot be built");
    let test = env::current_exe().expect("a test has a path");
    // A test is in `deps`, next to the programs.
    let programs = test.parent().and_then(Path::parent).expect("a test is in a folder");
    programs.to_owned()
}
