//! Transfers to and from the client: which request is next, and how to handle an answer.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use tracing::debug;

use super::layout::Layout;
use super::transfer::{Direction, Failure, OnDone, Transfer};
use crate::dma::status::Session;
use crate::limits::Limits;
use crate::protocol::{Errno, Header};

/// The maximum size of one request: QEMU truncates longer answers.
const MAX_PIECE: usize = 32 << 10;
/// The maximum number of requests that wait for their answers.
const MAX_SENT: usize = 16;
/// The maximum bytes of these requests. They fit in the buffer of a socket, so that neither side
/// has to read before the other can continue.
pub(super) const WINDOW: usize = 128 << 10;
/// The time limit once the client itself waits, for the memory or for the device to stop: some
/// clients send no answers meanwhile.
const SHORT_TIME_LIMIT: Duration = Duration::from_millis(500);

/// A transfer that has ended. Report it without holding a lock.
pub(crate) struct Completed {
    on_done: OnDone,
    result: Result<Vec<u8>, Failure>,
}

impl Completed {
    pub(crate) fn report(self) {
        (self.on_done)(self.result);
    }
}

/// A transfer that has not ended.
struct Open {
    transfer: Transfer,
    /// The number of bytes without an answer.
    left: usize,
    /// The number of its spans that are not requested yet.
    spans: usize,
}

/// Bytes of a transfer that are not requested yet.
struct Span {
    key: u64,
    offset: usize,
    len: usize,
}

/// A request that waits for its answer.
struct Sent {
    /// `None` for the probe.
    span: Option<Span>,
    until: Instant,
}

impl Sent {
    fn len(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.len)
    }
}

/// The properties of a client.
struct Peer {
    /// The maximum bytes of one request.
    piece: usize,
    /// `None` until the probe is answered.
    layout: Option<Layout>,
}

/// All transfers of a device, in order. No work per message iterates over all waiting transfers,
/// because a client may leave any number of them unanswered.
#[derive(Default)]
pub(super) struct Queue {
    /// `None` while there is no client.
    peer: Option<Peer>,
    limits: Limits,
    /// The session whose transfers are accepted.
    session: Session,
    open: HashMap<u64, Open>,
    last_key: u64,
    /// The open ones, by their first address.
    by_start: BTreeSet<(u64, u64)>,
    /// The open ones that have the full time limit.
    unshortened: BTreeSet<u64>,
    /// In the order of their requests. Spans of failed transfers may be left.
    spans: VecDeque<Span>,
    /// The number of those left over.
    stale: usize,
    sent: HashMap<u16, Sent>,
    /// The bytes of the sent requests.
    in_flight: usize,
    /// Ids of requests whose answers may still arrive, to be dropped.
    given_up: HashSet<u16>,
    last_id: u16,
    /// The weight of all transfers.
    waiting: usize,
    /// Transfers that have the short time limit, by deadline.
    shortened: VecDeque<(Instant, u64)>,
}

impl Queue {
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Attaches a client. `probe` says that its layout is uncertain.
    pub(super) fn attach(&mut self, max_data: u64, probe: bool) {
        let piece = usize::try_from(max_data).map_or(MAX_PIECE, |max| max.min(MAX_PIECE));
        let layout = (!probe).then_some(Layout::Wide);
        // Clients count from 0 or 1: a log with both is easier to read.
        *self = Queue {
            peer: Some(Peer { piece, layout }),
            limits: self.limits,
            session: self.session,
            last_key: self.last_key,
            last_id: 0x8000,
            ..Queue::default()
        };
    }

    /// Returns the last id of a request.
    pub(super) fn last_id(&self) -> u16 {
        self.last_id
    }

    /// Continues with the ids after this one: answers to earlier requests may still arrive.
    pub(super) fn continue_after(&mut self, last_id: u16) {
        self.last_id = last_id;
    }

    /// Detaches the client, and ends all transfers.
    pub(super) fn detach(&mut self) -> Vec<Completed> {
        let completed = self.fail_all(Failure::Disconnected);
        let (limits, session, last_key) = (self.limits, self.session, self.last_key);
        *self = Queue { limits, session, last_key, ..Queue::default() };
        completed
    }

    /// Ends the session, and all transfers. The client may still perform requests that were sent.
    pub(super) fn end_session(&mut self, next: Session) -> Vec<Completed> {
        self.session = next;
        let completed = self.fail_all(Failure::Ended);
        self.sweep();
        completed
    }

    /// Returns whether there is nothing to send and nothing to wait for.
    pub(super) fn is_idle(&self) -> bool {
        self.spans.len() == self.stale && self.sent.is_empty()
    }

