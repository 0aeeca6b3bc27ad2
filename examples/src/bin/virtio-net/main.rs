//! A network card (Virtual I/O Device 1.2, 5.1) whose frames go over a stream of a UNIX socket,
//! each behind its length in four bytes, big-endian. QEMU (`-netdev stream`), passt and a second
//! instance of this program are at the other end.
//!
//! ```console
//! $ virtio-net --socket-path=/tmp/net-a.sock --listen=/tmp/wire
//! $ virtio-net --socket-path=/tmp/net-b.sock --connect=/tmp/wire --mac=52:54:00:12:34:57
//! ```

mod frames;
mod link;
mod net;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser};
use vfio_user::{Options, Result};
use vfio_user_virtio::VirtioPci;

use link::{Link, Wire};
use net::{Mac, Net};

/// Serves a virtio network card over vfio-user
#[derive(Parser)]
struct Program {
    #[command(flatten)]
    options: Options,

    #[command(flatten)]
    wire: WireArgs,

    /// The address of the card
    #[arg(long, value_name = "MAC", default_value = "52:54:00:12:34:56")]
    mac: Mac,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct WireArgs {
    /// Waits at this socket for the other end
    #[arg(long, value_name = "PATH")]
    listen: Option<PathBuf>,

    /// Connects to the other end, once it listens
    #[arg(long, value_name = "PATH")]
    connect: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Program { options, wire, mac } = Program::parse();
    let wire = match (wire.listen, wire.connect) {
        (Some(path), _) => Wire::listen(&path)?,
        (None, path) => Wire::Connect(path.unwrap_or_default()),
    };
    // Its threads start with the first device, when signals are blocked.
    let link = Arc::new(Link::new(wire));
    options.run(|| VirtioPci::new(Net::new(Arc::clone(&link), mac)))
}
