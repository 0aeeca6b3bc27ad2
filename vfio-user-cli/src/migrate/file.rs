//! `vfu save` and `vfu load`: the state of a device in a file.

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tempfile::NamedTempFile;
use vfio_user::client::Client;
use vfio_user::protocol::MigrationState;

use super::attach;
use crate::error::Error;
use crate::print::print;

/// Write the state of a device to a file
///
/// The device is stopped meanwhile, and runs afterwards. The file is replaced only once it is
/// whole; other users cannot read it (mode 0600). `vfu state` prints the state of a device of this
/// framework.
#[derive(Debug, Args)]
pub(crate) struct Save {
    /// Socket of the device, which must have no other client
    socket: PathBuf,
    /// File to write
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Load the state of a device from a file
///
/// The device runs with it afterwards. A device that refuses the state is reset by its server when
/// `vfu` leaves it.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Socket of the device, which must have no other client
    socket: PathBuf,
    /// File that `vfu save` has written
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Save {
    pub(crate) fn run(self) -> Result<(), Error> {
        let client = attach(&self.socket)?;
        let failed = || Error::device(&self.socket);
        client.set_migration_state(MigrationState::StopCopy).map_err(failed())?;
        let saved = self.save(&client);
        // It runs again also if the state could not be saved.
        let runs = client.set_migration_state(MigrationState::Running).map_err(failed());
        let bytes = saved?;
        runs?;
        print(self.json, &Moved { verb: "saved", bytes })
    }

    fn save(&self, client: &Client) -> Result<u64, Error> {
        let failed = |source| Error::File { path: self.file.clone(), source };
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        let mut stream = BufWriter::new(file);
        let bytes = client.save(&mut stream).map_err(Error::device(&self.socket))?;
        stream.flush().map_err(failed)?;
        let file = stream.into_inner().map_err(|error| failed(error.into_error()))?;
        file.persist(&self.file).map_err(|error| failed(error.error))?;
        Ok(bytes)
    }
}

impl Load {
    pub(crate) fn run(self) -> Result<(), Error> {
        let failed = |source| Error::File { path: self.file.clone(), source };
        let file = File::open(&self.file).map_err(failed)?;
        let client = attach(&self.socket)?;
        let load = || {
            client.set_migration_state(MigrationState::Resuming)?;
            let bytes = client.load(&mut BufReader::new(file))?;
            client.set_migration_state(MigrationState::Running)?;
            Ok(bytes)
        };
        let bytes = load().map_err(Error::device(&self.socket))?;
        print(self.json, &Moved { verb: "loaded", bytes })
    }
}

/// The line of a state that was moved.
#[derive(Serialize)]
struct Moved {
    #[serde(skip)]
    verb: &'static str,
    bytes: u64,
}

impl Display for Moved {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} bytes; the device runs", self.verb, self.bytes)
    }
}
