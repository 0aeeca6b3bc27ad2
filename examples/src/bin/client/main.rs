//! The client of the classic pair: sends every command of the protocol to its server, then moves
//! the server to another process while a guest writes and an interrupt is pending.
//!
//! Server and destination may be the `server` beside it or libvfio-user's sample, in any
//! combination.

mod end;
mod guest;
mod memory;
mod migration;
mod tour;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, value_parser};

use end::End;
use migration::Migration;

/// Drives the server of the classic pair, and moves it to another process
#[derive(Parser)]
struct Program {
    /// The socket of the server
    socket: PathBuf,
    /// The server to move to, started as `PROGRAM -v SOCKET_migrated` [default: `server` beside
    /// this]
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    /// Program the interrupt that moves along this many seconds ahead
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = value_parser!(u64).range(2..=3600))]
    alarm: u64,
}

/// A timeout for everything that does not depend on a clock.
const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: usize = 0x1000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Program {
    fn run(self) -> Result<()> {
        let server = match self.server {
            Some(server) => server,
            None => env::current_exe()?.with_file_name("server"),
        };
        let mut path = OsString::from(&self.socket);
        path.push("_migrated");
        let source = End::attach(&self.socket, PATIENCE)?;
        tour::run(&source)?;
        Migration { source, server, path: path.into(), alarm: self.alarm }.run()
    }
}

fn main() -> ExitCode {
    match Program::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client: {}", whole(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Returns the message of an error with those of all its sources.
fn whole(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn expect(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}
