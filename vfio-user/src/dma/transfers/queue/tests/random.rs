//! Any steps, against a naive model.

use super::*;
use proptest::prelude::*;

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

proptest! {
    /// A naive model: each transfer has a page of its own, and all of it gets there unless something
    /// happened to it.
    #[test]
    fn every_transfer_ends_once_and_as_it_should(
        steps in steps(), limit in prop_oneof![Just(DEFAULT), 100u64..600],
    ) {
        let mut tested = Tested::new(limit, false);
        let mut memory: Vec<u8> = (0..200).flat_map(|page| pattern(page, PAGE, 0)).collect();
        let (mut models, mut sent) = (Vec::<Model>::new(), Vec::<Request>::new());
        for step in steps {
            let number = models.len();
            match step {
                Step::Read(len) => {
                    tested.read(number, (number * PAGE) as u64, len);
                    models.push(Model { len, is_write: false, may_fail: false });
                }
                Step::Write(len) => {
                    tested.write(number, (number * PAGE) as u64, &pattern(number, len, 1));
                    models.push(Model { len, is_write: true, may_fail: false });
                }
                Step::Send => sent.extend(tested.next()),
                Step::Serve(which, most) if !sent.is_empty() => {
                    let request = sent.remove(which % sent.len());
                    prop_assert!(request.access().1 as u64 <= limit);
                    tested.serve(&request, &mut memory, most);
                }
                Step::Refuse(which) if !sent.is_empty() => {
                    let request = sent.remove(which % sent.len());
                    models[usize::try_from(request.access().0).unwrap() / PAGE].may_fail = true;
                    tested.refuse(&request, Errno::EFAULT);
                }
                Step::Withdraw(which) if number > 0 => {
                    let page = which % number;
                    models[page].may_fail = true;
                    let first = (page * PAGE) as u64;
                    tested.withdraw(first, first + (PAGE as u64 - 1));
                }
                Step::Wait => {
                    tested.now += PATIENCE;
                    tested.expire();
                    for model in &mut models {
                        model.may_fail = true;
                    }
                    prop_assert!(tested.queue.sent.is_empty() && tested.queue.in_flight == 0);
                }
                _ => {}
            }
            prop_assert!(tested.queue.sent.len() <= MAX_SENT && tested.queue.in_flight <= WINDOW);
        }
        // An honest client does the rest.
        loop {
            sent.extend(tested.all());
            let Some(request) = sent.pop() else { break };
            tested.serve(&request, &mut memory, PAGE);
        }
        tested.now += GRACE;
        tested.expire();
        prop_assert!(tested.queue.is_idle());
        prop_assert_eq!((tested.queue.waiting, tested.queue.in_flight), (0, 0));
        prop_assert!(tested.queue.hastened.is_empty());
        let mut results = tested.results();
        results.sort_by_key(|(number, _)| *number);
        prop_assert_eq!(results.len(), models.len(), "each is told once");
        for (page, (model, (number, result))) in models.iter().zip(results).enumerate() {
            prop_assert_eq!(number, page);
            let there = &memory[page * PAGE..][..model.len];
            match result {
                Ok(data) => prop_assert_eq!(&data, there),
                Err(_) => prop_assert!(model.may_fail),
            }
            let expected = pattern(page, model.len, model.is_write.into());
            prop_assert!(model.may_fail || there == expected);
        }
    }
}
