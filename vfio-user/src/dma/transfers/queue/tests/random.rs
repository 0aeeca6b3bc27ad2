//! Any steps, against a naive model.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

const PAGE: usize = 0x1000;

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Write(usize),
    Send,
    /// Serves one of the requests that wait, up to so many bytes of it.
    Serve(usize, usize),
    Refuse(usize),
    /// Takes the page of a transfer back.
    Withdraw(usize),
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..PAGE).prop_map(Step::Read),
        4 => (1..PAGE).prop_map(Step::Write),
        8 => Just(Step::Send),
        8 => (0usize..64, prop_oneof![Just(PAGE), 1usize..100])
            .prop_map(|(which, most)| Step::Serve(which, most)),
        1 => (0usize..64).prop_map(Step::Refuse),
        1 => (0usize..64).prop_map(Step::Withdraw),
        1 => Just(Step::Wait),
    ];
    proptest::collection::vec(step, 0..200)
}

/// A transfer, whose number is that of its page.
struct Model {
    len: usize,
    is_write: bool,
    /// Something has happened to it.
    may_fail: bool,
}

/// What is read from a page that was not written, or written to it.
fn pattern(page: usize, len: usize, salt: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + page * 13 + salt).to_le_bytes()[0]).collect()
}

/// The transfers, the requests to the client, and the content of its memory.
struct Run {
    tested: Tested,
    limit: u64,
    memory: Vec<u8>,
    models: Vec<Model>,
    sent: Vec<Request>,
}

impl Run {
    fn new(limit: u64) -> Self {
        let memory = (0..200).flat_map(|page| pattern(page, PAGE, 0)).collect();
        Run { tested: Tested::new(limit, false), limit, memory, models: vec![], sent: vec![] }
    }

    fn begin(&mut self, len: usize, is_write: bool) {
        let number = self.models.len();
        let iova = (number * PAGE) as u64;
        if is_write {
            self.tested.write(number, iova, &pattern(number, len, 1));
        } else {
            self.tested.read(number, iova, len);
        }
        self.models.push(Model { len, is_write, may_fail: false });
    }

    fn take(&mut self, which: usize) -> Request {
        self.sent.remove(which % self.sent.len())
    }

    fn step(&mut self, step: &Step) -> TestCaseResult {
        match *step {
            Step::Read(len) => self.begin(len, false),
            Step::Write(len) => self.begin(len, true),
            Step::Send => self.sent.extend(self.tested.next()),
            Step::Serve(which, most) if !self.sent.is_empty() => {
                let request = self.take(which);
                prop_assert!(request.access().1 as u64 <= self.limit);
                self.tested.serve(&request, &mut self.memory, most);
            }
            Step::Refuse(which) if !self.sent.is_empty() => {
                let request = self.take(which);
                let page = usize::try_from(request.access().0).unwrap() / PAGE;
                self.models[page].may_fail = true;
                self.tested.refuse(&request, Errno::EFAULT);
            }
            Step::Withdraw(which) if !self.models.is_empty() => {
                let page = which % self.models.len();
                self.models[page].may_fail = true;
                let first = (page * PAGE) as u64;
                self.tested.withdraw(first, first + (PAGE as u64 - 1));
            }
            Step::Wait => {
                self.tested.now += Limits::DEFAULT.answer;
                self.tested.expire();
                self.models.iter_mut().for_each(|model| model.may_fail = true);
                let queue = &self.tested.queue;
                prop_assert!(queue.sent.is_empty() && queue.in_flight == 0);
            }
            _ => {}
        }
        let queue = &self.tested.queue;
        prop_assert!(queue.sent.len() <= MAX_SENT && queue.in_flight <= WINDOW);
        Ok(())
    }

    /// An honest client does the rest.
    fn finish(&mut self) -> TestCaseResult {
        loop {
            self.sent.extend(self.tested.all());
            let Some(request) = self.sent.pop() else { break };
            self.tested.serve(&request, &mut self.memory, PAGE);
        }
        self.tested.now += SHORT_TIME_LIMIT;
        self.tested.expire();
        let queue = &self.tested.queue;
        prop_assert!(queue.is_idle() && queue.shortened.is_empty());
        prop_assert_eq!((queue.waiting, queue.in_flight), (0, 0));
        Ok(())
    }

    fn check(&mut self) -> TestCaseResult {
        let mut results = self.tested.results();
        results.sort_by_key(|(number, _)| *number);
        prop_assert_eq!(results.len(), self.models.len(), "each is reported once");
        for (page, (model, (number, result))) in self.models.iter().zip(results).enumerate() {
            prop_assert_eq!(number, page);
            let there = &self.memory[page * PAGE..][..model.len];
            match result {
                Ok(data) => prop_assert_eq!(&data, there),
                Err(_) => prop_assert!(model.may_fail),
            }
            let expected = pattern(page, model.len, model.is_write.into());
            prop_assert!(model.may_fail || there == expected);
        }
        Ok(())
    }
}

proptest! {
    /// A naive model: each transfer has a page of its own, and all of it gets there unless
    /// something happened to it.
    #[test]
    fn every_transfer_ends_once_and_as_it_should(
        steps in steps(), limit in prop_oneof![Just(DEFAULT), 100u64..600],
    ) {
        let mut run = Run::new(limit);
        for step in &steps {
            run.step(step)?;
        }
        run.finish()?;
        run.check()?;
    }
}
