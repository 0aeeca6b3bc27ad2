//! Everything that a monitor shows, at about one time.

use serde::Serialize;
use vfio_user::monitor::{
    AccessCount, Client, ClientError, Counters, DeviceInfo, HookTime, LastAccess, Mapping, Page,
    RegisterValue, Reply, Request, UnmodelledPlace, Vector,
};

/// Takes what belongs to a request out of its reply.
macro_rules! only {
    ($reply:expr, $variant:ident) => {
        match $reply {
            Reply::$variant(content) => Some(content),
            _ => None,
        }
    };
}

/// Everything that a monitor shows, at about one time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Snapshot {
    pub(super) device: DeviceInfo,
    pub(super) counters: Counters,
    pub(super) registers: Vec<RegisterValue>,
    pub(super) accesses: Vec<AccessCount>,
    pub(super) interrupts: Vec<Vector>,
    pub(super) dma: Vec<Mapping>,
    pub(super) hooks: Vec<HookTime>,
    pub(super) unmodelled: Vec<UnmodelledPlace>,
    pub(super) last: Vec<LastAccess>,
}

impl Snapshot {
    pub(super) fn take(client: &mut Client) -> Result<Self, ClientError> {
        Ok(Snapshot {
            device: device(client)?,
            counters: counters(client)?,
            registers: client
                .all(|from| Request::Registers { from }, |reply| only!(reply, Registers))?,
            accesses: accesses(client)?,
            interrupts: interrupts(client)?,
            dma: client.all(|from| Request::Dma { from }, |reply| only!(reply, Dma))?,
            hooks: client.all(|from| Request::Hooks { from }, |reply| only!(reply, Hooks))?,
            unmodelled: client
                .all(|from| Request::Unmodelled { from }, |reply| only!(reply, Unmodelled))?,
            last: last(client)?,
        })
    }
}

pub(super) fn device(client: &mut Client) -> Result<DeviceInfo, ClientError> {
    only!(client.ask(&Request::Device)?, Device).ok_or(ClientError::Mismatch)
}

pub(super) fn counters(client: &mut Client) -> Result<Counters, ClientError> {
    only!(client.ask(&Request::Counters)?, Counters).ok_or(ClientError::Mismatch)
}

pub(super) fn accesses(client: &mut Client) -> Result<Vec<AccessCount>, ClientError> {
    client.all(|from| Request::Accesses { from }, |reply| only!(reply, Accesses))
}

pub(super) fn interrupts(client: &mut Client) -> Result<Vec<Vector>, ClientError> {
    client.all(|from| Request::Interrupts { from }, |reply| only!(reply, Interrupts))
}

/// Returns the first page of the mapped memory.
pub(super) fn first_mappings(client: &mut Client) -> Result<Page<Mapping>, ClientError> {
    only!(client.ask(&Request::Dma { from: 0 })?, Dma).ok_or(ClientError::Mismatch)
}

pub(super) fn last(client: &mut Client) -> Result<Vec<LastAccess>, ClientError> {
    only!(client.ask(&Request::Last)?, Last).ok_or(ClientError::Mismatch)
}

/// Sends a request that is answered with the value of a register.
pub(super) fn register(
    client: &mut Client,
    request: &Request,
) -> Result<RegisterValue, ClientError> {
    only!(client.ask(request)?, Register).ok_or(ClientError::Mismatch)
}
