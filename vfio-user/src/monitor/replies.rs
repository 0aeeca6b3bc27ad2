//! Replies to requests.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::desk::Asker;
use super::hook_times::Hooked;
use super::names;
use super::observer::{Accessed, Observer};
use super::peer::LONGEST;
use super::question::{Answer, PART, Question, Value};
use super::wire::{
    AccessCount, Counters, DeviceInfo, HookTime, Message, NamedValue, Page, Reply, Request,
    RunningHook, VERSION,
};
use crate::model::Slot;

/// The device that a monitor looks at. It is replaced after a panic.
#[derive(Clone)]
pub(super) struct Observed {
    pub(super) observer: Arc<Observer>,
    /// Displays the hook that runs.
    pub(super) hook: Option<Arc<dyn fmt::Display + Send + Sync>>,
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").finish_non_exhaustive()
    }
}

/// Replies to requests.
#[derive(Debug)]
pub(super) struct Replies {
    pub(super) device: Arc<Mutex<Option<Observed>>>,
    pub(super) asker: Asker,
    pub(super) allows_pokes: bool,
}

/// Why there is no reply but an error.
type Problem = String;

impl Replies {
    /// Returns the reply to a line.
    pub(super) fn to(&mut self, line: &[u8]) -> Vec<u8> {
        let reply = serde_json::from_slice(line)
            .map_err(|error| format!("the request cannot be understood: {error}"))
            .and_then(|request| self.reply(request));
        encode(reply.unwrap_or_else(Reply::Error))
    }

    pub(super) fn too_long() -> Vec<u8> {
        encode(Reply::Error(format!("a request has at most {LONGEST} bytes")))
    }

    pub(super) fn closed(&self) -> BorrowedFd<'_> {
        self.asker.closed()
    }

    pub(super) fn pause(&self, time: Duration) {
        self.asker.sleep(time);
    }

    fn reply(&mut self, request: Request) -> Result<Reply, Problem> {
        let device = self.device.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(device) = device else {
            return Err("the function is not derived: nothing of it can be looked at".to_owned());
        };
        match request {
            Request::Device => Ok(Reply::Device(self.info(&device))),
            Request::Last => Ok(Reply::Last(names::last(&device.observer))),
            Request::Accesses { from } => Ok(Reply::Accesses(accesses(&device.observer, from))),
            Request::Hooks { from } => Ok(Reply::Hooks(hooks(&device.observer, from))),
            Request::Counters => {
                let answer = self.ask(&device, Question::Counters)?;
                Ok(Reply::Counters(counters(&device.observer, answer)?))
            }
            Request::Poke { .. } if !self.allows_pokes => {
                Err("this monitor does not allow pokes".to_owned())
            }
            request => self.reply_of_device(&device, request),
        }
    }

    /// Replies with what only the device's thread has.
    fn reply_of_device(&mut self, device: &Observed, request: Request) -> Result<Reply, Problem> {
        let (question, from) = question(&request);
        let behind = from.saturating_add(PART as u64);
        Ok(match self.ask(device, question)? {
            Answer::Registers(values) => {
                let values = values.into_iter();
                let items = values.map(|(slot, value)| register(&device.observer, slot, value));
                let has_more = behind < device.observer.numbering().len();
                Reply::Registers(Page { items: items.collect(), next: has_more.then_some(behind) })
            }
            Answer::Value(slot, value) => {
                Reply::Register(named_value(&device.observer, request, slot, value))
            }
            Answer::Interrupts(items, has_more) => {
                Reply::Interrupts(Page { items, next: has_more.then_some(behind) })
            }
            Answer::Dma(items) => {
                let last = items.last().filter(|_| items.len() == PART);
                let next = last.and_then(|mapping| mapping.last.checked_add(1));
                Reply::Dma(Page { items, next })
            }
            Answer::Unmodelled(items) => {
                let next = (items.len() == PART).then_some(behind);
                Reply::Unmodelled(Page { items, next })
            }
            Answer::Counters(..) => return Err("unexpected answer".to_owned()),
            Answer::Refused(problem) => return Err(problem),
        })
    }

    fn ask(&mut self, device: &Observed, question: Question) -> Result<Answer, Problem> {
        self.asker.ask(question).ok_or_else(|| match running(device) {
            Some(hook) => {
                let milliseconds = hook.nanoseconds / 1_000_000;
                format!("the device does not answer: {} runs for {milliseconds} ms", hook.name)
            }
            None => "the device does not answer".to_owned(),
        })
    }

    fn info(&self, device: &Observed) -> DeviceInfo {
        let descriptor = device.observer.numbering().descriptor();
        DeviceInfo {
            name: descriptor.name().to_owned(),
            vendor: descriptor.ids().vendor,
            device: descriptor.ids().device,
            process: std::process::id(),
            nanoseconds: nanoseconds(device.observer.elapsed()),
            pokes: self.allows_pokes,
            hook: running(device),
        }
    }
}

