//! The command line that all device programs share, after the conventions that the vfio-user
//! specification has for them.

mod signals;

use std::io::{self, IsTerminal, Write};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, ValueEnum};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{Level, debug};

use crate::device::PciDevice;
use crate::error::{Error, Result};
use crate::function::Hosted;
use crate::model::Descriptor;
use crate::server::Server;
use crate::{describe, sys};

/// The whole of a device program: parses the [`Options`] and serves the device that `factory`
/// makes.
///
/// ```no_run
/// # use vfio_user::{Device, PciDevice};
/// # #[derive(Default, PciDevice)]
/// # #[pci(vendor = 0x1234, device = 0xcafe)]
/// # struct Trivial {}
/// # impl Device for Trivial { type Event = (); }
/// fn main() -> vfio_user::Result<()> {
///     vfio_user::main(Trivial::default)
/// }
/// ```
///
/// # Errors
///
/// Those of [`Options::run`].
pub fn main<D: PciDevice>(factory: impl FnMut() -> D) -> Result<()> {
    let ids = D::DESCRIPTOR.ids();
    let about = format!(
        "Serves `{}`, PCI device {:04x}:{:04x}, over vfio-user",
        D::DESCRIPTOR.name(),
        ids.vendor,
        ids.device
    );
    let matches = Program::command().about(about).get_matches();
    let program = Program::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    program.options.run(factory)
}

/// Serves a PCI device over vfio-user.
#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    options: Options,
}

// From a file: clap would print a comment here as the description of a program that flattens this.
#[doc = include_str!("options.md")]
#[derive(Debug, Args)]
#[group(skip)]
pub struct Options {
    /// Listen on a UNIX socket at this path
    #[arg(long, value_name = "PATH", required_unless_present_any = ["fd", "describe"])]
    socket_path: Option<PathBuf>,

    /// Serve an inherited UNIX socket, listening or connected
    #[arg(long, value_name = "FDNUM", conflicts_with = "socket_path")]
    fd: Option<RawFd>,

    /// Print what the device is, and exit
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "text", conflicts_with_all = ["socket_path", "fd"])]
    describe: Option<Format>,

    /// Keep the device's state in this file: restore it from there, and save it when a client has left
    /// and at the end
    #[arg(long, value_name = "FILE", conflicts_with = "describe")]
    state: Option<PathBuf>,

    /// Exit when the first client has left
    #[arg(long)]
    once: bool,

    /// Let clients send several writes in one message; not for QEMU before 11.0
    #[arg(long)]
    write_multiple: bool,

    /// Accept any file as memory, not only memfd, tmpfs and hugetlbfs; a client can make these hang
    #[arg(long)]
    any_memory_file: bool,

    /// Look for requests for up to so many microseconds before going to sleep
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0, hide_default_value = true)]
    spin: u32,

    /// Log more: -v what happens to clients, -vv every refused request, -vvv everything
    #[arg(short, action = ArgAction::Count)]
    verbose: u8,
}

/// How to describe a device.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For documents.
    Markdown,
    /// For tools.
    Json,
    /// The configuration space, for `lspci -F`.
    Lspci,
}

impl Format {
    fn describe(self, descriptor: &Descriptor) -> String {
        match self {
            Format::Text => describe::text(descriptor),
            Format::Markdown => describe::markdown(descriptor),
            Format::Json => describe::json(descriptor),
            Format::Lspci => describe::lspci(descriptor),
        }
    }
}

impl Options {
    /// Serves the device that `factory` makes, as the options say, until SIGTERM or SIGINT; or
    /// describes it. Logs go to standard error. Call it before other threads are started: they
    /// have to leave the two signals alone.
    ///
    /// # Errors
    ///
    /// Those of [`Server`], as its constructors and [`Server::serve`] return them, and of
    /// [`Hosted::keep_state`].
    pub fn run<D: PciDevice>(self, mut factory: impl FnMut() -> D) -> Result<()> {
        self.log();
        if let Some(format) = self.describe {
            return print_description(format, factory);
        }
        raise_descriptor_limit();
        let server = match (&self.socket_path, self.fd) {
            (Some(path), _) => Server::bind(path)?,
            (None, Some(fd)) => Server::from_fd(
                sys::take_inherited(fd).map_err(|source| Error::Descriptor { fd, source })?,
            )?,
            (None, None) => unreachable!("the parser asks for one of them"),
        };
        let server = if self.once { server.once() } else { server };
        let server = if self.write_multiple { server.write_multiple() } else { server };
        let server = if self.any_memory_file { server.any_memory_file() } else { server };
        let server = server.spin(Duration::from_micros(self.spin.into()));
        signals::shut_down_on_termination(server.shutdown_handle(), server.socket_path())?;
        server.serve_functions(move || {
            let mut hosted = Hosted::new(factory())?;
            if let Some(path) = &self.state {
                hosted.keep_state(path)?;
            }
            Ok(Box::new(hosted))
        })
    }

    fn log(&self) {
        let level = match self.verbose {
            0 => Level::WARN,
            1 => Level::INFO,
            2 => Level::DEBUG,
            _ => Level::TRACE,
        };
        let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_ansi(colours)
            .with_max_level(level);
        // A program that has installed its own keeps it.
        let _ = subscriber.try_init();
    }
}

/// Lets the process open as many descriptors as it may: clients send many, and the usual limit of 1024
/// is for programs that call `select(2)`.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        debug!(%error, "the limit of open descriptors stays as it is");
    }
}

fn print_description<D: PciDevice>(format: Format, mut factory: impl FnMut() -> D) -> Result<()> {
    let mut descriptor = D::DESCRIPTOR;
    factory().configure(&mut descriptor)?;
    descriptor.validate()?;
    io::stdout().write_all(format.describe(&descriptor).as_bytes())?;
    Ok(())
}
