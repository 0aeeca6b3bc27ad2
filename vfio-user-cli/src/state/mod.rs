//! `vfu state`: prints the content of a stream.

mod diff;
mod memory;
mod names;
mod print;
mod read;
mod value;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::error::Error;

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
}

impl Arguments {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let stream = read::Stream::open(&self.file)?;
        let names = self.describe.as_ref().map(|path| names::Names::open(path, &stream.hello));
        let names = names.transpose()?.unwrap_or_default();
        let code = match &self.diff {
            None => {
                print::stream(&stream, &names, &mut out)?;
                ExitCode::SUCCESS
            }
            Some(other) => {
                match diff::streams(&stream, &read::Stream::open(other)?, &names, &mut out)? {
                    0 => ExitCode::SUCCESS,
                    _ => ExitCode::FAILURE,
                }
            }
        };
        out.flush()?;
        Ok(code)
    }
}