/// Returns the question of a request, and the number of the first item of its list.
fn question(request: &Request) -> (Question, u64) {
    match request {
        Request::Registers { from } => (Question::Registers(*from), *from),
        Request::Register { name } => (Question::Peek(name.clone()), 0),
        Request::Poke { name, value } => (Question::Poke(name.clone(), *value), 0),
        Request::Interrupts { from } => (Question::Interrupts(*from), *from),
        Request::Dma { from } => (Question::Dma(*from), *from),
        Request::Unmodelled { from } => (Question::Unmodelled(*from), *from),
        _ => (Question::Counters, 0),
    }
}

fn running(device: &Observed) -> Option<RunningHook> {
    let nanoseconds = device.observer.hooks().running()?;
    let name = device.hook.as_ref()?.to_string();
    Some(RunningHook { name, nanoseconds })
}

/// Returns the value of what a request names: a register, a field, a byte.
fn named_value(
    observer: &Observer,
    request: Request,
    slot: Option<Slot>,
    value: Value,
) -> NamedValue {
    let name = match request {
        Request::Register { name } | Request::Poke { name, .. } => name,
        _ => String::new(),
    };
    let set = slot.map(|slot| names::set(observer, slot, value.bits)).unwrap_or_default();
    NamedValue { name, value: value.bits, exact: value.is_exact, set }
}

fn register(observer: &Observer, slot: Slot, value: Value) -> NamedValue {
    NamedValue {
        name: observer.numbering().name(slot).to_string(),
        value: value.bits,
        exact: value.is_exact,
        set: names::set(observer, slot, value.bits),
    }
}

fn accesses(observer: &Observer, from: u64) -> Page<AccessCount> {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let (found, next) = observer.accessed(from, PART);
    let items = found.into_iter().map(|(accessed, reads, writes)| {
        let (name, register) = match accessed {
            Accessed::Register(slot) => (observer.numbering().name(slot).to_string(), true),
            Accessed::Elsewhere(what) => (what.name().to_owned(), false),
        };
        AccessCount { name, register, reads, writes }
    });
    Page { items: items.collect(), next: next.map(|next| next as u64) }
}

fn hooks(observer: &Observer, from: u64) -> Page<HookTime> {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let mut all = observer.hooks().all().skip(from);
    let items = all.by_ref().take(PART).map(|(what, time)| HookTime {
        name: hook_name(observer, what),
        calls: time.calls,
        nanoseconds: time.nanoseconds,
        longest: time.longest,
    });
    let items: Vec<_> = items.collect();
    let next = all.next().map(|_| (from + PART) as u64);
    Page { items, next }
}

fn hook_name(observer: &Observer, what: Hooked) -> String {
    match what {
        Hooked::Register(number) => names::declared(observer, number),
        Hooked::Method(index) => format!("Device::{}", observer.hooks().method(index)),
        Hooked::Timers => "timers".to_owned(),
        Hooked::Memories => "memories".to_owned(),
    }
}

fn counters(observer: &Observer, answer: Answer) -> Result<Counters, Problem> {
    let (refused, (dma_read, dma_written)) = match answer {
        Answer::Counters(refused, bytes) => (refused, bytes),
        Answer::Refused(problem) => return Err(problem),
        _ => return Err("unexpected answer".to_owned()),
    };
    let (reads, writes) = observer.total();
    let times = observer.hooks().all();
    let (hook_calls, hook_nanoseconds) = times.fold((0, 0), |(calls, nanoseconds), (_, time)| {
        (calls + time.calls, nanoseconds + time.nanoseconds)
    });
    Ok(Counters { reads, writes, refused, dma_read, dma_written, hook_calls, hook_nanoseconds })
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A line. Numbers and texts can always be encoded.
fn encode(reply: Reply) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Message { version: VERSION, reply }).unwrap_or_default();
    line.push(b'\n');
    line
}
