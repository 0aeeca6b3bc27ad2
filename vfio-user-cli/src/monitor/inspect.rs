//! `vfu inspect`: what a running device is doing.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use vfio_user::monitor::{Client, NamedValue, Request};

use super::snapshot::{self, Snapshot};
use super::{connect, failed, prometheus, text};
use crate::error::Error;

/// Print what a running device is doing, by its monitor
///
/// The program of the device has to be started with --monitor=PATH. Nothing of it has side effects,
/// and the device keeps its client. While a hook does not return, the hook is printed, and what is
/// known without it: accesses, times of hooks, the last accesses.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Socket of the monitor
    path: PathBuf,
    /// Print only these registers, fields, or bytes of memories: `status`,
    /// `control.mode`, `ring[3]`
    names: Vec<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "prometheus")]
    json: bool,
    /// Print the counters in the text format of Prometheus
    #[arg(long, conflicts_with = "names")]
    prometheus: bool,
    /// Change a register first, without effects of the write; the monitor has to allow it
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_poke, conflicts_with = "prometheus")]
    poke: Vec<(String, u64)>,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let mut client = connect(&self.path)?;
        let text = if self.names.is_empty() && self.poke.is_empty() {
            let snapshot = Snapshot::take(&mut client).map_err(failed(&self.path))?;
            if self.prometheus {
                prometheus::text(&snapshot, &self.path)
            } else {
                self.format(&snapshot, text::of(&snapshot))?
            }
        } else {
            let values = self.values(&mut client)?;
            self.format(&values, text::registers(&values))?
        };
        Ok(io::stdout().write_all(text.as_bytes())?)
    }

    /// Does the pokes, and returns what they have changed, and the registers that are named.
    fn values(&self, client: &mut Client) -> Result<Vec<NamedValue>, Error> {
        let pokes = self.poke.iter().cloned().map(|(name, value)| Request::Poke { name, value });
        let peeks = self.names.iter().cloned().map(|name| Request::Register { name });
        let values = pokes.chain(peeks).map(|request| snapshot::register(client, &request));
        values.collect::<Result<_, _>>().map_err(failed(&self.path))
    }

    fn format(&self, value: &impl Serialize, text: String) -> Result<String, Error> {
        if !self.json {
            return Ok(text);
        }
        Ok(serde_json::to_string_pretty(value).map_err(io::Error::from)? + "\n")
    }
}

fn parse_poke(argument: &str) -> Result<(String, u64), String> {
    let (name, value) = argument.split_once('=').ok_or("it is no NAME=VALUE")?;
    let parsed = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => value.parse(),
    };
    let value = parsed.map_err(|error| format!("`{value}` is no value: {error}"))?;
    Ok((name.to_owned(), value))
}
