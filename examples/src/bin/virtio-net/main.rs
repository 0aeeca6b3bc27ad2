//! A network card (Virtual I/O Device 1.2, 5.1) whose frames go over a stream of a UNIX socket,
//! each behind its length in four bytes, big-endian, or through a TAP interface. At the other end
//! of a stream are QEMU (`-netdev stream`), passt or a second instance of this program; at that of
//! an interface is the network of the host.
//!
//! ```console
//! $ virtio-net --socket-path=/tmp/net-a.sock --listen=/tmp/wire
//! $ virtio-net --socket-path=/tmp/net-b.sock --connect=/tmp/wire --mac=52:54:00:12:34:57
//! $ virtio-net --socket-path=/tmp/net-c.sock --tap=tap0
//! ```
//!
//! A user who may not create interfaces opens one that exists:
//! `ip tuntap add tap0 mode tap user $USER; ip link set tap0 up`.

mod frames;
mod link;
mod net;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser};
use vfio_user::{Error, Options, Result};
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

    /// Opens this TAP interface, or creates it; enabling it and giving it an address is up to its
    /// owner
    #[arg(long, value_name = "NAME")]
    tap: Option<String>,
}

impl WireArgs {
    fn open(self) -> Result<Wire> {
        match (self.listen, self.connect, self.tap) {
            (Some(path), ..) => Ok(Wire::listen(&path)?),
            (_, Some(path), _) => Ok(Wire::Connect(path)),
            (.., name) => {
                let name = name.unwrap_or_default();
                let tap = Wire::tap(&name);
                tap.map_err(|error| Error::device(format!("interface {name}: {error}")))
            }
        }
    }
}

fn main() -> Result<()> {
    let Program { options, wire, mac } = Program::parse();
    // Its threads start with the first device, when signals are blocked.
    let link = Arc::new(Link::new(wire.open()?));
    options.run(|| VirtioPci::new(Net::new(Arc::clone(&link), mac)))
}
