//! `vfu state`: prints the content of a stream.

mod diff;
mod memory;
mod names;
mod print;
mod read;
mod value;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::Error;
use crate::print::print;

/// Print the state in a file, with the names of its sections and fields
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A state stream, as a device writes it
    file: PathBuf,
    /// Print the differences from another stream; exit with status 1 if there are any
    #[arg(long, value_name = "OTHER")]
    diff: Option<PathBuf>,
    /// Print the bits of registers by name; the file holds the device's output of `--describe=json`
    #[arg(long, value_name = "JSON")]
    describe: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let stream = read::Stream::open(&self.file)?;
        let names = self.describe.as_ref().map(|path| names::Names::open(path, &stream.hello));
        let names = names.transpose()?.unwrap_or_default();
        let Some(other) = &self.diff else {
            print(self.json, &print::Content::of(&stream, &names))?;
            return Ok(ExitCode::SUCCESS);
        };
        let other = read::Stream::open(other)?;
        let differences = diff::Differences::between(&stream, &other, &names);
        print(self.json, &differences)?;
        Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
