//! The levels of a function's interrupt sources.

/// One level per source; INTx is asserted while any of them is.
#[derive(Debug)]
pub(super) struct Lines {
    levels: Vec<bool>,
    asserted: usize,
}

impl Lines {
    pub(super) fn new(sources: u16) -> Self {
        Lines { levels: vec![false; sources.into()], asserted: 0 }
    }

    /// Sets a level. Returns whether it changed.
    pub(super) fn set(&mut self, source: u16, level: bool) -> bool {
        let Some(old) = self.levels.get_mut(usize::from(source)) else { return false };
        if *old == level {
            return false;
        }
        *old = level;
        if level {
            self.asserted += 1;
        } else {
            self.asserted -= 1;
        }
        true
    }

    pub(super) fn is_set(&self, source: u16) -> bool {
        self.levels.get(usize::from(source)).is_some_and(|level| *level)
    }

    pub(super) fn any(&self) -> bool {
        self.asserted > 0
    }

    pub(super) fn clear(&mut self) {
        self.levels.fill(false);
        self.asserted = 0;
    }
}
