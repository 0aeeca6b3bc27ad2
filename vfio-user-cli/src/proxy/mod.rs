//! `vfu proxy`: shows what a VMM and a device say to each other.

mod filter;
mod line;
mod pending;
mod pipe;
mod printer;
mod session;
mod show;
mod tap;

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, thread};

use clap::{Args, ValueEnum};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use vfio_user::listening::Listener;

use self::filter::Filter;
use self::line::Colours;
use self::pending::Pending;
use self::printer::Printer;
use self::session::{Ends, Session};
use self::show::Show;
use self::tap::Tap;
use crate::description::Description;
use crate::error::Error;
use crate::log::Writer;

/// Connections at a time; a server has one client, and refuses others.
const MAX_SESSIONS: usize = 16;
/// The milliseconds to wait after a failure to accept a connection.
const PAUSE: u16 = 200;

/// Forward between VMMs and a server, and print every message
///
/// The VMM connects to LISTEN, and the proxy to SERVER. Bytes and descriptors are passed on as they
/// arrive. The proxy ends with SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Socket to create, for the VMM
    #[arg(value_name = "LISTEN")]
    listen: PathBuf,
    /// Socket of the device
    #[arg(value_name = "SERVER")]
    server: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    /// When to print colours
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Print the names of registers, of this output of `--describe=json`
    #[arg(long, value_name = "FILE")]
    describe: Option<PathBuf>,
    /// Write everything to a file, for `vfu replay`
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Print nothing
    #[arg(long, short)]
    quiet: bool,
    /// End with the first client
    #[arg(long)]
    once: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    Always,
    Never,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        // Before any thread starts, so that all of them block the signals.
        let signals = signals()?;
        let tap = Arc::new(Tap::new(self.show()?, self.log()?));
        let listener = Listener::bind(&self.listen).map_err(Error::device(&self.listen))?;
        let proxy = Proxy { server: self.server, once: self.once, tap, listener, signals };
        let ended = proxy.run();
        proxy.tap.finish();
        ended
    }

    fn show(&self) -> Result<Option<Show>, Error> {
        let registers = self.describe.as_deref().map(Description::open).transpose()?;
        let is_coloured = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
        };
        let colours = if is_coloured { Colours::ANSI } else { Colours::default() };
        let (filter, json) = (self.filter.clone(), self.json);
        if self.quiet {
            return Ok(None);
        }
        let (printer, pending) = (Printer::start(json)?, Pending::default());
        Ok(Some(Show { filter, json, colours, registers, pending, printer }))
    }

    fn log(&self) -> Result<Option<Writer<File>>, Error> {
        let create = |path: &PathBuf| {
            // A log holds memory of the guest.
            let mut options = File::options();
            let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
            let created = opened.and_then(Writer::new);
            created.map_err(|source| Error::File { path: path.clone(), source })
        };
        self.log.as_ref().map(create).transpose()
    }
}

fn signals() -> io::Result<SignalFd> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    Ok(SignalFd::new(&signals)?)
}

struct Proxy {
    server: PathBuf,
    once: bool,
    tap: Arc<Tap>,
    listener: Listener,
    signals: SignalFd,
}

impl Proxy {
    /// Accepts clients until a signal arrives.
    fn run(&self) -> Result<(), Error> {
        let ended = Arc::new(EventFd::new().map_err(io::Error::from)?);
        let (mut running, mut connection) = (0, 0);
        let mut pause = None;
        loop {
            let [signal, client, end] = self.wait(&ended, running < MAX_SESSIONS, pause)?;
            pause = None;
            if signal {
                return Ok(());
            }
            if end {
                running -= usize::try_from(ended.read().map_err(io::Error::from)?).unwrap_or(0);
                if self.once {
                    return Ok(());
                }
            }
            if client {
                match self.accept(connection + 1, &ended) {
                    Ok(true) => (running, connection) = (running + 1, connection + 1),
                    Ok(false) => {}
                    Err(error) => {
                        // The other connections go on.
                        eprintln!("vfu: a connection cannot be accepted: {error}");
                        pause = Some(PAUSE.into());
                    }
                }
            }
        }
    }

    /// Waits for a signal, a client, and the end of one; during a pause not for a client.
    fn wait(
        &self,
        ended: &EventFd,
        accepts: bool,
        pause: Option<PollTimeout>,
    ) -> io::Result<[bool; 3]> {
        let accepts = accepts && pause.is_none();
        let clients = if accepts { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut fds = [
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), clients),
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut fds, pause.unwrap_or(PollTimeout::NONE))?;
        Ok(fds.map(|fd| fd.revents().is_some_and(|events| !events.is_empty())))
    }

    /// Starts a connection, if there is one.
    fn accept(&self, connection: u32, ended: &Arc<EventFd>) -> io::Result<bool> {
        let Some(client) = self.listener.accept()? else { return Ok(false) };
        self.start(connection, client, ended)?;
        Ok(true)
    }

    fn start(&self, connection: u32, client: UnixStream, ended: &Arc<EventFd>) -> io::Result<()> {
        let (server, tap, ended) = (self.server.clone(), self.tap.clone(), ended.clone());
        let serve = move || {
            forward(connection, client, &server, &tap);
            // The number of clients does not reach the limit of an eventfd.
            let _ = ended.write(1);
        };
        thread::Builder::new().name(format!("connection {connection}")).spawn(serve).map(drop)
    }
}

fn forward(connection: u32, client: UnixStream, server: &Path, tap: &Tap) {
    match UnixStream::connect(server) {
        Ok(server) => Session::new(connection, Ends { client, server }, tap).run(),
        Err(error) => eprintln!("vfu: {}: {error}", server.display()),
    }
}
