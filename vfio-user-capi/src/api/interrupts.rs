//! Interrupts.

use std::cell::Cell;
use std::ffi::c_int;

use nix::errno::Errno;

use crate::boundary::call;
use crate::context::Context;

/// Sets the number of vectors of an interrupt type: at most 65,535.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_device_nr_irqs(
    context: *mut Context,
    irq_type: c_int,
    count: u32,
) -> c_int {
    call(context, -1, |context| {
        let index = usize::try_from(irq_type).map_err(|_| Errno::EINVAL)?;
        let count = u16::try_from(count).map_err(|_| Errno::EINVAL)?;
        context.irq_counts.get(index).ok_or(Errno::EINVAL)?.set(count);
        Ok(0)
    })
}

/// Raises an interrupt.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_irq_trigger(context: *mut Context, vector: u32) -> c_int {
    call(context, -1, |context| {
        let interrupts = context.interrupts.get().ok_or(Errno::EINVAL)?;
        let most = context.irq_counts[..3].iter().map(Cell::get).max();
        let vector = u16::try_from(vector).map_err(|_| Errno::EINVAL)?;
        if most.is_none_or(|most| vector >= most) {
            return Err(Errno::EINVAL);
        }
        let irq = interrupts.irq(vector);
        if context.is_compatible && !irq.is_assigned() {
            return Err(Errno::ENOENT);
        }
        irq.raise();
        Ok(0)
    })
}
