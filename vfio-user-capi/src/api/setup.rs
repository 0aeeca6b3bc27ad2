//! Functions of the program that the library calls.

use std::arch::naked_asm;
use std::ffi::{c_char, c_int};

use nix::errno::Errno;

use crate::abi::{
    DmaChange, IrqState, LogFn, MIGRATION_VERSION, MigrationCallbacks, Quiesce, Reset,
};
use crate::boundary::call;
use crate::context::Context;
use crate::log;

/// Sets where messages go, up to a level of `syslog(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_log(context: *mut Context, log: Option<LogFn>, level: c_int) -> c_int {
    call(context, -1, |context| {
        if !(0..=log::DEBUG).contains(&level) {
            return Err(Errno::EINVAL);
        }
        context.log.set(log, level);
        Ok(0)
    })
}

/// Formats a message of the program as `printf(3)` does, and passes it to its function.
///
/// # Safety
///
/// The arguments must be those that the format names.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn vfu_log(context: *mut Context, level: c_int, format: *const c_char) {
    // The arguments that follow stay where they are.
    #[cfg(target_arch = "x86_64")]
    naked_asm!("jmp {format}", format = sym log::vfio_user_log_format);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("b {format}", format = sym log::vfio_user_log_format);
}

/// Sets the function that quiesces the device.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_device_quiesce_cb(context: *mut Context, quiesce: Option<Quiesce>) {
    call(context, (), |context| {
        context.callbacks.quiesce.set(quiesce);
        Ok(())
    });
}

/// Sets the function that resets the device.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_device_reset_cb(context: *mut Context, reset: Option<Reset>) -> c_int {
    call(context, -1, |context| {
        context.callbacks.reset.set(reset);
        Ok(0)
    })
}

/// Sets the functions that follow the client's memory, and how many regions it may map.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_device_dma(
    context: *mut Context,
    max_regions: usize,
    register: Option<DmaChange>,
    unregister: Option<DmaChange>,
) -> c_int {
    call(context, -1, |context| {
        context.max_dma_regions.set(Some(max_regions));
        context.callbacks.dma_register.set(register);
        context.callbacks.dma_unregister.set(unregister);
        Ok(0)
    })
}

/// Sets the function that follows the masks of an interrupt type.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_irq_state_callback(
    context: *mut Context,
    irq_type: c_int,
    callback: Option<IrqState>,
) -> c_int {
    call(context, -1, |context| {
        let index = usize::try_from(irq_type).map_err(|_| Errno::EINVAL)?;
        context.callbacks.irq_state.get(index).ok_or(Errno::EINVAL)?.set(callback);
        Ok(0)
    })
}

/// Sets the functions that migrate the device.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_device_migration_callbacks(
    context: *mut Context,
    callbacks: *const MigrationCallbacks,
) -> c_int {
    call(context, -1, |context| {
        // SAFETY: the program passes null or a structure of this type.
        let callbacks = unsafe { callbacks.as_ref() }.ok_or(Errno::EINVAL)?;
        let is_complete = callbacks.transition.is_some()
            && callbacks.read_data.is_some()
            && callbacks.write_data.is_some();
        if callbacks.version != MIGRATION_VERSION || !is_complete {
            return Err(Errno::EINVAL);
        }
        context.callbacks.migration.set(Some(*callbacks));
        Ok(0)
    })
}
