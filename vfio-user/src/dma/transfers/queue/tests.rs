mod random;

use super::*;
use std::sync::{Arc, Mutex};
use zerocopy::{FromBytes, IntoBytes};

use crate::dma::transfers::transfer::OVERHEAD;
use crate::protocol::{Command, DmaAccess};

/// A request as a client sees it.
#[derive(Clone, Debug)]
struct Request {
    header: Header,
    payload: Vec<u8>,
}

impl Request {
    fn access(&self) -> (u64, usize) {
        let (access, _) = DmaAccess::read_from_prefix(&self.payload).unwrap();
        (access.address.get(), usize::try_from(access.count.get()).unwrap())
    }

    fn is_write(&self) -> bool {
        self.header.command() == Ok(Command::DmaWrite)
    }
}

type Results = Arc<Mutex<Vec<(usize, Result<Vec<u8>, Failure>)>>>;

/// A queue, and the results of its transfers.
struct Tested {
    queue: Queue,
    now: Instant,
    results: Results,
}

impl Tested {
    fn new(max_data: u64, probe: bool) -> Self {
        let mut queue = Queue::default();
        queue.attach(max_data, probe);
        Tested { queue, now: Instant::now(), results: Results::default() }
    }

    fn push_as(
        &mut self,
        number: usize,
        direction: Direction,
        iova: u64,
        data: Vec<u8>,
        has_waiter: bool,
    ) -> Result<u64, Failure> {
        let results = Arc::clone(&self.results);
        let on_done: OnDone =
            Box::new(move |result| results.lock().unwrap().push((number, result)));
        let session = Session::default();
        self.queue.push(Transfer { session, direction, iova, data, has_waiter, on_done })
    }

    fn read(&mut self, number: usize, iova: u64, len: usize) {
        self.push_as(number, Direction::Read, iova, vec![0; len], false).unwrap();
    }

    fn write(&mut self, number: usize, iova: u64, data: &[u8]) {
        self.push_as(number, Direction::Write, iova, data.to_vec(), false).unwrap();
    }

    fn next(&mut self) -> Option<Request> {
        let mut request = None;
        let sent = self.queue.send_next(self.now, |header, parts| {
            request = Some(Request { header: *header, payload: parts.concat() });
        });
        assert_eq!(sent, request.is_some());
        request
    }

