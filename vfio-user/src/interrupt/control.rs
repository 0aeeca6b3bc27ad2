//! An eventfd by which somebody else masks or unmasks a vector.

use std::ops::Range;
use std::sync::Arc;

use crate::eventfd::EventFd;
use crate::protocol::{IrqAction, IrqIndex};

/// What happens when an eventfd is signalled. With KVM, the end of an INTx interrupt arrives so.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) index: IrqIndex,
    pub(crate) action: IrqAction,
    pub(crate) vector: u32,
    pub(crate) eventfd: Arc<EventFd>,
}

impl Control {
    pub(super) fn is(&self, index: IrqIndex, action: IrqAction, vectors: Range<u32>) -> bool {
        self.index == index && self.action == action && vectors.contains(&self.vector)
    }
}
