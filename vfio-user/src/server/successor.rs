//! A program that wants to take the devices of this one over.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::records::DeviceName;
use crate::take_over::Peer;

/// The version of these records, of the messages, and of what they mean.
pub(super) const FORMAT: u32 = 2;

/// The first message of a successor: what it wants to take over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) format: u32,
    pub(super) devices: Vec<DeviceName>,
}

impl Hello {
    pub(super) fn new(devices: impl Iterator<Item = DeviceName>) -> Self {
        Hello { format: FORMAT, devices: devices.collect() }
    }

    /// Returns whether it names the same devices, in the same order.
    pub(super) fn is_of_same_devices(&self, other: &Self) -> bool {
        let mut pairs = self.devices.iter().zip(&other.devices);
        self.devices.len() == other.devices.len() && pairs.all(|(one, other)| one.is(other))
    }

    /// Returns the names of the devices.
    pub(super) fn names(&self) -> String {
        let devices = self.devices.iter();
        let names = devices.map(|device| format!("`{}` at {}", device.name, device.socket));
        names.collect::<Vec<_>>().join(", ")
    }
}

/// A program that wants to take over, and has said what.
#[derive(Debug)]
pub(super) struct Successor {
    pub(super) peer: Peer,
    pub(super) hello: Hello,
    /// When it asked.
    pub(super) since: Instant,
    /// The other end learns from it that this is dropped.
    _is_served: Sender<()>,
}

impl Successor {
    /// Returns a receiver with it, which waits until it is dropped.
    pub(super) fn new(peer: Peer, hello: Hello) -> (Self, Receiver<()>) {
        let (sender, is_served) = channel();
        (Successor { peer, hello, since: Instant::now(), _is_served: sender }, is_served)
    }
}