    fn all(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn reply(&mut self, request: &Request, payload: &[u8]) {
        let header = request.header.reply(payload.len());
        self.queue.answer(&header, Some(payload)).into_iter().for_each(Completed::report);
    }

    fn refuse(&mut self, request: &Request, errno: Errno) {
        let header = request.header.error_reply(errno);
        self.queue.answer(&header, Some(&[])).into_iter().for_each(Completed::report);
    }

    /// Serves a request from memory that starts at address 0, or as much of it as `most`.
    fn serve(&mut self, request: &Request, memory: &mut [u8], most: usize) {
        let (iova, count) = request.access();
        let (at, done) = (usize::try_from(iova).unwrap(), count.min(most));
        let access = DmaAccess { address: iova.into(), count: (done as u64).into() };
        let mut payload = access.as_bytes().to_vec();
        if request.is_write() {
            memory[at..at + done].copy_from_slice(&request.payload[16..16 + done]);
        } else {
            payload.extend_from_slice(&memory[at..at + done]);
        }
        self.reply(request, &payload);
    }

    fn expire(&mut self) {
        self.queue.expire(self.now).into_iter().for_each(Completed::report);
    }

    fn withdraw(&mut self, first: u64, last: u64) {
        self.queue.withdraw(first, last, self.now).into_iter().for_each(Completed::report);
    }

    fn results(&mut self) -> Vec<(usize, Result<Vec<u8>, Failure>)> {
        std::mem::take(&mut *self.results.lock().unwrap())
    }
}

const DEFAULT: u64 = 1 << 20;

fn answer_of(address: u64, count: u64, data: &[u8]) -> Vec<u8> {
    let access = DmaAccess { address: address.into(), count: count.into() };
    [access.as_bytes(), data].concat()
}

#[test]
fn what_is_large_goes_in_pieces_and_a_window_of_them() {
    let mut tested = Tested::new(DEFAULT, false);
    let mut memory: Vec<u8> = (0..200_000u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    tested.read(0, 100, 150_000);
    let sent = tested.all();
    assert_eq!(sent.len(), WINDOW / MAX_PIECE);
    assert_eq!(sent[1].access(), (100 + 32768, 32768));
    tested.serve(&sent[0], &mut memory, usize::MAX);
    let last = tested.all();
    assert_eq!(last[0].access(), (100 + 131_072, 150_000 - 131_072));
    assert_eq!(last.len(), 1);
    for request in sent[1..].iter().chain(&last) {
        assert!(tested.results().is_empty());
        tested.serve(request, &mut memory, usize::MAX);
    }
    assert_eq!(tested.results(), [(0, Ok(memory[100..150_100].to_vec()))]);
    assert!(tested.queue.is_idle());
}

#[test]
fn small_ones_are_limited_by_their_number() {
    let mut tested = Tested::new(DEFAULT, false);
    (0..20).for_each(|number| tested.write(number, 0, b"x"));
    let sent = tested.all();
    assert_eq!(sent.len(), MAX_SENT);
    // Without a payload all has been written.
    tested.reply(&sent[3], &[]);
    assert_eq!(tested.results(), [(3, Ok(b"x".to_vec()))]);
    assert_eq!(tested.all().len(), 1);
}

#[test]
fn a_client_with_a_smaller_limit_gets_smaller_pieces() {
    let mut tested = Tested::new(10, false);
    tested.write(0, 0x50, &[7; 25]);
    let counts: Vec<_> = tested.all().iter().map(Request::access).collect();
    assert_eq!(counts, [(0x50, 10), (0x5a, 10), (0x64, 5)]);
    let mut none = Tested::new(0, false);
    let refused = none.push_as(0, Direction::Read, 0, vec![0], true);
    assert_eq!(refused, Err(Failure::Refused(Errno::E2BIG)));
}

#[test]
fn a_short_answer_is_followed_by_a_request_for_the_rest() {
    let mut tested = Tested::new(DEFAULT, false);
    let mut memory: Vec<u8> = (0..=255).collect();
    tested.read(0, 10, 100);
    tested.read(1, 0, 1);
    let sent = tested.all();
    tested.serve(&sent[0], &mut memory, 30);
    let rest = tested.next().unwrap();
    assert_eq!(rest.access(), (40, 70));
    tested.serve(&rest, &mut memory, usize::MAX);
    assert_eq!(tested.results(), [(0, Ok(memory[10..110].to_vec()))]);
}

#[test]
fn answers_that_make_no_sense_fail_their_transfer_alone() {
    let good = answer_of(0x1000, 8, &[1; 8]);
    let bad: Vec<Vec<u8>> = vec![
        vec![],
        good[..15].to_vec(),
        good[..23].to_vec(),
        answer_of(0x1001, 8, &[1; 8]),
        answer_of(0x1000, 0, &[]),
        answer_of(0x1000, 9, &[1; 9]),
        answer_of(0x1000, 1 << 63, &[1; 8]),
    ];
    for payload in bad {
        let mut tested = Tested::new(DEFAULT, false);
        tested.read(0, 0x1000, 8);
        tested.read(1, 0x1000, 8);
        let sent = tested.all();
        tested.reply(&sent[0], &payload);
        assert_eq!(tested.results(), [(0, Err(Failure::Malformed))], "{payload:?}");
        tested.reply(&sent[0], &good);
        assert!(tested.results().is_empty(), "answered twice");
        tested.reply(&sent[1], &good);
        assert_eq!(tested.results(), [(1, Ok(vec![1; 8]))]);
    }
}

#[test]
fn another_command_or_a_payload_that_was_too_large_is_malformed() {
    let mut tested = Tested::new(DEFAULT, false);
    tested.read(0, 0, 8);
    tested.read(1, 0, 8);
    let mut sent = tested.all();
    sent[0].header.command = u16::from(Command::DmaWrite).into();
    tested.reply(&sent[0].clone(), &[]);
    let header = sent[1].header.reply(64 << 20);
    tested.queue.answer(&header, None).into_iter().for_each(Completed::report);
    let malformed = Err(Failure::Malformed);
    assert_eq!(tested.results(), [(0, malformed.clone()), (1, malformed)]);
}

#[test]
fn an_error_ends_a_transfer_and_its_other_pieces_are_forgotten() {
    let mut tested = Tested::new(10, false);
    tested.read(0, 0, 400);
    tested.read(1, 0x1000, 4);
    let sent = tested.all();
    assert_eq!(sent.len(), MAX_SENT);
    tested.refuse(&sent[2], Errno::EFAULT);
    assert_eq!(tested.results(), [(0, Err(Failure::Refused(Errno::EFAULT)))]);
    let next = tested.all();
    assert_eq!(next.iter().map(Request::access).collect::<Vec<_>>(), [(0x1000, 4)]);
    for request in &sent {
        tested.refuse(request, Errno::EIO);
    }
    assert!(tested.results().is_empty());
    tested.reply(&next[0], &answer_of(0x1000, 4, b"good"));
    assert_eq!(tested.results(), [(1, Ok(b"good".to_vec()))]);
    assert!(tested.queue.is_idle());
}

#[test]
fn answers_to_nothing_are_ignored() {
    let mut tested = Tested::new(DEFAULT, false);
    tested.read(0, 0, 4);
    let request = tested.next().unwrap();
    let mut other = request.clone();
    other.header.message_id = (request.header.message_id.get() + 1).into();
    tested.reply(&other, &answer_of(0, 4, b"evil"));
    assert!(tested.results().is_empty());
    tested.reply(&request, &answer_of(0, 4, b"good"));
    assert_eq!(tested.results(), [(0, Ok(b"good".to_vec()))]);
}

#[test]
fn what_is_not_answered_is_given_up_and_what_waits_behind_it() {
    let mut tested = Tested::new(10, false);
    tested.read(0, 0, 200);
    tested.read(1, 0x1000, 4);
    let sent = tested.all();
    tested.now += Limits::DEFAULT.answer / 2;
    tested.reply(&sent[0], &answer_of(0, 10, &[0; 10]));
    assert_eq!(tested.all().len(), 1, "sent later than the others");
    tested.expire();
    assert!(tested.results().is_empty());
    assert_eq!(tested.queue.deadline(), Some(tested.now + Limits::DEFAULT.answer / 2));
    tested.now += Limits::DEFAULT.answer / 2;
    tested.expire();
    let unanswered = Err(Failure::Unanswered);
    assert_eq!(tested.results(), [(0, unanswered.clone()), (1, unanswered)]);
    // A late answer does not answer a later request.
    tested.read(2, 0, 10);
    let request = tested.next().unwrap();
    tested.reply(&sent[1], &answer_of(0, 10, &[9; 10]));
    assert!(tested.results().is_empty());
    tested.reply(&request, &answer_of(0, 10, &[1; 10]));
    assert_eq!(tested.results(), [(2, Ok(vec![1; 10]))]);
}

#[test]
fn no_id_is_used_again_while_its_answer_may_come() {
    let mut tested = Tested::new(DEFAULT, false);
    let mut ids = HashSet::new();
    for _ in 0..2000 {
        (0..MAX_SENT).for_each(|number| tested.read(number, 0, 1));
        ids.extend(tested.all().iter().map(|request| request.header.message_id.get()));
        tested.now += Limits::DEFAULT.answer;
        tested.expire();
        assert_eq!(tested.results().len(), MAX_SENT);
    }
    assert_eq!(ids.len(), 2000 * MAX_SENT);
}

#[test]
fn memory_that_is_taken_back_fails_what_was_not_asked_for() {
    let mut tested = Tested::new(10, false);
    tested.read(0, 0, 10);
    tested.write(1, 0x1000, &[1; 200]);
    tested.write(2, 0x1010, &[2; 4]);
    tested.write(3, 0x2000, &[3; 4]);
    let sent = tested.all();
    tested.withdraw(0, 0x1fff);
    let unmapped = Err(Failure::Unmapped);
    assert_eq!(tested.results(), [(1, unmapped.clone()), (2, unmapped)]);
    assert_eq!(
        tested.queue.deadline(),
        Some(tested.now + SHORT_TIME_LIMIT),
        "of what was asked for"
    );
    for request in &sent[1..] {
        tested.reply(request, &[]);
    }
    let last = tested.next().unwrap();
    tested.now += SHORT_TIME_LIMIT;
    tested.expire();
    assert_eq!(tested.results(), [(0, Err(Failure::Unanswered))]);
    tested.reply(&last, &[]);
    assert_eq!(tested.results(), [(3, Ok(vec![3; 4]))], "it has all its time");
}

#[test]
fn what_no_thread_waits_for_is_limited() {
    let mut tested = Tested::new(DEFAULT, false);
    let large = vec![1; Limits::DEFAULT.queued_bytes - OVERHEAD - 1];
    tested.write(0, 0, &large);
    let full = tested.push_as(1, Direction::Write, 0, vec![1], false);
    assert_eq!(full, Err(Failure::Full));
    assert!(tested.push_as(2, Direction::Write, 0, large.clone(), true).is_ok(), "a thread waits");
    let request = tested.next().unwrap();
    tested.refuse(&request, Errno::EFAULT);
    tested.write(3, 0, &large);
}

#[test]
fn a_client_that_leaves_fails_everything_and_the_next_one_starts_anew() {
    let mut tested = Tested::new(DEFAULT, false);
    tested.read(0, 0, 10);
    let old = tested.next().unwrap();
    tested.write(1, 0, b"never sent");
    tested.queue.detach().into_iter().for_each(Completed::report);
    let gone = Err(Failure::Disconnected);
    assert_eq!(tested.results(), [(0, gone.clone()), (1, gone.clone())]);
    assert_eq!(tested.push_as(2, Direction::Read, 0, vec![0], true), gone.map(|_| 0));
    tested.queue.attach(DEFAULT, false);
    tested.write(3, 0x1000, b"new");
    let request = tested.next().unwrap();
    assert_eq!(request.header.message_id, old.header.message_id);
    tested.reply(&request, &[]);
    assert_eq!(tested.results(), [(3, Ok(b"new".to_vec()))]);
}

#[test]
fn a_transfer_that_is_given_up_is_not_reported() {
    let mut tested = Tested::new(DEFAULT, false);
    let key = tested.push_as(0, Direction::Read, 0, vec![0], true).unwrap();
    let request = tested.next().unwrap();
    assert!(tested.queue.give_up(key));
    assert!(!tested.queue.give_up(key));
    tested.reply(&request, &answer_of(0, 1, &[1]));
    assert!(tested.results().is_empty());
}

/// QEMU before 11 has the data behind four bytes of count, and shows it by its answer to a write of
/// nothing.
#[test]
fn the_layout_of_older_qemu_is_found_out_and_spoken() {
    let mut tested = Tested::new(DEFAULT, true);
    tested.read(0, 0x1000, 4);
    tested.write(1, 0x2000, b"data");
    let probe = tested.next().unwrap();
    assert!(probe.is_write() && tested.next().is_none());
    assert_eq!((probe.access(), probe.payload.len()), ((0, 0), 16));
    tested.reply(&probe, &[]);
    let [read, write] = tested.all().try_into().unwrap();
    assert_eq!(read.access(), (0x1000, 4));
    let narrow = |iova: u64, data: &[u8]| {
        [&iova.to_le_bytes()[..], &4u32.to_le_bytes(), data, &[0; 4]].concat()
    };
    assert_eq!(write.payload, narrow(0x2000, b"data"));
    tested.reply(&read, &narrow(0x1000, b"good"));
    tested.reply(&write, &[]);
    assert_eq!(tested.results(), [(0, Ok(b"good".to_vec())), (1, Ok(b"data".to_vec()))]);
}

#[test]
fn a_probe_that_is_answered_in_full_or_refused_leaves_the_layout_as_it_should_be() {
    for refuses in [false, true] {
        let mut tested = Tested::new(DEFAULT, true);
        tested.write(0, 0x2000, b"data");
        let probe = tested.next().unwrap();
        if refuses {
            tested.refuse(&probe, Errno::ENODEV);
        } else {
            tested.reply(&probe, &answer_of(0, 0, &[]));
        }
        assert_eq!(tested.next().unwrap().payload, answer_of(0x2000, 4, b"data"));
    }
}

#[test]
fn a_probe_without_answer_fails_what_waits_and_is_tried_again() {
    let mut tested = Tested::new(DEFAULT, true);
    tested.write(0, 0, b"data");
    tested.next().unwrap();
    tested.now += Limits::DEFAULT.answer;
    tested.expire();
    assert_eq!(tested.results(), [(0, Err(Failure::Unanswered))]);
    tested.write(1, 0, b"data");
    assert_eq!(tested.next().unwrap().access(), (0, 0));
}

/// More than any of these takes, by far; a walk over all that wait would take longer.
const AT_MOST: Duration = Duration::from_secs(30);

fn crowded() -> Tested {
    let mut tested = Tested::new(DEFAULT, false);
    (0..60_000).for_each(|number| tested.write(number, 0x1000, &[1; 4]));
    assert_eq!(tested.all().len(), MAX_SENT);
    tested
}

#[test]
fn what_is_left_unanswered_costs_no_later_message() {
    let mut tested = crowded();
    let start = Instant::now();
    for _ in 0..20_000 {
        tested.expire();
        assert!(tested.next().is_none() && tested.queue.deadline().is_some());
        tested.withdraw(0x100_0000, 0x1ff_ffff);
        tested.queue.shorten_deadlines(tested.now);
        let waiter = tested.push_as(60_000, Direction::Read, 0x5000, vec![0; 4], true).unwrap();
        assert!(tested.queue.give_up(waiter));
    }
    assert!(start.elapsed() < AT_MOST, "{:?}", start.elapsed());
    assert!(tested.queue.spans.len() <= 2 * 60_000 && tested.queue.shortened.len() <= 2 * 60_000);
}

#[test]
fn each_of_many_that_fail_costs_itself_alone() {
    let mut tested = Tested::new(DEFAULT, false);
    (0..60_000).for_each(|number| tested.write(number, 0x1000, &[1; 4]));
    let start = Instant::now();
    while let Some(request) = tested.next() {
        tested.refuse(&request, Errno::EFAULT);
    }
    assert!(start.elapsed() < AT_MOST, "{:?}", start.elapsed());
    assert_eq!(tested.results().len(), 60_000);
    assert!(tested.queue.is_idle());
    assert!(tested.queue.by_start.is_empty() && tested.queue.unshortened.is_empty());
}
