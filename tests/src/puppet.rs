//! A device whose hook does what its test wants.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use vfio_user::{Cx, Device, DeviceId, Handle, PciDevice, Server, Socket, Virtual};

use crate::raw::RawClient;

/// A device whose hook does what its test wants.
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

/// What a write to [`Puppet::ACT`] does.
#[derive(Clone)]
struct Strings(Arc<dyn Fn(u32) + Send + Sync>);

impl Puppet {
    /// Where to write.
    pub const ACT: u64 = 0;
    /// Where nothing happens.
    pub const SCRATCH: u64 = 4;

    /// Makes puppets on the same strings.
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

/// Adds a device at one end of a socket pair; the client at the other end has said nothing yet.
///
/// # Panics
///
/// If the system, or the server, refuses.
pub fn add<D: PciDevice>(
    handle: &Handle,
    factory: impl FnMut() -> D + Send + 'static,
) -> (DeviceId, RawClient) {
    let (ours, theirs) = UnixStream::pair().expect("pair");
    let socket = Socket::from_stream(theirs).expect("socket");
    (handle.add(socket, factory).expect("the device is served"), RawClient::new(ours))
}

/// A server with puppets that do nothing, each with its client; none of them has said anything yet.
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
