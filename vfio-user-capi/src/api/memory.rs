//! The client's memory.

use std::ffi::{c_int, c_void};
use std::slice;

use nix::errno::Errno;

use crate::abi::{DIRECT_ACCESS, IoVec, ScatterGather};
use crate::boundary::{Result, call};
use crate::context::Context;

/// Returns the size of a part of memory, which is opaque to programs.
#[unsafe(no_mangle)]
pub extern "C" fn dma_sg_size() -> usize {
    size_of::<ScatterGather>()
}

/// Divides a range of the client's memory into parts.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_addr_to_sgl(
    context: *mut Context,
    address: *mut c_void,
    len: usize,
    parts: *mut ScatterGather,
    most: usize,
    prot: c_int,
) -> c_int {
    call(context, -1, |context| {
        if context.max_dma_regions.get().is_none() {
            return Err(Errno::EINVAL);
        }
        let prot = u32::try_from(prot).map_err(|_| Errno::EINVAL)?;
        let most = if parts.is_null() { 0 } else { most };
        let count = context.divide(address.addr() as u64, len, prot, |index, part| {
            if index < most {
                // SAFETY: the program passes room for `most` parts.
                unsafe { parts.add(index).write(part) }
            }
        })?;
        Errno::clear();
        let returned = c_int::try_from(count).map_err(|_| Errno::EOVERFLOW)?;
        Ok(if count <= most { returned } else { -returned - 1 })
    })
}

/// Returns where parts are mapped.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_sgl_get(
    context: *mut Context,
    parts: *mut ScatterGather,
    places: *mut IoVec,
    count: usize,
    flags: c_int,
) -> c_int {
    call(context, -1, |context| {
        let has_unregister = context.callbacks.dma_unregister.get().is_some();
        if !has_unregister || flags != 0 || places.is_null() {
            return Err(Errno::EINVAL);
        }
        for (index, part) in list(parts, count)?.iter().enumerate() {
            let place = context.address(part)?;
            // SAFETY: the program passes room for `count` places.
            unsafe { places.add(index).write(place) }
        }
        Ok(0)
    })
}

/// Marks parts as written.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_sgl_mark_dirty(
    context: *mut Context,
    parts: *mut ScatterGather,
    count: usize,
) {
    call(context, (), |context| {
        list(parts, count)?.iter().for_each(|part| context.mark(part));
        Ok(())
    });
}

/// Ends the use of parts, and marks them as written.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_sgl_put(
    context: *mut Context,
    parts: *mut ScatterGather,
    _places: *mut IoVec,
    count: usize,
) {
    vfu_sgl_mark_dirty(context, parts, count);
}

/// Reads a part.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_sgl_read(
    context: *mut Context,
    parts: *mut ScatterGather,
    count: usize,
    data: *mut c_void,
    flags: c_int,
) -> c_int {
    call(context, -1, |context| {
        let (part, len) = one(parts, count, data, flags)?;
        // SAFETY: the program passes room for the part.
        let data = unsafe { slice::from_raw_parts_mut(data.cast::<u8>(), len) };
        context.read_part(part, data, flags & DIRECT_ACCESS != 0).map(|()| 0)
    })
}

/// Writes a part.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_sgl_write(
    context: *mut Context,
    parts: *mut ScatterGather,
    count: usize,
    data: *mut c_void,
    flags: c_int,
) -> c_int {
    call(context, -1, |context| {
        let (part, len) = one(parts, count, data, flags)?;
        // SAFETY: the program passes the bytes of the part.
        let data = unsafe { slice::from_raw_parts(data.cast::<u8>(), len) };
        context.write_part(part, data, flags & DIRECT_ACCESS != 0).map(|()| 0)
    })
}

/// Returns whether a part is mapped in this process.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_sg_is_mappable(context: *mut Context, part: *mut ScatterGather) -> bool {
    call(context, false, |context| Ok(context.is_mappable(&list(part, 1)?[0])))
}

/// Returns an array of a program.
fn list<'a>(parts: *const ScatterGather, count: usize) -> Result<&'a [ScatterGather]> {
    if parts.is_null() || count > isize::MAX as usize / size_of::<ScatterGather>() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the program passes an array of this length, and does not change it during the call.
    Ok(unsafe { slice::from_raw_parts(parts, count) })
}

/// Checks a transfer, which is of one part; returns its length.
fn one<'a>(
    parts: *const ScatterGather,
    count: usize,
    data: *const c_void,
    flags: c_int,
) -> Result<(&'a ScatterGather, usize)> {
    if flags & !DIRECT_ACCESS != 0 || data.is_null() {
        return Err(Errno::EINVAL);
    }
    if count != 1 {
        return Err(Errno::ENOTSUP);
    }
    let part = &list(parts, count)?[0];
    let len = usize::try_from(part.length).ok().filter(|len| isize::try_from(*len).is_ok());
    match len {
        Some(len) if part.valid == 1 => Ok((part, len)),
        _ => Err(Errno::EINVAL),
    }
}
