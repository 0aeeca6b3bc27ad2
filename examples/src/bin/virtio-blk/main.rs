//! A block device (Virtual I/O Device 1.2, 5.2): a file, a block device or memory.
//!
//! ```console
//! $ virtio-blk --socket-path=/tmp/blk.sock --disk=disk.img
//! $ virtio-blk --socket-path=/tmp/blk.sock --memory=64 --queues=4
//! ```

mod blk;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser};
use vfio_user::{Options, Result};
use vfio_user_examples::Disk;
use vfio_user_virtio::VirtioPci;

use blk::Blk;

/// Serves a virtio block device over vfio-user
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    backing: Backing,

    /// The number of queues, each of which has a thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    queues: u16,

    /// Poll the queues instead of waiting for notifications; occupies a processor for each queue
    #[arg(long)]
    poll: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Backing {
    /// A file or block device
    #[arg(long, value_name = "PATH")]
    disk: Option<PathBuf>,

    /// Memory of this many MiB; its content does not survive the program
    #[arg(long, value_name = "MIB")]
    memory: Option<usize>,
}

impl Backing {
    fn open(&self) -> Result<Disk> {
        match (&self.disk, self.memory) {
            (Some(path), _) => Disk::open(path),
            (None, mib) => Ok(Disk::memory(mib.unwrap_or(0) << 20)?),
        }
    }
}

fn main() -> Result<()> {
    let program = Program::parse();
    let disk = Arc::new(program.backing.open()?);
    let create = if program.poll { VirtioPci::polling } else { VirtioPci::new };
    program.options.run(|| create(Blk::new(Arc::clone(&disk), program.queues)))
}
