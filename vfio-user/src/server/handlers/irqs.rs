//! `VFIO_USER_DEVICE_SET_IRQS`.

use super::{Request, size_of_u32};
use crate::function::Function;
use crate::interrupt::Interrupts;
use crate::protocol::{Errno, IrqAction, IrqData, IrqIndex, IrqSet, IrqSetFlags};
use crate::server::pending_request::Blocked;
use crate::transport::Reply;

/// The number of vectors that are acted on before events and other sessions run.
const SLICE: usize = 128;

/// A range of vectors and the action on it.
#[derive(Clone, Copy)]
struct Target {
    index: IrqIndex,
    action: IrqAction,
    start: u32,
    count: u32,
}

pub(super) fn set(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    _reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (set, bytes) = request.fixed::<IrqSet>()?;
    let interrupts = function.interrupts();
    let (data, target) = parse(set, interrupts)?;
    if data != IrqData::Eventfd && !request.fds.is_empty() {
        return Err(Errno::EINVAL);
    }
    match data {
        IrqData::None if target.count == 0 => interrupts.disable(target.index),
        IrqData::None => {
            let all = target.start..target.start + target.count;
            act(function, &mut request.blocked, target, data, all);
            return Ok(());
        }
        IrqData::Bool => {
            let chosen = chosen(target, bytes)?;
            act(function, &mut request.blocked, target, data, chosen.into_iter());
            return Ok(());
        }
        IrqData::Eventfd => eventfds(interrupts, target, request)?,
    }
    finish(function, target, data);
    Ok(())
}

/// Does the action on vectors, a slice now and one in each later turn.
fn act(
    function: &mut dyn Function,
    blocked: &mut Option<Blocked>,
    target: Target,
    data: IrqData,
    mut vectors: impl ExactSizeIterator<Item = u32> + Send + 'static,
) {
    function.interrupts().act(target.index, target.action, vectors.by_ref().take(SLICE));
    if vectors.len() == 0 {
        return finish(function, target, data);
    }
    *blocked = Some(Blocked::for_turn(Box::new(move |function, blocked, _, _| {
        act(function, blocked, target, data, vectors);
        Ok(())
    })));
}

/// Notifies the device of what has changed.
fn finish(function: &mut dyn Function, target: Target, data: IrqData) {
    if let Some(masked) = target.masks(data) {
        let Target { index, start, count, .. } = target;
        function.irqs_masked(index, start..start + count, masked);
    }
    if target.sets_up(data) {
        function.irqs_changed();
    }
}

impl Target {
    /// Returns whether it masks vectors or unmasks them, if it does either now.
    fn masks(self, data: IrqData) -> Option<bool> {
        match self.action {
            IrqAction::Trigger => None,
            _ if data == IrqData::Eventfd => None,
            action => Some(action == IrqAction::Mask),
        }
    }

    /// Returns whether this is more than a test of eventfds, or an action at every interrupt.
    fn sets_up(self, data: IrqData) -> bool {
        match self.action {
            IrqAction::Trigger => data == IrqData::Eventfd || self.count == 0,
            IrqAction::Mask | IrqAction::Unmask => self.index != IrqIndex::Intx,
        }
    }
}

fn parse(set: &IrqSet, interrupts: &Interrupts) -> Result<(IrqData, Target), Errno> {
    if set.argsz.get() < size_of_u32::<IrqSet>() {
        return Err(Errno::EINVAL);
    }
    let flags = IrqSetFlags::from_bits(set.flags.get()).ok_or(Errno::EINVAL)?;
    let (data, action) = flags.split().ok_or(Errno::EINVAL)?;
    let index = IrqIndex::try_from(set.index.get()).map_err(|_| Errno::EINVAL)?;
    let (start, count) = (set.start.get(), set.count.get());
    let end = start.checked_add(count).ok_or(Errno::EINVAL)?;
    let everything = data == IrqData::None && action == IrqAction::Trigger && start == 0;
    let line_only = matches!(index, IrqIndex::Err | IrqIndex::Req);
    if end > interrupts.count(index)
        || (count == 0 && !everything)
        || (line_only && action != IrqAction::Trigger)
    {
        return Err(Errno::EINVAL);
    }
    Ok((data, Target { index, action, start, count }))
}

/// Returns the vectors whose byte is not zero.
fn chosen(target: Target, bytes: &[u8]) -> Result<Vec<u32>, Errno> {
    let Target { start, count, .. } = target;
    if bytes.len() != count as usize {
        return Err(Errno::EINVAL);
    }
    let vectors = (start..).zip(bytes);
    Ok(vectors.filter(|(_, byte)| **byte != 0).map(|(vector, _)| vector).collect())
}

/// Assigns one eventfd per vector, or removes them if the message has none.
fn eventfds(
    interrupts: &Interrupts,
    target: Target,
    request: &mut Request<'_>,
) -> Result<(), Errno> {
    let Target { index, action, start, count } = target;
    let fds = std::mem::take(&mut request.fds);
    if !fds.is_empty() && fds.len() != count as usize {
        return Err(Errno::EINVAL);
    }
    match (action, fds.is_empty()) {
        (IrqAction::Trigger, true) => interrupts.deassign(index, start, count),
        (IrqAction::Trigger, false) => interrupts.assign(index, start, fds)?,
        (action, true) => interrupts.ignore(index, action, start, count),
        (action, false) => interrupts.listen(index, action, start, fds)?,
    }
    Ok(())
}
