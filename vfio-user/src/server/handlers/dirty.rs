//! Going through what was written: a slice a turn, between which others are served.

use crate::dma::{Report, Sweep};
use crate::function::Function;
use crate::server::suspended::Wait;
use crate::transport::Reply;

/// Adds all that a sweep finds to a report, then answers with that: now, or in a later turn.
pub(super) fn collect(
    mut sweep: Sweep,
    mut report: Report,
    wait: &mut Option<Wait>,
    reply: &mut Reply<'_>,
    finish: impl FnOnce(&mut Reply<'_>, &Report) + Send + 'static,
) {
    if !sweep.report(&mut report) {
        return finish(reply, &report);
    }
    *wait = Some(Wait::for_turn(Box::new(move |_, wait, reply, _| {
        collect(sweep, report, wait, reply, finish);
        Ok(())
    })));
}

/// Forgets all that a sweep finds, then goes on: now, or in a later turn.
pub(super) fn forget(
    mut sweep: Sweep,
    function: &mut dyn Function,
    wait: &mut Option<Wait>,
    reply: &mut Reply<'_>,
    finish: impl FnOnce(&mut dyn Function, &mut Reply<'_>) + Send + 'static,
) {
    if !sweep.forget() {
        return finish(function, reply);
    }
    *wait = Some(Wait::for_turn(Box::new(move |function, wait, reply, _| {
        forget(sweep, function, wait, reply, finish);
        Ok(())
    })));
}
