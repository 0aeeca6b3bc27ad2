//! Configuration space.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;

use nix::errno::Errno;

use crate::abi::{CONFIG_REGION, capability_flag, region_flag};
use crate::boundary::{Result, call};
use crate::config::Described;
use crate::context::Context;

/// Sets the kind of the function.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_pci_init(
    context: *mut Context,
    pci_type: c_int,
    header_type: c_int,
    _revision: c_int,
) -> c_int {
    call(context, -1, |context| {
        context.config.initialize(pci_type, header_type)?;
        let size = context.config.size() as u64;
        context.change_region(|regions| {
            regions[CONFIG_REGION].size = size;
            regions[CONFIG_REGION].flags = region_flag::BOTH;
        });
        Ok(0)
    })
}

/// Sets the ids.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_pci_set_id(
    context: *mut Context,
    vendor: u16,
    device: u16,
    subsystem_vendor: u16,
    subsystem: u16,
) {
    call(context, (), |context| {
        context.config.set_ids([vendor, device, subsystem_vendor, subsystem]);
        Ok(())
    });
}

/// Sets the class code.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_pci_set_class(context: *mut Context, base: u8, sub: u8, interface: u8) {
    call(context, (), |context| {
        context.config.set_class(base, sub, interface);
        Ok(())
    });
}

/// Returns the bytes of configuration space.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_pci_get_config_space(context: *mut Context) -> *mut c_void {
    call(context, ptr::null_mut(), |context| Ok(context.config.address().cast()))
}

/// Adds a capability.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_pci_add_capability(
    context: *mut Context,
    position: usize,
    flags: c_int,
    data: *mut c_void,
) -> isize {
    call(context, -1, |context| add_capability(context, position, flags, data))
}

fn add_capability(
    context: &Context,
    position: usize,
    flags: c_int,
    data: *const c_void,
) -> Result<isize> {
    let is_extended = flags & capability_flag::EXTENDED != 0;
    let has_callback =
        context.region(CONFIG_REGION).is_some_and(|region| region.callback.is_some());
    let lacks_callback = flags & capability_flag::CALLBACK != 0 && !has_callback;
    if flags & !capability_flag::ALL != 0 || lacks_callback || data.is_null() {
        return Err(Errno::EINVAL);
    }
    if !context.config.is_initialized() || (is_extended && context.config.size() <= 256) {
        return Err(Errno::EINVAL);
    }
    let prefix = Described::prefix(bytes(data, 2), is_extended);
    let described = Described::parse(bytes(data, prefix), is_extended)?;
    let data = bytes(data, described.size);
    let offset = context.config.add(described, position, flags, data)?;
    isize::try_from(offset).map_err(|_| Errno::ENOSPC)
}

/// Returns the start of a program's capability, which has at least `len` bytes.
fn bytes<'a>(data: *const c_void, len: usize) -> &'a [u8] {
    // SAFETY: a capability has the bytes of its header, and as many as its header says.
    unsafe { slice::from_raw_parts(data.cast::<u8>(), len) }
}

/// Returns the offset of the first capability with an id.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_pci_find_capability(
    context: *mut Context,
    is_extended: bool,
    id: c_int,
) -> usize {
    vfu_pci_find_next_capability(context, is_extended, 0, id)
}

/// Returns the offset of the next capability with an id, after the one at `position`.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_pci_find_next_capability(
    context: *mut Context,
    is_extended: bool,
    position: usize,
    id: c_int,
) -> usize {
    call(context, 0, |context| {
        let id = u32::try_from(id).map_err(|_| Errno::ENOENT)?;
        context.config.find(is_extended, position, id)
    })
}
