//! `vfu`: looks at the state of vfio-user devices, and moves it from one to another.

mod error;
mod migrate;
mod state;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Looks at the state of vfio-user devices, and moves it
#[derive(Debug, Parser)]
#[command(version)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    State(state::Arguments),
    Migrate(migrate::Arguments),
}

fn main() -> ExitCode {
    let done = match Program::parse().command {
        Command::State(arguments) => arguments.run(),
        Command::Migrate(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("vfu: {}", error.whole());
        ExitCode::from(2)
    })
}
