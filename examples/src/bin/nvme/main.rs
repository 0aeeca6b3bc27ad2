//! An NVMe controller: files, block devices or memory as namespaces.
//!
//! ```console
//! $ nvme --socket-path=/tmp/nvme.sock --disk=disk.img
//! $ nvme --socket-path=/tmp/nvme.sock --memory=64 --poll
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `controller.rs` | the registers: enable, shut down, doorbells |
//! | `queues.rs`, `turn.rs` | the queues, which a worker owns: from the doorbell to the completion |
//! | `admin.rs`, `features.rs` | the admin command set |
//! | `log.rs` | log pages, and the events that lead to them |
//! | `io.rs` | the NVM command set |
//! | `data.rs` | where a command has its data |
//! | `subsystem.rs` | the namespaces, and what Identify returns |
//! | `spec.rs` | commands and completions of the specification, and why commands fail |

mod admin;
mod controller;
mod data;
mod features;
mod io;
mod log;
mod queues;
mod spec;
mod subsystem;
#[cfg(test)]
mod tests;
mod turn;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use vfio_user::{Options, Result};
use vfio_user_examples::Disk;

use controller::Nvme;
use subsystem::Subsystem;

/// Serves a controller of NVM Express over vfio-user
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,

    /// A file or block device that is a namespace; may be repeated
    #[arg(long, value_name = "PATH")]
    disk: Vec<PathBuf>,

    /// Memory of this many MiB as one more namespace; its content does not survive the program
    #[arg(long, value_name = "MIB")]
    memory: Option<usize>,

    /// Serial number: up to 20 printable characters, another one for each controller of a guest
    #[arg(long, default_value = "vfio-user", value_parser = serial)]
    serial: String,

    /// Poll the doorbells, in memory that the guest maps, instead of waiting for messages; occupies
    /// a processor
    #[arg(long)]
    poll: bool,
}

impl Program {
    fn subsystem(&self) -> Result<Subsystem> {
        let files = self.disk.iter().map(|path| Disk::open(path));
        let memory = self.memory.map(|mib| Ok(Disk::memory(mib << 20)?));
        let disks = files.chain(memory).collect::<Result<_>>()?;
        Ok(Subsystem { serial: self.serial.clone(), disks })
    }
}

fn serial(text: &str) -> Result<String, &'static str> {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_serial = is_printable && (1..=20).contains(&text.len());
    let accepted = "1 to 20 printable ASCII characters without spaces are accepted";
    is_serial.then(|| text.to_owned()).ok_or(accepted)
}

fn main() -> Result<()> {
    let program = Program::parse();
    let (subsystem, poll) = (Arc::new(program.subsystem()?), program.poll);
    program.options.run(|| Nvme::new(Arc::clone(&subsystem), poll))
}
