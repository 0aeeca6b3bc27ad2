//! Several small writes in one message.

use tracing::debug;
use zerocopy::FromBytes as _;

use super::Request;
use super::region::{CheckedAccess, check_access};
use crate::function::Function;
use crate::protocol::{Errno, RegionAccess, RegionFlags, WriteMulti, WriteMultiEntry};
use crate::server::pending_request::Blocked;
use crate::transport::Reply;

/// The number of writes before events and other sessions run. A message of QEMU has at most 200.
const SLICE: usize = 256;

/// `VFIO_USER_REGION_WRITE_MULTI`: performs small writes in order, up to the first that fails.
/// Accepted from every client, because some versions of QEMU send it without negotiation.
///
/// A message resets the function at most once: the writes behind one that resets it are ignored, as
/// by a function that is not ready yet. Guests wait after a reset, so no write of a correct one is
/// ignored.
pub(super) fn write_multi(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (multi, entries) = request.fixed::<WriteMulti>()?;
    let entries = <[WriteMultiEntry]>::ref_from_bytes(entries).map_err(|_| Errno::EINVAL)?;
    if multi.count.get() != entries.len() as u64 {
        return Err(Errno::EINVAL);
    }
    match write_slice(function, entries)? {
        Slice::Done(done) => answer(reply, done),
        Slice::Left { done } => {
            let batch = Batch { entries: entries[done..].to_vec(), next: 0, done };
            request.blocked = Some(batch.at_next_turn());
        }
    }
    Ok(())
}

/// The result of a slice.
enum Slice {
    /// This number of writes was done, and no more will be.
    Done(usize),
    /// This number was done, and more are left.
    Left { done: usize },
}

/// The rest of a message.
struct Batch {
    entries: Vec<WriteMultiEntry>,
    next: usize,
    /// The number of writes of the whole message that are done.
    done: usize,
}

impl Batch {
    /// Continues after events, and after other sessions.
    fn at_next_turn(self) -> Blocked {
        Blocked::for_turn(Box::new(|function, blocked, reply, _| {
            self.resume(function, blocked, reply);
            Ok(())
        }))
    }

    fn resume(
        mut self,
        function: &mut dyn Function,
        blocked: &mut Option<Blocked>,
        reply: &mut Reply<'_>,
    ) {
        match write_slice(function, &self.entries[self.next..]) {
            Ok(Slice::Left { done }) => {
                self.next += done;
                self.done += done;
                *blocked = Some(self.at_next_turn());
            }
            Ok(Slice::Done(done)) => answer(reply, self.done + done),
            Err(errno) => {
                debug!(%errno, done = self.done, "not all writes were done");
                answer(reply, self.done);
            }
        }
    }
}

fn answer(reply: &mut Reply<'_>, done: usize) {
    reply.push(&WriteMulti { count: (done as u64).into() });
}

/// Performs writes, up to one that fails or resets the function.
///
/// # Errors
///
/// The error of the first write, if that failed.
fn write_slice(function: &mut dyn Function, entries: &[WriteMultiEntry]) -> Result<Slice, Errno> {
    for (done, entry) in entries.iter().enumerate().take(SLICE) {
        match write_one(function, entry) {
            Ok(()) if function.wants_reset() => {
                function.reset_as_wanted();
                return Ok(Slice::Done(entries.len()));
            }
            Ok(()) => {}
            Err(errno) if done == 0 => return Err(errno),
            Err(errno) => {
                debug!(%errno, done, of = entries.len(), "not all writes were done");
                return Ok(Slice::Done(done));
            }
        }
    }
    Ok(match entries.len() {
        len if len <= SLICE => Slice::Done(len),
        _ => Slice::Left { done: SLICE },
    })
}

fn write_one(function: &mut dyn Function, entry: &WriteMultiEntry) -> Result<(), Errno> {
    let WriteMultiEntry { offset, region, count, data } = *entry;
    let access = RegionAccess { offset, region, count };
    let CheckedAccess { region, count, inside } =
        check_access(function, &access, RegionFlags::WRITE)?;
    let data = &data.get(..count).ok_or(Errno::EINVAL)?[..inside];
    if data.is_empty() { Ok(()) } else { function.write(region, offset.get(), data) }
}
