//! The records of devices and their clients, which a program passes to its successor.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::dma::ClientRegion;
use crate::function::FunctionRecord;
use crate::interrupt::ClientInterrupts;
use crate::parcel::FdNumber;
use crate::protocol::Capabilities;
use crate::transport::Unhandled;

/// A device, as both programs know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DeviceName {
    pub(super) name: String,
    /// The path of its socket.
    pub(super) socket: String,
    /// The path of its monitor, which may differ.
    pub(super) monitor: Option<PathBuf>,
}

impl DeviceName {
    /// Returns whether it names the same device.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.name, &self.socket) == (&other.name, &other.socket)
    }
}

/// A device, and its clients.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeviceRecord {
    pub(super) listener: FdNumber,
    pub(super) monitor: Option<MonitorRecord>,
    pub(super) function: FunctionRecord,
    /// Whether it is stopped until a client attaches.
    pub(super) is_stopped: bool,
    pub(super) client: Option<ClientRecord>,
    /// Connections that have not negotiated yet.
    pub(super) arrivals: Vec<ConnectionRecord>,
}

/// The socket of a monitor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MonitorRecord {
    pub(super) path: PathBuf,
    pub(super) listener: FdNumber,
}

/// A client, and what it has set up.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ClientRecord {
    pub(super) connection: ConnectionRecord,
    pub(super) twin: Option<ConnectionRecord>,
    pub(super) capabilities: Capabilities,
    /// The limits that were announced to it.
    pub(super) message_data: usize,
    pub(super) dma_maps: usize,
    /// The id of the last request of the server.
    pub(super) last_id: u16,
    pub(super) memory: Vec<ClientRegion>,
    pub(super) interrupts: ClientInterrupts,
}

/// A connection, and what was received over it and is not handled yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ConnectionRecord {
    pub(super) socket: FdNumber,
    pub(super) unhandled: Unhandled,
}
