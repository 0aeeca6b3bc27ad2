//! Sweeps of written pages, one slice per turn, so that other sessions run in between.

use crate::dma::{Report, Sweep};
use crate::function::Function;
use crate::server::suspended::Wait;
use crate::transport::Reply;

/// Adds all pages of a sweep to a report, then answers with it, now or in a later turn.
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

/// Clears all pages of a sweep, then continues, now or in a later turn.
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
