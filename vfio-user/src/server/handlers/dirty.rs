//! Sweeps of written pages, one slice per turn, so that other sessions run in between.

use crate::function::Function;
use crate::server::pending_request::Blocked;
use crate::transport::Reply;

/// Repeats `step`, one slice of a sweep, while it returns that more slices follow: once now, and
/// once in each later turn. Then continues with `finish`. Both use `state`.
pub(super) fn sweep_on<S: Send + 'static>(
    mut state: S,
    step: fn(&mut S) -> bool,
    function: &mut dyn Function,
    blocked: &mut Option<Blocked>,
    reply: &mut Reply<'_>,
    finish: impl FnOnce(S, &mut dyn Function, &mut Reply<'_>) + Send + 'static,
) {
    if !step(&mut state) {
        return finish(state, function, reply);
    }
    *blocked = Some(Blocked::for_turn(Box::new(move |function, blocked, reply, _| {
        sweep_on(state, step, function, blocked, reply, finish);
        Ok(())
    })));
}
