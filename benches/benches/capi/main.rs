//! Register accesses of a device in C, beside those of the same device in Rust.
//!
//! ```console
//! $ nice -n -10 cargo bench -p vfio-user-benches --bench capi
//! $ nice -n -10 cargo bench -p vfio-user-benches --bench capi -- --library ~/libvfio-user/lib
//! ```
//!
//! Each device is a process of its own, on a processor that is not the client's if there is
//! another. Rounds of the two alternate. With `--library` it also measures the same program in C
//! with the `libvfio-user.so.0` of that folder. It prints a table, and writes
//! `target/tmp/capi.json` and `target/tmp/capi.svg`.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{env, iter, thread};

use clap::Parser;
use tempfile::TempDir;
use vfio_user::{Result, Server};
use vfio_user_benches::exchange::{self, Access, Exchange, Wait};
use vfio_user_benches::report::{Report, Row};
use vfio_user_benches::{cpu, small};

/// Measures register accesses of a device in C, beside those of one in Rust
#[derive(Parser)]
struct Arguments {
    /// Measure the program in C with the library of this folder as well
    #[arg(long, value_name = "FOLDER")]
    library: Option<PathBuf>,

    /// Accesses of a round
    #[arg(long, value_name = "N", default_value_t = 2000)]
    accesses: u32,

    /// Rounds of each measurement
    #[arg(long, value_name = "N", default_value_t = 31)]
    rounds: usize,

    /// Processors of the client and of the devices
    #[arg(long, value_name = "CPU", value_delimiter = ',', default_values_t = [0, 1])]
    cpus: Vec<usize>,

    /// Serve the device in Rust
    #[arg(long, value_name = "SOCKET", hide = true)]
    serve: Option<PathBuf>,

    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(socket) = &arguments.serve {
        Server::bind(socket)?.once().serve(small::Derived::default)?;
        return Ok(());
    }
    let programs = Programs::build()?;
    let mut libraries = vec![("this library", programs.path("lib"))];
    libraries.extend(arguments.library.clone().map(|folder| ("other library", folder)));
    let mut report = Report::new("capi", "ns");
    for (library, folder) in &libraries {
        for (name, access) in [("read", Access::Read), ("write", Access::Write)] {
            let pairs = arguments.measure(&programs, folder, access)?;
            report.push(Row::new(format!("{name} 4 bytes in C, {library}"), &pairs));
        }
    }
    Ok(report.publish(Path::new(env!("CARGO_TARGET_TMPDIR")))?)
}

impl Arguments {
    /// Measures the program in C with a library, and beside it the one in Rust.
    fn measure(
        &self,
        programs: &Programs,
        library: &Path,
        access: Access,
    ) -> Result<Vec<[f64; 2]>> {
        let cpu = self.cpus.get(1).copied().unwrap_or(self.cpus[0]);
        // A device inherits the processor.
        cpu::pin(cpu)?;
        let in_c = programs.in_c(library)?;
        let in_rust = programs.in_rust()?;
        cpu::pin(self.cpus[0])?;
        let mut in_c = in_c.exchange(access)?;
        let mut in_rust = in_rust.exchange(access)?;
        let rounds =
            iter::repeat_with(|| Ok([in_c.time(self.accesses)?, in_rust.time(self.accesses)?]));
        // The first round warms up.
        rounds.take(self.rounds + 1).skip(1).collect()
    }
}

/// The installed library, and the program in C.
struct Programs(TempDir);

impl Programs {
    fn build() -> Result<Self> {
        let programs = Programs(tempfile::tempdir()?);
        let capi = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vfio-user-capi");
        run(Command::new(capi.join("install.sh")).arg(programs.0.path()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/capi/registers.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(programs.path("registers"));
        compiler.arg(source).arg("-I").arg(programs.path("include/vfio-user"));
        run(compiler.arg("-L").arg(programs.path("lib")).arg("-lvfio-user"));
        Ok(programs)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn in_c(&self, library: &Path) -> Result<Running> {
        let socket = self.path("c.sock");
        let mut program = Command::new(self.path("registers"));
        Running::start(program.arg(&socket).env("LD_LIBRARY_PATH", library), &socket)
    }

    fn in_rust(&self) -> Result<Running> {
        let socket = self.path("rust.sock");
        let mut program = Command::new(env::current_exe()?);
        Running::start(program.arg("--serve").arg(&socket), &socket)
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// A device in a process of its own, which ends with its client.
struct Running(Child, UnixStream);

impl Running {
    fn start(program: &mut Command, socket: &Path) -> Result<Self> {
        // The library of others does not replace the file of an earlier one.
        let _ = std::fs::remove_file(socket);
        let child = program.spawn()?;
        let start = Instant::now();
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => return Ok(Running(child, stream)),
                Err(error) if start.elapsed() > Duration::from_secs(30) => return Err(error.into()),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn exchange(self, access: Access) -> Result<Exchange> {
        let Running(mut child, stream) = self;
        exchange::negotiate(&stream)?;
        thread::spawn(move || child.wait());
        Ok(Exchange::new(stream, access, Wait::Sleep)?)
    }
}
