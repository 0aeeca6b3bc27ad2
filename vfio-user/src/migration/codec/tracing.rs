//! The shape of a type, from what it asks for when it is read.
//!
//! It is read again and again from nothing, each time with another variant of its enums, until all
//! of it has been seen. What cannot be seen, since a type contains itself, reads whatever comes, or
//! takes none of the values that are tried, is [`Shape::Any`].

mod access;
mod probe;
mod refusals;
mod requests;
mod trace;

use std::cell::RefCell;

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
    let tracer = Tracer { read, trace: Trace::new(is_finite) };
    tracer.see_all();
    tracer.trace.into_inner().shape(0)
}

/// That shape, with the values that are refused.
pub(super) fn accepted<'de, S: DeserializeSeed<'de>>(read: impl Fn() -> S) -> Shape {
    let tracer = Tracer { read, trace: Trace::new(false) };
    tracer.see_all();
    tracer.find_refused();
    tracer.trace.into_inner().shape(0)
}

struct Tracer<R> {
    read: R,
    trace: RefCell<Trace>,
}

impl<'de, R: Fn() -> S, S: DeserializeSeed<'de>> Tracer<R> {
    /// Reads once; whether a value was read, and whether there is nothing left to be seen.
    fn run(&self) -> (bool, bool) {
        self.trace.borrow_mut().begin();
        let probe = Probe { trace: &self.trace, node: 0, depth: 0 };
        let error = (self.read)().deserialize(probe).err();
        let twice = error.as_ref().and_then(ValueError::twice);
        (error.is_none(), self.trace.borrow_mut().learn(error.is_none(), twice))
    }

    fn see_all(&self) {
        for _ in 0..MOST_RUNS {
            if self.run().1 {
                break;
            }
        }
        let fields = self.trace.borrow().fields();
        for (node, place) in fields {
            self.trace.borrow_mut().omit = Some((node, place));
            let is_optional = self.run().0 && self.trace.borrow().has_omitted;
            self.trace.borrow_mut().omitted(node, place, is_optional);
        }
        self.trace.borrow_mut().omit = None;
    }
}
