//! The commands that attach to a device: what it is, its registers, a reset, an interrupt.

mod access;
mod act;
mod bench;
mod decode;
mod dma;
mod info;
mod lspci;
mod register;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use vfio_user::client::Client;

use crate::error::Error;

/// A device to attach to.
#[derive(Debug, Args)]
struct Target {
    /// Socket of the device, which must have no other client
    socket: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Info(info::Info),
    Regions(info::Regions),
    Irqs(info::Irqs),
    Lspci(lspci::Arguments),
    Read(access::Read),
    Write(access::Write),
    Dump(access::Dump),
    Watch(watch::Arguments),
    Dma(dma::Arguments),
    Reset(act::Reset),
    Trigger(act::Trigger),
    Bench(bench::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Error> {
        match self {
            Command::Info(arguments) => arguments.run(),
            Command::Regions(arguments) => arguments.run(),
            Command::Irqs(arguments) => arguments.run(),
            Command::Lspci(arguments) => arguments.run(),
            Command::Read(arguments) => arguments.run(),
            Command::Write(arguments) => arguments.run(),
            Command::Dump(arguments) => arguments.run(),
            Command::Watch(arguments) => arguments.run(),
            Command::Dma(arguments) => arguments.run(),
            Command::Reset(arguments) => arguments.run(),
            Command::Trigger(arguments) => arguments.run(),
            Command::Bench(arguments) => arguments.run(),
        }
    }
}

impl Target {
    fn attach(&self) -> Result<Client, Error> {
        Client::attach(&self.socket).map_err(self.failed())
    }

    /// Returns the conversion of an error of this device.
    fn failed(&self) -> impl FnOnce(vfio_user::Error) -> Error + use<> {
        Error::device(&self.socket)
    }

    /// Prints a value as JSON or, as it prints itself, as text.
    fn print(&self, value: &(impl Serialize + ToString)) -> Result<(), Error> {
        crate::print::print(self.json, value)
    }
}
