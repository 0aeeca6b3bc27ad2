//! Which samples a type refuses, of each of its parts.

use serde::de::DeserializeSeed;

use super::super::shape::Sample;
use super::Tracer;
use super::trace::{Trace, TraceKind};

impl<'de, R: Fn() -> S, S: DeserializeSeed<'de>> Tracer<R> {
    /// Tries the samples of each part, while the others have a value that is accepted.
    pub(super) fn find_refused(&self) {
        let groups = self.trace.borrow().groups();
        for group in groups {
            self.trace.borrow_mut().sampled = Some(group[0]);
            if !self.run().0 {
                continue;
            }
            let samples = self.trace.borrow().whole(group[0]).samples();
            for (place, sample) in samples.into_iter().enumerate() {
                self.find_refusing(&group, place, sample);
            }
        }
    }

    /// Tries a sample of alike parts: all at once, and if that is refused, half of them.
    fn find_refusing(&self, nodes: &[usize], place: usize, sample: Sample) {
        let set = |sample| {
            let mut trace = self.trace.borrow_mut();
            for node in nodes {
                trace.nodes[*node].sample = sample;
            }
        };
        set(Some(sample));
        let (is_read, _) = self.run();
        set(None);
        match nodes {
            _ if is_read => {}
            [node] => self.trace.borrow_mut().nodes[*node].refused.add(place),
            _ => {
                let (some, others) = nodes.split_at(nodes.len() / 2);
                self.find_refusing(some, place, sample);
                self.find_refusing(others, place, sample);
            }
        }
    }
}

impl Trace {
    /// All parts that have samples: the elements of a tuple that are alike together, others alone.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups = Vec::new();
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            if self.nodes[node].is_avoided {
                continue;
            }
            if let TraceKind::Tuple(elements) = &self.nodes[node].kind {
                let plain = |node: usize| match self.nodes[node].kind {
                    TraceKind::Plain(plain) => Some(plain),
                    _ => None,
                };
                for run in elements.chunk_by(|one, next| plain(*one) == plain(*next)) {
                    match plain(run[0]) {
                        Some(_) => groups.push(run.to_vec()),
                        None => open.extend(run),
                    }
                }
                continue;
            }
            if !matches!(self.nodes[node].kind, TraceKind::Struct(_) | TraceKind::Enum(_)) {
                groups.push(vec![node]);
            }
            open.extend(self.parts(node));
        }
        groups
    }
}
