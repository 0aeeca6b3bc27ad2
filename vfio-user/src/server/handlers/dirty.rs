//! Sweeps of written pages, one slice per turn, so that other sessions run in between.

use crate::function::Function;
use crate::server::suspended::Wait;
use crate::transport::Reply;

/// Repeats `step`, one slice of a sweep, while it returns that more slices follow: once now, and
/// once in each later turn. Then continues with `finish`. Both use `state`.
pub(super) fn sweep_on<S: Send + 'static>(
    mut state: S,
    step: fn(&mut S) -> bool,
    function: &mut dyn Function,
    wait: &mut Option<Wait>,
    reply: &mut Reply<'_>,
    finish: impl FnOnce(S, &mut dyn Function, &mut Reply<'_>) + Send + 'static,
) {
    if !step(&mut state) {
        return finish(state, function, reply);
    }
    *wait = Some(Wait::for_turn(Box::new(move |function, wait, reply, _| {
        sweep_on(state, step, function, wait, reply, finish);
        Ok(())
    })));
}
