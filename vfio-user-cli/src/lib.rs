//! `vfu`: looks at vfio-user devices and accesses them, prints their state, moves it from one
//! device to another, and declares devices from register maps.

mod conform;
mod description;
mod descriptor;
mod device;
mod error;
mod framer;
mod hex;
mod import;
mod interrupted;
mod log;
mod message;
mod migrate;
mod monitor;
mod place;
mod print;
mod program;
mod proxy;
mod recording;
mod replay;
mod seconds;
mod socket;
mod state;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Accesses vfio-user devices, prints and moves their state, and imports register maps
#[derive(Debug, Parser)]
#[command(name = "vfu", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  the command succeeded
  1  `vfu state --diff` or `vfu replay` found differences, a check of `vfu conform` failed, or the value
     of --until (`vfu watch`, `vfu dma`) was not read in time
  2  the command failed, or its arguments are wrong; `vfu migrate` says whether the source runs
  3  `vfu migrate` cannot say whether the destination runs; the source stays stopped";

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Device(device::Command),
    #[command(flatten)]
    Monitor(monitor::Command),
    State(state::Arguments),
    Migrate(migrate::Arguments),
    Save(migrate::Save),
    Load(migrate::Load),
    Import(import::Arguments),
    Conform(conform::Arguments),
    Proxy(proxy::Arguments),
    Replay(replay::Arguments),
    Shrink(recording::shrink::Arguments),
    Completions(usage::Completions),
    Man(usage::Man),
}

/// Runs `vfu` with these arguments, the first of which is its name, and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match Program::try_parse_from(arguments) {
        Ok(program) => program.command,
        Err(error) => {
            // Where no text can be printed, the exit code remains.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = match command {
        Command::Device(command) => command.run().map(|()| ExitCode::SUCCESS),
        Command::Monitor(command) => command.run().map(|()| ExitCode::SUCCESS),
        Command::State(arguments) => arguments.run(),
        Command::Migrate(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Save(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Load(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Import(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Conform(arguments) => arguments.run(),
        Command::Proxy(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Replay(arguments) => arguments.run(),
        Command::Shrink(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Completions(arguments) => {
            arguments.run(Program::command()).map(|()| ExitCode::SUCCESS)
        }
        Command::Man(arguments) => arguments.run(Program::command()).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("vfu: {}", error.whole());
        ExitCode::from(error.code())
    })
}
