//! `vfu dma`: gives a device memory, and shows what it reads and writes there.

mod assignment;
mod memory;

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

use clap::Args;
use vfio_user::client::Client;
use vfio_user::protocol::RegionIndex;

use super::Target;
use super::decode::as_bus_master;
use super::register::Register;
use crate::error::Error;
use crate::place::number;
use crate::seconds::seconds;
use assignment::Assignment;
use memory::{Memory, Rows};

/// Map memory for a device, let it work, and print the bytes that it has changed
///
/// The device is a bus master meanwhile. With --messages it has to request each access by a
/// message, and each is printed; without, it maps the memory, and only the result is seen. With
/// --json each line is an object.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Address of the memory, as the device sees it
    #[arg(long, value_name = "ADDRESS", default_value = "0x100000", value_parser = number)]
    iova: u64,
    /// Size of the memory [default: whole pages for the file of --load, otherwise one page]
    #[arg(long, value_name = "BYTES", value_parser = number)]
    size: Option<u64>,
    /// File with the first bytes of the memory; it is not changed
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
    /// File for all bytes of the memory at the end
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Let the device access the memory by messages, and print each access
    #[arg(long)]
    messages: bool,
    /// Output of the device program's --describe=json, to find registers by name
    #[arg(long, value_name = "FILE")]
    describe: Option<PathBuf>,
    /// Write a register once the memory is mapped: bar0+0x98=1, bar0+0x80:8=0x100000 (of 8 bytes),
    /// or by name with --describe: command=1; may be given several times
    #[arg(long = "write", value_name = "PLACE=VALUE")]
    writes: Vec<Assignment>,
    /// Wait until a register has a value, then end
    #[arg(long, value_name = "PLACE=VALUE")]
    until: Option<Assignment>,
    /// Seconds in which the device accesses the memory, at most those of --until
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    seconds: Duration,
}

/// The size of a page in bytes.
const PAGE: u64 = 4096;
/// The most memory that is compared at the end, in bytes.
const MOST: u64 = 1 << 28;
/// The time between two reads of the register of `--until`.
const STEP: Duration = Duration::from_millis(2);

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let bytes = self.first_bytes()?;
        let writes = self.writes.iter().map(|write| write.locate(self.describe.as_deref()));
        let writes = writes.collect::<Result<Vec<_>, _>>()?;
        let until = self.until.as_ref().map(|until| until.locate(self.describe.as_deref()));
        let until = until.transpose()?;
        let memory = Memory::new(self.iova, bytes, self.target.json)?;
        let client = self.target.attach()?;
        let work = || {
            memory.map(&client, self.messages)?;
            let is_reached = self.work(&client, &writes, until.as_ref())?;
            memory.unmap(&client)?;
            Ok(is_reached)
        };
        let is_reached = as_bus_master(&client, work).map_err(self.target.failed())?;
        self.report(&memory)?;
        match until {
            Some((_, value)) if !is_reached => Err(Error::NotRead { value, within: self.seconds }),
            _ => Ok(()),
        }
    }

    /// Returns the first content of the memory.
    fn first_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = match &self.load {
            Some(path) => {
                fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?
            }
            None => Vec::new(),
        };
        let len = bytes.len() as u64;
        let size = self.size.unwrap_or(len.max(1).next_multiple_of(PAGE));
        let is_accepted = size.is_multiple_of(PAGE) && (len.max(1)..=MOST).contains(&size);
        match usize::try_from(size) {
            Ok(whole) if is_accepted => bytes.resize(whole, 0),
            _ => return Err(Error::MemorySize { size, least: len.max(1), most: MOST }),
        }
        Ok(bytes)
    }

    /// Writes the registers and waits. Returns whether the register has the value.
    fn work(
        &self,
        client: &Client,
        writes: &[(Register, u64)],
        until: Option<&(Register, u64)>,
    ) -> vfio_user::Result<bool> {
        let end = Instant::now() + self.seconds;
        for (register, value) in writes {
            register.write(client, *value)?;
        }
        while Instant::now() < end {
            if let Some((register, value)) = until
                && register.read(client)? == *value
            {
                return Ok(true);
            }
            thread::sleep(STEP);
        }
        // An answer shows that the server has done what came before.
        client.region(RegionIndex::Config).read::<u16>(0)?;
        Ok(false)
    }

    fn report(&self, memory: &Memory) -> Result<(), Error> {
        let after = memory.bytes()?;
        Rows { memory, after: &after, json: self.target.json }.print()?;
        match &self.save {
            Some(path) => {
                let failed = |source| Error::File { path: path.clone(), source };
                fs::write(path, &after).map_err(failed)
            }
            None => Ok(()),
        }
    }
}
