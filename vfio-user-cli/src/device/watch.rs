//! `vfu watch`: prints a register or a range of bytes whenever it changes.

use std::fmt::{self, Display, Formatter};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use vfio_user::client::Client;

use super::decode::enabled;
use super::register::{Access, Register};
use crate::error::Error;
use crate::hex::{Hex, row};
use crate::interrupted::Interrupted;
use crate::place::{Offset, number};
use crate::print;
use crate::seconds::seconds;

/// Print a register, and its value again whenever it changes
///
/// The device acts as if a guest had read it, once an interval. Ends with the first SIGINT, once
/// the register has the value of --until, or after --time-limit. With --json each line is an
/// object.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    access: Access,
    /// Watch this many bytes, and print those that change
    #[arg(long, value_name = "BYTES", value_parser = len, conflicts_with_all = ["width", "until"])]
    len: Option<usize>,
    /// Seconds between two reads
    #[arg(long, value_name = "SECONDS", default_value = "0.1", value_parser = seconds)]
    interval: Duration,
    /// End once the register has this value
    #[arg(long, value_name = "VALUE", value_parser = number)]
    until: Option<u64>,
    /// End after this time; if the value of --until was not read, with exit code 1
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time_limit: Option<Duration>,
}

/// The most bytes that are watched.
const MOST: u64 = 1 << 16;
/// The longest sleep before a signal is noticed.
const STEP: Duration = Duration::from_millis(50);

fn len(text: &str) -> Result<usize, String> {
    let len = number(text)?;
    let accepted = usize::try_from(len).ok().filter(|_| (1..=MOST).contains(&len));
    accepted.ok_or_else(|| format!("{len} bytes cannot be watched; 1 to {MOST} are accepted"))
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let register = self.access.locate()?;
        self.until.map_or(Ok(()), |value| register.holds(value))?;
        let interrupted = Interrupted::watch()?;
        let target = &self.access.target;
        let client = target.attach()?;
        let watch = Watch { client, register, interrupted, arguments: &self };
        let region = watch.register.place.region;
        let watched = enabled(&watch.client, region, || watch.run());
        watched.map_err(target.failed())?
    }
}

struct Watch<'a> {
    client: Client,
    register: Register,
    interrupted: Interrupted,
    arguments: &'a Arguments,
}

impl Watch<'_> {
    /// The outer error is one of the device.
    fn run(&self) -> vfio_user::Result<Result<(), Error>> {
        let start = Instant::now();
        let mut before = None;
        loop {
            let now = self.read()?;
            let seconds = start.elapsed().as_secs_f64();
            if let Err(error) = self.show(seconds, before.as_deref(), &now) {
                return Ok(Err(error));
            }
            let value = self.value(&now);
            if self.arguments.until.is_some_and(|until| until == value) {
                return Ok(Ok(()));
            }
            before = Some(now);
            if !self.sleep(start) {
                return Ok(self.ended());
            }
        }
    }

    fn read(&self) -> vfio_user::Result<Vec<u8>> {
        let len = self.arguments.len.unwrap_or(usize::from(self.register.width));
        let mut bytes = vec![0; len];
        let Offset { region, offset } = self.register.place;
        self.client.region(region).read_bytes(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Returns the first bytes as a number.
    fn value(&self, bytes: &[u8]) -> u64 {
        let low = bytes.iter().take(usize::from(self.register.width));
        low.rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Prints what has changed.
    fn show(&self, seconds: f64, before: Option<&[u8]>, now: &[u8]) -> Result<(), Error> {
        let json = self.arguments.access.target.json;
        if before == Some(now) {
            return Ok(());
        }
        if self.arguments.len.is_none() {
            let value = self.value(now);
            let bits = self.register.bits(value);
            let width = self.register.width;
            return print::line(json, &Changed { seconds, value: Hex(value), width, bits });
        }
        let start = self.register.place.offset;
        for (row, bytes) in now.chunks(16).enumerate() {
            let old = before.and_then(|before| before.chunks(16).nth(row));
            if old != Some(bytes) {
                let offset = Hex(start + row as u64 * 16);
                print::line(json, &ChangedBytes { seconds, offset, bytes })?;
            }
        }
        Ok(())
    }

    /// Returns whether to go on.
    fn sleep(&self, start: Instant) -> bool {
        let now = Instant::now();
        let next = now + self.arguments.interval;
        let end = self.arguments.time_limit.map(|limit| start + limit);
        loop {
            let now = Instant::now();
            if self.interrupted.is_set() || end.is_some_and(|end| now >= end) {
                return false;
            }
            let left = next.saturating_duration_since(now);
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(STEP));
        }
    }

    /// The end without the value of `--until`.
    fn ended(&self) -> Result<(), Error> {
        match (self.arguments.until, self.arguments.time_limit) {
            _ if self.interrupted.is_set() => Ok(()),
            (Some(value), Some(within)) => Err(Error::NotRead { value, within }),
            _ => Ok(()),
        }
    }
}

/// A new value of a register.
#[derive(Serialize)]
struct Changed {
    seconds: f64,
    value: Hex,
    #[serde(skip)]
    width: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<String>,
}

/// A row of bytes of which some have changed.
#[derive(Serialize)]
struct ChangedBytes<'a> {
    seconds: f64,
    offset: Hex,
    bytes: &'a [u8],
}

impl Display for Changed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Changed { seconds, value, width, bits } = self;
        write!(f, "{seconds:9.3}  {:#0digits$x}", value.0, digits = usize::from(*width) * 2 + 2)?;
        bits.as_ref().map_or(Ok(()), |bits| write!(f, " ({bits})"))
    }
}

impl Display for ChangedBytes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3}  {:08x}:{}", self.seconds, self.offset.0, row(self.bytes))
    }
}
