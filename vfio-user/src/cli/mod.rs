//! The command line of all device programs, which follows the conventions of the vfio-user
//! specification.

mod access;
mod construction;
mod devices;
mod error;
mod monitors;
mod recordings;
mod sandbox;
mod signals;
mod sockets;
mod systemd;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use access::Access;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, ValueEnum};
use construction::Construction;
pub use devices::Devices;
pub use error::OptionsError;
use monitors::Monitors;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use recordings::Recordings;
use sandbox::Sandbox;
use sockets::{InheritedFd, Place};
use tracing::{Level, debug};

use crate::describe;
use crate::device::PciDevice;
use crate::error::Result;
use crate::model::Descriptor;
use crate::server::{Server, ServerEnd, Socket, TakeOver};

/// Runs a device program: parses the [`Options`] and serves the devices that `factory` constructs,
/// one for each socket.
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
    Devices::new().with(factory).main()
}

/// Parses the command line of a program that has no options of its own.
fn parse(devices: &Devices<'_>) -> Options {
    let matches = Program::command().about(devices.about()).get_matches();
    let program = Program::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    program.options
}

/// Serves PCI devices over vfio-user.
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
    /// Listen on a UNIX socket at this path. Each further path has a device of its own. In a
    /// program with several types of device, DEVICE=PATH names the type
    #[arg(long, value_name = "PATH")]
    #[arg(required_unless_present_any = ["fd", "activated", "describe", "replay"])]
    socket_path: Vec<PathBuf>,

    /// Serve an inherited UNIX socket, listening or connected; may be given as often as a path, and
    /// as DEVICE=FDNUM
    #[arg(long, value_name = "FDNUM", conflicts_with = "socket_path")]
    fd: Vec<InheritedFd>,

    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    sandbox: Sandbox,

    /// Print a description of the device, and exit
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "text", conflicts_with_all = ["socket_path", "fd"])]
    describe: Option<Format>,

    /// Describe this one of several types of device
    #[arg(long, value_name = "DEVICE", requires = "describe", hide = true)]
    device: Option<String>,

    /// Keep the device's state in this file: load it from there, and save it whenever a client
    /// disconnects and at exit. Of several devices each has a file, in the order of the sockets
    #[arg(long, value_name = "FILE", conflicts_with = "describe")]
    state: Vec<PathBuf>,

    #[command(flatten)]
    monitors: Monitors,

    #[command(flatten)]
    recordings: Recordings,

    /// Exit when the first client disconnects; of several devices, the first client of each
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
    /// Serves a device that `factory` constructs at each socket until SIGTERM or SIGINT, or
    /// describes it, as the options say. The devices share this thread; none waits for another
    /// one's client. Logs go to standard error, with the name and the socket of the device; so
    /// does, on SIGUSR1, what guests have accessed without a model
    /// ([`Burndown`](crate::function::Burndown)). Call it before other threads start: they inherit
    /// the blocking of these signals. It returns as well when another program has taken the devices
    /// over; a device learns that from [`Device::saved`](crate::Device::saved).
    ///
    /// # Errors
    ///
    /// An [`OptionsError`]; the errors of [`Server`]'s constructors, of [`Server::serve`] and of
    /// [`PciFunction::keep_state`](crate::function::PciFunction::keep_state). A device that fails
    /// while others are served ends alone, and is returned at the end.
    pub fn run<D: PciDevice>(self, factory: impl FnMut() -> D) -> Result<()> {
        self.run_devices(Devices::new().with(factory))
    }

    /// As [`run`](Self::run), for devices that differ: `factory` receives the number of the device,
    /// from 0 in the order of the sockets.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_each<D: PciDevice>(self, factory: impl FnMut(usize) -> D) -> Result<()> {
        self.run_devices(Devices::new().with_each(factory))
    }

    /// As [`run`](Self::run), for several types of device.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_devices(self, mut devices: Devices<'_>) -> Result<()> {
        self.log();
        if let Some(format) = self.describe {
            let of = devices.find(self.device.as_deref())?;
            let descriptor = devices.get(of).configured()?;
            io::stdout().write_all(format.describe(&descriptor).as_bytes())?;
            return Ok(());
        }
        raise_descriptor_limit();
        if let Some(code) = self.recordings.replay(&mut devices) {
            std::process::exit(code);
        }
        self.serve(devices)?;
        Ok(())
    }

    fn serve(&self, devices: Devices<'_>) -> Result<ServerEnd> {
        let take_over = self.access.take_over()?;
        let is_successor = take_over.as_ref().is_some_and(TakeOver::has_predecessor);
        let (places, sockets): (Vec<_>, Vec<_>) =
            self.open(&devices, take_over.as_ref())?.into_iter().unzip();
        let mut files: Vec<_> = places.iter().flat_map(|place| place.files.clone()).collect();
        files.extend(take_over.as_ref().map(|other| other.file().clone()));
        let confinement = self.sandbox.prepare(&places, &files)?;
        let server = self.server(take_over)?;
        let mut construction = Construction::new(devices, places, is_successor);
        let burndowns = construction.burndowns().clone();
        signals::handle(server.shutdown_handle(), files, burndowns, confinement.of_thread()?)?;
        // First the devices, which may open files, and the connection to the service manager. A
        // program that takes over is confined before, so that a failure leaves the other one as it
        // is.
        let mut created = construction.create_all()?.into_iter();
        let readiness = systemd::Readiness::connect();
        confinement.enter()?;
        let next = |index| created.next().map_or_else(|| construction.create(index), Ok);
        server.serve_each(sockets, next, || readiness.report(is_successor))
    }

    /// Opens the sockets of all devices, with their monitors.
    fn open(
        &self,
        devices: &Devices<'_>,
        take_over: Option<&TakeOver>,
    ) -> Result<Vec<(Place, Socket)>> {
        let is_activated = self.access.is_activated();
        let passed = is_activated.then(|| systemd::passed_sockets(devices)).transpose()?;
        let fds = passed.as_deref().unwrap_or(&self.fd);
        let mut opened =
            sockets::open(&self.socket_path, fds, &self.state, &self.access, take_over, devices)?;
        self.recordings.assign(&mut opened)?;
        let opened = self.monitors.watch(opened, take_over)?;
        Ok(opened.into_iter().map(|(place, socket)| (place, self.set_up(socket))).collect())
    }

    fn server(&self, take_over: Option<TakeOver>) -> Result<Server> {
        let server = Server::new()?.spin(Duration::from_micros(self.spin.into()));
        Ok(match take_over {
            Some(take_over) => server.take_over(take_over),
            None => server,
        })
    }

    /// Sets the options of a socket.
    fn set_up(&self, socket: Socket) -> Socket {
        let socket = if self.once { socket.once() } else { socket };
        let socket = if self.write_multiple { socket.write_multiple() } else { socket };
        if self.any_memory_file { socket.any_memory_file() } else { socket }
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
