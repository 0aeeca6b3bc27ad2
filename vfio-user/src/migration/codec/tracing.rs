//! The shape of a type, from what it asks for when it is read.
//!
//! It is read again and again from nothing, each time with another variant of its enums, until all
//! of it has been seen. What cannot be seen, since a type contains itself, reads whatever comes, or
//! takes none of the values that are tried, is [`Shape::Any`].

mod access;
mod probe;
mod requests;
mod trace;

use serde::de::DeserializeSeed;

use super::ValueError;
use super::shape::Shape;
use probe::Probe;
use trace::Trace;

type Result<T> = std::result::Result<T, ValueError>;

/// A type that takes more is too large to be seen.
const MOST_RUNS: usize = 4096;
const MOST_NODES: usize = 1 << 16;

/// The shape of what `read` reads. `is_finite` says that no type in it contains itself.
pub(super) fn shape<'de, S: DeserializeSeed<'de>>(read: impl Fn() -> S, is_finite: bool) -> Shape {
    let trace = Trace::new(is_finite);
    let run = || {
        trace.borrow_mut().begin();
        let result = read().deserialize(Probe { trace: &trace, node: 0, depth: 0 }).map(drop);
        let is_over = trace.borrow_mut().learn(result.is_ok());
        (result.is_ok(), is_over)
    };
    for _ in 0..MOST_RUNS {
        if run().1 {
            break;
        }
    }
    let fields = trace.borrow().fields();
    for (node, place) in fields {
        trace.borrow_mut().omit(node, place);
        let is_optional = run().0 && trace.borrow().has_omitted;
        trace.borrow_mut().omitted(node, place, is_optional);
    }
    trace.into_inner().shape(0)
}
