//! The installed library, and programs that are built against it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use vfio_user::client::{Client, PciView};

use crate::PATIENCE;

/// A directory with the headers, the library, and programs.
pub(crate) struct Installation(TempDir);

impl Installation {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Cargo builds it beside the test.
        let test = std::env::current_exe().unwrap();
        let library = test.with_file_name("libvfio_user_capi.so");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
        let mut install = Command::new(script);
        succeed(install.arg(directory.path()).arg(library));
        Installation(directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Builds a program, as the pkg-config file says.
    pub(crate) fn build(&self, compiler: &str, source: &str) -> PathBuf {
        let config = std::fs::read_to_string(self.path("lib/pkgconfig/libvfio-user.pc")).unwrap();
        let prefix = self.0.path().to_str().unwrap();
        assert!(config.contains(&format!("prefix={prefix}\n")), "{config}");
        let program = self.path("program");
        let mut command = Command::new(compiler);
        command
            .args(["-Wall", "-Wextra", "-Werror", "-g", "-o"])
            .arg(&program)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(source))
            .arg(format!("-I{prefix}/include/vfio-user"))
            .args([&format!("-L{prefix}/lib"), "-lvfio-user", &format!("-Wl,-rpath,{prefix}/lib")]);
        succeed(&mut command);
        program
    }

    /// Builds the example and starts it.
    pub(crate) fn counter(&self) -> Program {
        self.start("examples/counter.c")
    }

    pub(crate) fn start(&self, source: &str) -> Program {
        self.run(&mut Command::new(self.build("cc", source)))
    }

    /// Runs a program, whose last argument is the path of its socket.
    pub(crate) fn run(&self, command: &mut Command) -> Program {
        let socket = self.path("device.sock");
        Program { child: command.arg(&socket).spawn().unwrap(), socket }
    }
}

pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A program that serves a device.
pub(crate) struct Program {
    child: Child,
    socket: PathBuf,
}

impl Program {
    pub(crate) fn attach(&self) -> PciView {
        PciView::new(self.client()).unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let start = Instant::now();
        loop {
            match Client::attach(&self.socket) {
                Ok(client) => return client,
                Err(error) if start.elapsed() > PATIENCE => panic!("{error}"),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Ends it by a signal.
    pub(crate) fn terminate(self) {
        let process = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(process, Signal::SIGTERM).unwrap();
        self.end();
    }

    /// Waits for its end, after its client has left.
    pub(crate) fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}
