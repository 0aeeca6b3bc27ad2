//! The command line of all device programs, which follows the conventions of the vfio-user
//! specification.

mod signals;

use std::io::{self, IsTerminal, Write};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, ValueEnum};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use signals::Served;
use tracing::{Level, debug};

use crate::device::PciDevice;
use crate::error::{Error, Result};
use crate::function::PciFunction;
use crate::model::Descriptor;
use crate::server::Server;
use crate::{describe, sys};

/// Runs a device program: parses the [`Options`] and serves the device that `factory` constructs.
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

// The text comes from a file: clap would print a doc comment here as the description of a program
// that flattens this.
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

    /// Print a description of the device, and exit
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "text", conflicts_with_all = ["socket_path", "fd"])]
    describe: Option<Format>,

    /// Keep the device's state in this file: load it from there, and save it whenever a client
    /// disconnects and at exit
    #[arg(long, value_name = "FILE", conflicts_with = "describe")]
    state: Option<PathBuf>,

    /// Exit when the first client disconnects
    #[arg(long)]
    once: bool,

    /// Let clients send several writes in one message; incompatible with QEMU before 11.0
    #[arg(long)]
    write_multiple: bool,

    /// Accept any file as memory, not only memfd, tmpfs and hugetlbfs; a client can make accesses
    /// to others hang
    #[arg(long)]
    any_memory_file: bool,

    /// Poll for requests for up to this many microseconds before sleeping
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0, hide_default_value = true)]
    spin: u32,

    /// Log more: -v logs client activity, -vv also every refused request, -vvv everything
    #[arg(short, action = ArgAction::Count)]
    verbose: u8,
}

/// The format of a device's description.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Plain text, for people.
    Text,
    /// Markdown, for documents.
    Markdown,
    /// A page of HTML, for people.
    Html,
    /// JSON, for tools.
    Json,
    /// CMSIS-SVD, for tools that know register maps.
    Svd,
    /// A C header, for drivers.
    C,
    /// The configuration space, for `lspci -F`.
    Lspci,
}

impl Format {
    fn describe(self, descriptor: &Descriptor) -> String {
        match self {
            Format::Text => describe::text(descriptor),
            Format::Markdown => describe::markdown(descriptor),
            Format::Html => describe::html(descriptor),
            Format::Json => describe::json(descriptor),
            Format::Svd => describe::svd(descriptor),
            Format::C => describe::c_header(descriptor),
            Format::Lspci => describe::lspci(descriptor),
        }
    }
}

impl Options {
    /// Serves the device that `factory` constructs until SIGTERM or SIGINT, or describes it, as the
    /// options say. Logs go to standard error; so does, on SIGUSR1, what the guest has accessed
    /// without a model ([`Burndown`](crate::function::Burndown)). Call it before other threads
    /// start: they inherit the blocking of these signals.
    ///
    /// # Errors
    ///
    /// The errors of [`Server`]'s constructors, of [`Server::serve`] and of
    /// [`PciFunction::keep_state`].
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
        let burndown = Served::default();
        signals::handle(server.shutdown_handle(), server.socket_path(), burndown.clone())?;
        server.serve_functions(move || {
            let mut function = PciFunction::new(factory())?;
            if let Some(path) = &self.state {
                function.keep_state(path)?;
            }
            burndown.set(function.burndown_handle());
            Ok(Box::new(function))
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
        // A program that has installed its own subscriber keeps it.
        let _ = subscriber.try_init();
    }
}

/// Raises the soft limit of open descriptors to the hard limit. Clients send many, and the usual
/// limit of 1024 is for programs that call `select(2)`.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        debug!(%error, "cannot raise the limit of open descriptors");
    }
}

fn print_description<D: PciDevice>(format: Format, mut factory: impl FnMut() -> D) -> Result<()> {
    let mut descriptor = D::DESCRIPTOR;
    factory().configure(&mut descriptor)?;
    descriptor.validate()?;
    io::stdout().write_all(format.describe(&descriptor).as_bytes())?;
    Ok(())
}
