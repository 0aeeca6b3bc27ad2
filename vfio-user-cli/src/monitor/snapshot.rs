//! Everything that a monitor shows, at about one time.

use serde::Serialize;
use vfio_user::monitor::{
    AccessCount, Client, ClientError, Counters, DeviceInfo, HookTime, LastAccess, Mapping,
    NamedValue, Page, Reply, Request, UnmodelledPlace, Vector,
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
    pub(super) accesses: Vec<AccessCount>,
    pub(super) hooks: Vec<HookTime>,
    pub(super) last: Vec<LastAccess>,
    #[serde(flatten)]
    pub(super) state: State,
}

/// What only the thread of the device knows.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum State {
    Answered(Answers),
    /// A hook does not return.
    Unanswered {
        /// The reason that the monitor gives.
        unanswered: String,
    },
}

/// The answers of the thread of the device.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Answers {
    pub(super) counters: Counters,
    pub(super) registers: Vec<NamedValue>,
    pub(super) interrupts: Vec<Vector>,
    pub(super) dma: Vec<Mapping>,
    pub(super) unmodelled: Vec<UnmodelledPlace>,
}

impl Snapshot {
    pub(super) fn take(client: &mut Client) -> Result<Self, ClientError> {
        let device = device(client)?;
        // The state comes first: its sums do not exceed those of the lists that follow.
        let state = match Answers::take(client) {
            Ok(answers) => State::Answered(answers),
            Err(ClientError::Refused(unanswered)) => State::Unanswered { unanswered },
            Err(error) => return Err(error),
        };
        Ok(Snapshot {
            device,
            accesses: accesses(client)?,
            hooks: client.all(|from| Request::Hooks { from }, |reply| only!(reply, Hooks))?,
            last: last(client)?,
            state,
        })
    }

    /// Returns what the thread of the device has answered.
    pub(super) fn answers(&self) -> Option<&Answers> {
        match &self.state {
            State::Answered(answers) => Some(answers),
            State::Unanswered { .. } => None,
        }
    }
}

impl Answers {
    fn take(client: &mut Client) -> Result<Self, ClientError> {
        Ok(Answers {
            counters: counters(client)?,
            registers: client
                .all(|from| Request::Registers { from }, |reply| only!(reply, Registers))?,
            interrupts: interrupts(client)?,
            dma: client.all(|from| Request::Dma { from }, |reply| only!(reply, Dma))?,
            unmodelled: client
                .all(|from| Request::Unmodelled { from }, |reply| only!(reply, Unmodelled))?,
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
pub(super) fn register(client: &mut Client, request: &Request) -> Result<NamedValue, ClientError> {
    only!(client.ask(request)?, Register).ok_or(ClientError::Mismatch)
}
