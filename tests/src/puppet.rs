//! A device whose hook runs a closure of its test.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use vfio_user::{Cx, Device, Handle, PciDevice, ServedId, Server, Socket, Virtual};

use crate::raw::RawClient;

/// A device whose hook runs a closure of its test.
#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1af4, device = 0x10f8)]
#[bar(0: mem32, size = 0x1000)]
pub struct Puppet {
    #[reg(Self::ACT, wo, write_with = Self::act)]
    act: Virtual<u32>,
    #[reg(Self::SCRATCH)]
    scratch: u32,
    #[migrate(skip)]
    strings: Strings,
}

/// The closure that a write to [`Puppet::ACT`] runs.
#[derive(Clone)]
struct Strings(Arc<dyn Fn(u32) + Send + Sync>);

impl Puppet {
    /// The register that runs the closure.
    pub const ACT: u64 = 0;
    /// A register without effects.
    pub const SCRATCH: u64 = 4;

    /// Creates puppets that share a closure.
    pub fn factory(
        act: impl Fn(u32) + Send + Sync + 'static,
    ) -> impl FnMut() -> Self + Send + 'static {
        let strings = Strings(Arc::new(act));
        move || Puppet { act: Virtual::default(), scratch: 0, strings: strings.clone() }
    }

    fn act(&mut self, _: &mut Cx<'_, Self>, value: u32) {
        (self.strings.0)(value);
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Strings")
    }
}

impl Device for Puppet {
    type Event = ();
}

/// Adds a device at one end of a socket pair; the client at the other end has sent nothing yet.
///
/// # Panics
///
/// If the system, or the server, refuses.
pub fn add<D: PciDevice>(
    handle: &Handle,
    factory: impl FnMut() -> D + Send + 'static,
) -> (ServedId, RawClient) {
    let (ours, theirs) = UnixStream::pair().expect("pair");
    let socket = Socket::from_stream(theirs).expect("socket");
    (handle.add(socket, factory).expect("the device is served"), RawClient::new(ours))
}

/// Creates a server with puppets that do nothing, and a client for each; no client has sent
/// anything yet.
///
/// # Panics
///
/// If the system refuses.
pub fn idle(count: usize) -> (Server, Vec<RawClient>) {
    let server = Server::new().expect("server");
    let handle = server.handle();
    let clients = (0..count).map(|_| add(&handle, Puppet::factory(|_| {})).1).collect();
    (server, clients)
}
