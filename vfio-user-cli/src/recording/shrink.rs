//! `vfu shrink`: makes a recording smaller.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use vfio_user::record::{recorded_device, shrink};

use super::program::{Program, Replay};
use crate::error::{Error, printable};
use crate::seconds::seconds;

/// Write the smallest recording that still shows the first difference of a replay
///
/// Runs the program with `--replay` for many smaller recordings, and keeps those for which it
/// prints the same difference. A call that has led to what the recording has may be left out too:
/// give the program without the fault as --good to prevent that.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Recording, made by a device program with `--record`
    recording: PathBuf,
    /// File for the smaller recording
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Program without the fault, which must not differ from the smaller recording; it gets the
    /// same arguments
    #[arg(long, value_name = "PROGRAM")]
    good: Option<OsString>,
    /// Number of smaller recordings to try at most
    #[arg(long, value_name = "NUMBER", default_value_t = 2000)]
    runs: u32,
    /// Seconds that one replay may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Program that differs from the recording, and its arguments
    #[arg(last = true, value_name = "PROGRAM", required = true)]
    program: Vec<OsString>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let failed = |source| Error::Recording { path: self.recording.clone(), source };
        recorded_device(&self.recording).map_err(failed)?;
        let (path, arguments) =
            self.program.split_first().ok_or_else(|| Error::NoProgram(self.recording.clone()))?;
        let program = |path| Program { path, arguments, timeout: self.timeout };
        let (bad, good) = (program(path), self.good.as_deref().map(program));
        let wanted = self.first_difference(&bad)?;
        if let Some(good) = &good {
            self.expect_same(good)?;
        }
        let shrunk = shrink(&self.recording, &self.output, self.runs, |tried: &Path| {
            let replays = |program: &Program<'_>| program.replay(tried, Stdio::null());
            let is_same = match &good {
                Some(good) => replays(good)? == Replay::Same,
                None => true,
            };
            Ok::<_, Error>(is_same && replays(&bad)? == Replay::Differs(wanted.clone()))
        })?;
        Ok(writeln!(io::stdout(), "{}\n{shrunk}", printable(&wanted))?)
    }

    fn first_difference(&self, bad: &Program<'_>) -> Result<String, Error> {
        match bad.replay(&self.recording, Stdio::inherit())? {
            Replay::Differs(difference) => Ok(difference),
            Replay::Same => Err(Error::NoDifference(self.recording.clone())),
            Replay::Fails(problem) => Err(bad.failed(problem)),
        }
    }

    fn expect_same(&self, good: &Program<'_>) -> Result<(), Error> {
        match good.replay(&self.recording, Stdio::inherit())? {
            Replay::Same => Ok(()),
            Replay::Differs(difference) => {
                Err(good.failed(format!("it differs as well: {}", printable(&difference))))
            }
            Replay::Fails(problem) => Err(good.failed(problem)),
        }
    }
}
