//! The commands that look into a running device, through its monitor.

mod inspect;
mod prometheus;
mod snapshot;
mod text;
mod top;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use vfio_user::monitor::{Client, ClientError};

use crate::error::Error;

/// The time to wait for a reply.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Inspect(inspect::Arguments),
    Top(top::Arguments),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Error> {
        match self {
            Command::Inspect(arguments) => arguments.run(),
            Command::Top(arguments) => arguments.run(),
        }
    }
}

fn connect(path: &Path) -> Result<Client, Error> {
    Client::connect(path, PATIENCE).map_err(|error| failed(path)(error.into()))
}

/// Returns the conversion of an error of this monitor.
fn failed(path: &Path) -> impl Fn(ClientError) -> Error + use<> {
    let path: PathBuf = path.to_owned();
    move |source| Error::Monitor { path: path.clone(), source }
}
