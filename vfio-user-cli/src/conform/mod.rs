//! `vfu conform`: sends a server good, wrong and hostile messages, and reports which answers are
//! not what the protocol requires.

mod check;
mod checks;
mod connection;
mod message;
mod report;
mod server;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::error::Error;
use crate::seconds::seconds;
use check::Check;
use report::Report;
use server::Server;

/// Check that a server answers as the protocol requires; exit with status 1 if it does not
///
/// Each check has a connection of its own and sends messages that are right, wrong or hostile. The
/// device is reset, its interrupts are triggered, memory is mapped, and a device that migrates goes
/// through its migration states: check no device that is in use.
///
/// With a program, each check starts it anew and finds out whether it crashes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Socket of the server, which must have no other client
    #[arg(required_unless_present_any = ["program", "list"], conflicts_with = "program")]
    socket: Option<PathBuf>,
    /// Program to start for each check; `{}` in its arguments is the path of the socket
    /// (without one, `--socket-path={}` is added)
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
    /// Make only the check of this name; may be given several times
    #[arg(long, value_name = "NAME", value_parser = name)]
    only: Vec<&'static str>,
    /// Print the checks and make none
    #[arg(long, conflicts_with_all = ["socket", "program"])]
    list: bool,
    /// Seconds in which an answer has to arrive
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    timeout: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn name(text: &str) -> Result<&'static str, String> {
    let found = checks::all().find(|check| check.name == text);
    let unknown = || format!("`{text}` is no check; `vfu conform --list` prints them");
    found.map(|check| check.name).ok_or_else(unknown)
}

impl Arguments {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let chosen: Vec<&Check> = checks::all()
            .filter(|check| self.only.is_empty() || self.only.contains(&check.name))
            .collect();
        if self.list {
            self.print(&report::List(&chosen))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut server = match self.socket {
            Some(ref socket) => Server::at(socket.clone(), self.timeout),
            None => Server::program(&self.program, self.timeout)?,
        };
        server.start()?;
        server.learn()?;
        let report = Report::make(&chosen, &mut server);
        self.print(&report)?;
        Ok(if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

impl Arguments {
    /// Prints a value as JSON or, as it prints itself, as text.
    fn print(&self, value: &(impl Serialize + ToString)) -> Result<(), Error> {
        crate::print::print(self.json, value)
    }
}
