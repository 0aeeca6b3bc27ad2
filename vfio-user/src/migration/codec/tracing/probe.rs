//! A reader of nothing, and what it notes.

use std::cell::RefCell;

use super::super::shape::{Plain, Sample};
use super::super::{MAX_DEPTH, ValueError};
use super::trace::{Trace, TraceKind};
use super::{MOST_NODES, Result};

/// Reads from nothing.
#[derive(Clone, Copy)]
pub(super) struct Probe<'t> {
    pub(super) trace: &'t RefCell<Trace>,
    pub(super) node: usize,
    pub(super) depth: u8,
}

impl Probe<'_> {
    /// The value to be read.
    pub(super) fn value(self, plain: Plain) -> Option<Sample> {
        let mut trace = self.trace.borrow_mut();
        let node = &mut trace.nodes[self.node];
        node.kind = TraceKind::Plain(plain);
        let value = node.sample.or_else(|| plain.attempt(node.attempt));
        trace.last = Some(self.node);
        value
    }

    /// Whether what has parts is read without them.
    pub(super) fn is_sampled(self) -> bool {
        self.trace.borrow().nodes[self.node].sample.is_some()
    }

    /// The parts of a node, which are made when it is first read.
    pub(super) fn parts(
        self,
        count: usize,
        kind: impl FnOnce(Vec<usize>) -> TraceKind,
    ) -> Vec<usize> {
        let mut trace = self.trace.borrow_mut();
        if matches!(trace.nodes[self.node].kind, TraceKind::Unknown) {
            let parts: Vec<_> =
                (0..count.min(MOST_NODES)).map(|_| trace.add(Some(self.node))).collect();
            trace.nodes[self.node].kind = kind(parts);
        }
        trace.parts(self.node)
    }

    pub(super) fn is_avoided(self, node: usize) -> bool {
        self.trace.borrow().nodes[node].is_avoided
    }

    /// It cannot be seen.
    pub(super) fn give_up<T>(self) -> Result<T> {
        self.trace.borrow_mut().give_up(self.node);
        Err(ValueError::said("it cannot be seen"))
    }

    pub(super) fn part(self, node: usize) -> Self {
        Probe { node, depth: self.depth + 1, ..self }
    }

    /// Reads a type of an author's, which may contain itself.
    pub(super) fn within<V, T>(self, read: impl FnOnce(Self) -> Result<T>) -> Result<T> {
        let name = std::any::type_name::<V>();
        let mut trace = self.trace.borrow_mut();
        let recurs = !trace.is_finite && trace.within.contains(&name);
        trace.within.push(name);
        drop(trace);
        if recurs || self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let read = read(self);
        self.trace.borrow_mut().within.pop();
        read
    }
}