    /// Adds a transfer; returns the key by which it can be given up.
    pub(super) fn push(&mut self, transfer: Transfer) -> Result<u64, Failure> {
        if transfer.session != self.session {
            return Err(Failure::Ended);
        }
        match &self.peer {
            None => return Err(Failure::Disconnected),
            Some(Peer { piece: 0, .. }) => return Err(Failure::Refused(Errno::E2BIG)),
            Some(_) => {}
        }
        let (weight, len) = (transfer.weight(), transfer.data.len());
        if weight > 0 && self.waiting + weight > self.limits.queued_bytes {
            return Err(Failure::Full);
        }
        self.waiting += weight;
        self.last_key += 1;
        let key = self.last_key;
        self.by_start.insert((transfer.iova, key));
        self.unshortened.insert(key);
        self.open.insert(key, Open { transfer, left: len, spans: 1 });
        self.spans.push_back(Span { key, offset: 0, len });
        Ok(key)
    }

    /// Gives up a transfer with a waiting thread. Returns whether it was still open.
    pub(super) fn give_up(&mut self, key: u64) -> bool {
        self.fail(key, Failure::Unanswered).is_some()
    }

    /// Sends the next request, if there is one and the client may get one. Returns whether it did.
    pub(super) fn send_next(&mut self, now: Instant, send: impl FnOnce(&Header, &[&[u8]])) -> bool {
        let Some(Peer { piece, layout }) = self.peer else { return false };
        self.skip_failed();
        let Some(span) = self.spans.front_mut() else { return false };
        let Some(layout) = layout else { return self.probe(now, send) };
        let len = span.len.min(piece);
        let fits = self.in_flight == 0 || self.in_flight + len <= WINDOW;
        if self.sent.len() >= MAX_SENT || !fits {
            return false;
        }
        let Some(Open { transfer, spans, .. }) = self.open.get_mut(&span.key) else { return false };
        let (key, offset) = (span.key, span.offset);
        span.offset += len;
        span.len -= len;
        if span.len == 0 {
            *spans -= 1;
            self.spans.pop_front();
        }
        let (direction, iova) = (transfer.direction, transfer.iova + offset as u64);
        let data = &transfer.data[offset..offset + len];
        let id = next_id(&mut self.last_id, &self.sent, &mut self.given_up);
        layout.request(id, direction, iova, data, send);
        let span = Some(Span { key, offset, len });
        self.sent.insert(id, Sent { span, until: now + self.limits.answer });
        self.in_flight += len;
        true
    }

    /// Sends a write of no bytes, to detect the layout of the client's answers.
    fn probe(&mut self, now: Instant, send: impl FnOnce(&Header, &[&[u8]])) -> bool {
        if !self.sent.is_empty() {
            return false;
        }
        let id = next_id(&mut self.last_id, &self.sent, &mut self.given_up);
        Layout::Wide.request(id, Direction::Write, 0, &[], send);
        self.sent.insert(id, Sent { span: None, until: now + self.limits.answer });
        true
    }

    /// Returns whether a message answers a request, which may have timed out.
    pub(super) fn expects(&self, answer: &Header) -> bool {
        let id = answer.message_id.get();
        self.sent.contains_key(&id) || self.given_up.contains(&id)
    }

    /// Handles an answer, without its payload if that was too large.
    pub(super) fn answer(&mut self, header: &Header, payload: Option<&[u8]>) -> Option<Completed> {
        let id = header.message_id.get();
        let Some(sent) = self.sent.remove(&id) else {
            if !self.given_up.remove(&id) {
                debug!(id, "a reply without a request is ignored");
            }
            return None;
        };
        let peer = self.peer.as_mut()?;
        let Some(Span { key, offset, len }) = sent.span else {
            peer.layout = Some(Layout::of_probe(header, payload));
            return None;
        };
        self.in_flight -= len;
        // For a transfer that has failed otherwise, no thread waits any more.
        let Open { transfer, left, spans } = self.open.get_mut(&key)?;
        let layout = peer.layout.unwrap_or(Layout::Wide);
        let iova = transfer.iova + offset as u64;
        let data = &mut transfer.data[offset..offset + len];
        let done = layout.answer(header, payload, transfer.direction, iova, data);
        match done {
            Err(failure) => self.fail(key, failure),
            Ok(done) => {
                *left -= done;
                if done < len {
                    *spans += 1;
                    self.spans.push_front(Span { key, offset: offset + done, len: len - done });
                } else if *left == 0 {
                    return self.end(key, Ok(()));
                }
                None
            }
        }
    }

