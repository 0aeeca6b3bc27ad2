//! Regions and their doorbells.

use std::ffi::c_int;
use std::slice;
use std::sync::Arc;

use nix::errno::Errno;
use vfio_user::protocol::{PAGE_SIZE, SparseArea};

use crate::abi::{IoVec, REGIONS, RegionAccess, region_flag};
use crate::boundary::{Result, call};
use crate::context::Context;
use crate::region::{Descriptor, Doorbell, Mapping, check, decoded, duplicate};

/// Describes a region.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_setup_region(
    context: *mut Context,
    index: c_int,
    size: usize,
    callback: Option<RegionAccess>,
    flags: c_int,
    areas: *mut IoVec,
    area_count: u32,
    fd: c_int,
    offset: u64,
) -> c_int {
    call(context, -1, |context| {
        let is_flags = flags & !region_flag::ALL == 0 && flags & region_flag::BOTH != 0;
        let lacks_callback = flags & region_flag::ALWAYS_CALLBACK != 0 && callback.is_none();
        let lacks_file = !areas.is_null() && fd == -1;
        if !is_flags || lacks_callback || lacks_file || areas.is_null() != (area_count == 0) {
            return Err(Errno::EINVAL);
        }
        let index = usize::try_from(index).ok().filter(|index| *index < REGIONS);
        let index = index.ok_or(Errno::EINVAL)?;
        let size = size as u64;
        check(&context.all_regions(), index, size, flags)?;
        let mut areas = sparse_areas(areas, area_count, size)?;
        let is_cut = areas.is_empty() && decoded(index, size) > size;
        let whole_pages = size & !(PAGE_SIZE - 1);
        if is_cut {
            // The file has no more than the region.
            areas.push(SparseArea { offset: 0.into(), size: whole_pages.into() });
        }
        let mapping = match fd {
            -1 => None,
            _ if is_cut && whole_pages == 0 => None,
            fd => Some(Arc::new(Mapping { file: duplicate(fd)?, offset, areas })),
        };
        let size = context.config.region_size(index).unwrap_or(size);
        context.change_region(|regions| {
            let region = &mut regions[index];
            (region.size, region.flags) = (size, flags);
            (region.callback, region.mapping) = (callback, mapping);
        });
        Ok(0)
    })
}

/// Reads the areas that clients may map.
fn sparse_areas(areas: *const IoVec, count: u32, size: u64) -> Result<Vec<SparseArea>> {
    if areas.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the program passes an array of this length.
    let areas = unsafe { slice::from_raw_parts(areas, count as usize) };
    let check = |area: &IoVec| {
        let (offset, len) = (area.base.addr() as u64, area.len as u64);
        let end = offset.checked_add(len).filter(|end| *end <= size);
        end.map(|_| SparseArea { offset: offset.into(), size: len.into() }).ok_or(Errno::EINVAL)
    };
    areas.iter().map(check).collect()
}

/// Replaces writes to a part of a region by signals of an eventfd.
#[unsafe(no_mangle)]
pub extern "C" fn vfu_create_ioeventfd(
    context: *mut Context,
    index: u32,
    fd: c_int,
    offset: usize,
    size: u32,
    flags: u32,
    data_match: u64,
    shadow_fd: c_int,
    shadow_offset: usize,
) -> c_int {
    call(context, -1, |context| {
        let index = usize::try_from(index).map_err(|_| Errno::EINVAL)?;
        let region = context.region(index).ok_or(Errno::EINVAL)?;
        let end = (offset as u64).checked_add(size.into());
        if end.is_none_or(|end| end > region.size) {
            return Err(Errno::EINVAL);
        }
        let fd = Descriptor::new(fd, &region.doorbells)?;
        let shadow = Descriptor::new(shadow_fd, &region.doorbells)?;
        let shadow = shadow.map(|fd| (fd, shadow_offset as u64));
        let offset = offset as u64;
        let doorbell = Doorbell { offset, size, flags, data_match, fd, shadow };
        context.change_region(|regions| regions[index].doorbells.push(doorbell));
        Ok(0)
    })
}
