//! The vectors of one interrupt index, as the client set them up.

use crate::eventfd::EventFd;

/// One vector.
#[derive(Debug, Default)]
struct Vector {
    trigger: Option<EventFd>,
    masked: bool,
    /// Raised while masked.
    pending: bool,
}

/// All vectors of an index.
#[derive(Debug)]
pub(super) struct Vectors {
    vectors: Vec<Vector>,
    assigned: u32,
}

impl Vectors {
    pub(super) fn new(count: u16) -> Self {
        Vectors { vectors: (0..count).map(|_| Vector::default()).collect(), assigned: 0 }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.vectors.len()).unwrap_or(u32::MAX)
    }

    /// How many have an eventfd.
    pub(super) fn assigned(&self) -> u32 {
        self.assigned
    }

    /// Up to which vector eventfds are assigned, as MSI enables its vectors: by powers of two. One
    /// without in between does not shift the others.
    pub(super) fn enabled(&self) -> u32 {
        let last = self.vectors.iter().rposition(|vector| vector.trigger.is_some());
        let enabled = last.map_or(0, |last| (last + 1).next_power_of_two());
        u32::try_from(enabled).unwrap_or(u32::MAX)
    }

    pub(super) fn assign(&mut self, vector: u32, trigger: Option<EventFd>) {
        let Some(vector) = self.get(vector) else { return };
        let (before, after) = (vector.trigger.is_some(), trigger.is_some());
        vector.trigger = trigger;
        self.assigned = self.assigned + u32::from(after) - u32::from(before);
    }

    /// Raises a vector; one that is masked pends. An automasked one is masked from then on.
    pub(super) fn signal(&mut self, vector: u32, automask: bool) {
        match self.get(vector) {
            Some(vector) if vector.masked => vector.pending = true,
            Some(Vector { trigger: Some(trigger), masked, .. }) => {
                trigger.signal();
                *masked = automask;
            }
            _ => {}
        }
    }

    /// Signals the eventfd whatever the state, as a test of the path.
    pub(super) fn trigger(&mut self, vector: u32) {
        if let Some(Vector { trigger: Some(trigger), .. }) = self.get(vector) {
            trigger.signal();
        }
    }

    pub(super) fn is_masked(&self, vector: usize) -> bool {
        self.vectors.get(vector).is_some_and(|vector| vector.masked)
    }

    pub(super) fn mask(&mut self, vector: u32) {
        if let Some(vector) = self.get(vector) {
            vector.masked = true;
        }
    }

    /// Whether something was held back by the mask.
    pub(super) fn unmask(&mut self, vector: u32) -> bool {
        let Some(vector) = self.get(vector) else { return false };
        vector.masked = false;
        std::mem::take(&mut vector.pending)
    }

    /// 64 pending bits, from vector `quadword * 64` on.
    pub(super) fn pending(&self, quadword: usize) -> u64 {
        let vectors = self.vectors.iter().skip(quadword * 64).take(64);
        vectors.rev().fold(0, |bits, vector| bits << 1 | u64::from(vector.pending))
    }

    pub(super) fn all_pending(&self) -> Vec<u32> {
        let vectors = (0..).zip(&self.vectors);
        vectors.filter(|(_, vector)| vector.pending).map(|(number, _)| number).collect()
    }

    pub(super) fn set_pending(&mut self, vectors: &[u32]) {
        for vector in vectors {
            if let Some(vector) = self.get(*vector) {
                vector.pending = true;
            }
        }
    }

    pub(super) fn forget_pending(&mut self) {
        self.vectors.iter_mut().for_each(|vector| vector.pending = false);
    }

    /// As before any client came.
    pub(super) fn clear(&mut self) {
        self.vectors.fill_with(Vector::default);
        self.assigned = 0;
    }

    fn get(&mut self, vector: u32) -> Option<&mut Vector> {
        self.vectors.get_mut(usize::try_from(vector).ok()?)
    }
}