    /// Returns when the next transfer times out.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // At most `MAX_SENT`.
        let sent = self.sent.values().map(|sent| sent.until);
        sent.chain(self.shortened.front().map(|(until, _)| *until)).min()
    }

    /// Gives up transfers that have timed out. A client that leaves one request unanswered for that
    /// long serves none, so the transfers behind it are given up as well.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Completed> {
        let mut completed = Vec::new();
        while let Some((until, key)) = self.shortened.front().copied()
            && until <= now
        {
            self.shortened.pop_front();
            completed.extend(self.fail(key, Failure::Unanswered));
        }
        let late = self.sent.extract_if(|_, sent| sent.until <= now);
        let late: Vec<(u16, Sent)> = late.collect();
        if !late.is_empty() {
            let behind = self.spans.iter().map(|span| span.key);
            let keys = late.iter().filter_map(|(_, sent)| Some(sent.span.as_ref()?.key));
            let keys: Vec<_> = keys.chain(behind).collect();
            completed.extend(keys.iter().filter_map(|key| self.fail(*key, Failure::Unanswered)));
        }
        for (id, sent) in late {
            self.in_flight -= sent.len();
            self.given_up.insert(id);
        }
        completed
    }

    /// Handles an unmap by the client: cancels transfers that were not requested in full, and
    /// shortens the time limit of the rest.
    pub(super) fn withdraw(&mut self, first: u64, last: u64, now: Instant) -> Vec<Completed> {
        // A transfer is inside one region, and whole regions are unmapped.
        let inside = self.by_start.range((first, 0)..=(last, u64::MAX)).map(|(_, key)| *key);
        let is_unsent = |key: &u64| self.open.get(key).is_some_and(|open| open.spans > 0);
        let (mut unsent, sent): (Vec<_>, Vec<_>) = inside.partition(is_unsent);
        unsent.sort_unstable();
        let fail = |key: &u64| self.fail(*key, Failure::Unmapped);
        let completed = unsent.iter().filter_map(fail).collect();
        for key in sent {
            self.shorten_deadline(key, now);
        }
        completed
    }

    /// Shortens the time limit of a transfer, because the client waits for its end.
    pub(super) fn shorten_deadline(&mut self, key: u64, now: Instant) {
        if self.unshortened.remove(&key) {
            self.shortened.push_back((now + SHORT_TIME_LIMIT, key));
        }
    }

    /// Shortens the time limit of all transfers, because the client waits for the device to stop.
    pub(super) fn shorten_deadlines(&mut self, now: Instant) {
        let all = std::mem::take(&mut self.unshortened);
        self.shortened.extend(all.into_iter().map(|key| (now + SHORT_TIME_LIMIT, key)));
    }

    fn fail_all(&mut self, failure: Failure) -> Vec<Completed> {
        let mut keys: Vec<_> = self.open.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(|key| self.fail(key, failure)).collect()
    }

    fn fail(&mut self, key: u64, failure: Failure) -> Option<Completed> {
        self.end(key, Err(failure))
    }

    fn end(&mut self, key: u64, result: Result<(), Failure>) -> Option<Completed> {
        let Open { transfer, spans, .. } = self.open.remove(&key)?;
        self.by_start.remove(&(transfer.iova, key));
        self.unshortened.remove(&key);
        self.stale += spans;
        self.sweep();
        self.waiting -= transfer.weight();
        let Transfer { data, on_done, .. } = transfer;
        Some(Completed { on_done, result: result.map(|()| data) })
    }

    /// Removes spans of ended transfers once they outnumber the others, so the cost for each is
    /// small.
    fn sweep(&mut self) {
        if self.stale * 2 > self.spans.len() {
            self.spans.retain(|span| self.open.contains_key(&span.key));
            self.stale = 0;
        }
        if self.shortened.len() > self.open.len() * 2 {
            self.shortened.retain(|(_, key)| self.open.contains_key(key));
        }
    }

    fn skip_failed(&mut self) {
        while let Some(span) = self.spans.front()
            && !self.open.contains_key(&span.key)
        {
            self.spans.pop_front();
            self.stale -= 1;
        }
    }
}

/// Returns an id that no pending request has.
fn next_id(last: &mut u16, sent: &HashMap<u16, Sent>, given_up: &mut HashSet<u16>) -> u16 {
    // Before free ids get scarce: answers that are still missing by then will never arrive.
    if given_up.len() > usize::from(u16::MAX / 2) {
        given_up.clear();
    }
    loop {
        *last = last.wrapping_add(1);
        if !sent.contains_key(last) && !given_up.contains(last) {
            return *last;
        }
    }
}

#[cfg(test)]
mod tests;
