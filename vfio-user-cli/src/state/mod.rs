//! `vfu state`: what is in a stream.

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

/// Print the state in a file, by the names that are in it
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A stream, as a device writes it
    file: PathBuf,
    /// Print what is different in another one; the exit code is 1 if anything is
    #[arg(long, value_name = "OTHER")]
    diff: Option<PathBuf>,
    /// Print the bits of registers by name: a file with what the device prints with
    /// `--describe=json`
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
