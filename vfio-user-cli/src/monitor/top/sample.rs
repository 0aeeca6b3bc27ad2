//! One look at a device.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use vfio_user::monitor::{
    AccessCount, Client, ClientError, Counters, DeviceInfo, LastAccess, Mapping, NamedValue, Page,
    Request, Vector,
};

use crate::monitor::snapshot;

/// The most registers whose values are asked for.
const VALUES: usize = 32;

/// What is shown of a device, at about one time.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) device: DeviceInfo,
    pub(super) counters: Counters,
    pub(super) accesses: Vec<AccessCount>,
    pub(super) interrupts: Vec<Vector>,
    /// The first page of the mapped memory.
    pub(super) mappings: Page<Mapping>,
    pub(super) last: Vec<LastAccess>,
    /// The values of the registers that were accessed last, and most.
    pub(super) values: BTreeMap<String, NamedValue>,
}

impl Sample {
    pub(super) fn take(client: &mut Client) -> Result<Self, ClientError> {
        let mut sample = Sample {
            device: snapshot::device(client)?,
            counters: snapshot::counters(client)?,
            accesses: snapshot::accesses(client)?,
            interrupts: snapshot::interrupts(client)?,
            mappings: snapshot::first_mappings(client)?,
            last: snapshot::last(client)?,
            values: BTreeMap::new(),
        };
        for name in sample.interesting() {
            let request = Request::Register { name: name.clone() };
            sample.values.insert(name, snapshot::register(client, &request)?);
        }
        Ok(sample)
    }

    /// Returns the names of registers whose values may be shown.
    fn interesting(&self) -> Vec<String> {
        let mut counts: Vec<_> = self.accesses.iter().filter(|count| count.register).collect();
        let recent = |count: &AccessCount| self.last.iter().any(|access| access.name == count.name);
        let total = |count: &AccessCount| count.reads.saturating_add(count.writes);
        counts.sort_by_key(|count| (!recent(count), Reverse(total(count))));
        counts.into_iter().take(VALUES).map(|count| count.name.clone()).collect()
    }
}
