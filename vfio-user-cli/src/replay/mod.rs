//! `vfu replay`: plays the client's side of a log against a server, and compares the replies.

mod compare;
mod difference;
mod ignore;
mod link;
mod player;
mod report;
mod resources;
mod server;
mod stream;

use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use self::ignore::Ignored;
use self::link::Link;
use self::player::Player;
use self::report::Report;
use self::server::Server;
use crate::description::Description;
use crate::error::Error;
use crate::log::{LogError, Reader, Record, Sender};
use crate::recording;
use crate::seconds::seconds;

/// Play a log of `vfu proxy` against a server; exit with status 1 if its replies differ
///
/// A recording that a device program made with `--record` is played by that program, with
/// `--replay`; it takes none of the options.
///
/// Sends what the client of the log has sent, and compares what the server sends with the log,
/// field by field. Ids of the server and times are not compared. Memory that the client has passed
/// is replaced by empty memory of the same size: a log does not hold its contents. DMA by messages
/// is served from the log.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Log or recording to play
    log: PathBuf,
    /// Socket of the server, which must have no other client
    #[arg(required_unless_present = "program", conflicts_with = "program")]
    socket: Option<PathBuf>,
    /// Program to start; `{}` in its arguments is the path of the socket
    /// (without one, `--socket-path={}` is added)
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
    #[command(flatten)]
    options: Options,
}

/// How a log is played and compared.
#[derive(Debug, Args)]
struct Options {
    /// Print JSON: an object for each difference, and one at the end
    #[arg(long)]
    json: bool,
    /// Report all differences, not only the first message that has one
    #[arg(long)]
    all: bool,
    /// Do not compare these: commands (`mig-data-read`), reads of a place (`bar0+0x10`),
    /// fields (`data`)
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    ignore: Vec<Ignored>,
    /// Print the names of registers, of this output of `--describe=json`
    #[arg(long, value_name = "FILE")]
    describe: Option<PathBuf>,
    /// Send each message no earlier than in the log, for devices with timers
    #[arg(long)]
    timed: bool,
    /// Number of the connection to play (default: 1)
    #[arg(long, value_name = "NUMBER")]
    connection: Option<u32>,
    /// Seconds to wait for the server to send or to receive a message (default: 5)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl Options {
    /// The connection and the time that are not given.
    const CONNECTION: u32 = 1;
    const TIMEOUT: Duration = Duration::from_secs(5);

    /// Returns the name of an option that is given.
    fn given(&self) -> Option<&'static str> {
        let options = [
            ("--json", self.json),
            ("--all", self.all),
            ("--ignore", !self.ignore.is_empty()),
            ("--describe", self.describe.is_some()),
            ("--timed", self.timed),
            ("--connection", self.connection.is_some()),
            ("--timeout", self.timeout.is_some()),
        ];
        options.into_iter().find_map(|(name, is_given)| is_given.then_some(name))
    }
}

impl Arguments {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        if recording::is_recording(&self.log) {
            return self.replay_recording();
        }
        let failed = |source| match source {
            LogError::Magic => Error::NotPlayable(self.log.clone()),
            source => Error::Log { path: self.log.clone(), source },
        };
        let file = File::open(&self.log).map_err(|error| failed(error.into()))?;
        let mut log = Reader::new(BufReader::new(file)).map_err(failed)?;
        let Options { json, all, ref ignore, ref describe, timed, connection, timeout } =
            self.options;
        let registers = describe.as_deref().map(Description::open).transpose()?;
        let server = match &self.socket {
            Some(socket) => Server::at(socket),
            None => Server::start(&self.program)?,
        };
        let timeout = timeout.unwrap_or(Options::TIMEOUT);
        let link = Link::new(server.connect()?, timeout);
        let mut player = Player::new(link, ignore, registers.as_ref());
        let connection = connection.unwrap_or(Options::CONNECTION);
        let mut report = Report::new(&self.log, connection, json);
        let mut clock = Clock { is_waited_for: timed, start: None };
        while let Some(record) = log.next().map_err(failed)? {
            // The rest of a log is read all the same: it may be damaged.
            if !report.sees(&record) || player.is_over() {
                continue;
            }
            clock.wait(&record);
            let found = player.play(&record).map_err(|error| server.failed(error))?;
            report.differences(&found)?;
            if !found.is_empty() && !all {
                return report.end(player.outcome());
            }
        }
        report.differences(&player.finish())?;
        report.end(player.outcome())
    }

    /// Lets the program replay its recording. It compares everything, in its own way.
    fn replay_recording(self) -> Result<ExitCode, Error> {
        if self.socket.is_some() {
            return Err(Error::NoProgram(self.log));
        }
        if let Some(option) = self.options.given() {
            return Err(Error::OptionOfLogs { recording: self.log, option });
        }
        recording::replay(&self.log, &self.program)
    }
}

/// The times of messages.
struct Clock {
    /// Whether a message waits for its time.
    is_waited_for: bool,
    /// The time of the first record, in the log and now.
    start: Option<(Duration, Instant)>,
}

impl Clock {
    /// Waits until a message of the client is due.
    fn wait(&mut self, record: &Record) {
        let (first, start) = *self.start.get_or_insert_with(|| (record.time, Instant::now()));
        if self.is_waited_for && record.route.from == Sender::Client {
            let due = record.time.saturating_sub(first);
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
    }
}
