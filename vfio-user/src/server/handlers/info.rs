//! Descriptions of the device, its regions and its interrupts.

use super::{Request, size_of_u32};
use crate::function::Function;
use crate::model::Region;
use crate::protocol::{
    DeviceFlags, DeviceInfo, Errno, IrqIndex, IrqInfo, RegionCapabilities, RegionFlags,
    RegionIndex, RegionInfo, SparseArea, TypeCapability,
};
use crate::transport::Reply;

/// `VFIO_USER_DEVICE_GET_INFO`.
pub(super) fn device(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (wanted, _) = request.fixed::<DeviceInfo>()?;
    enough_room::<DeviceInfo>(wanted.argsz.get())?;
    reply.push(&DeviceInfo {
        argsz: size_of_u32::<DeviceInfo>().into(),
        flags: (DeviceFlags::PCI | DeviceFlags::RESET).bits().into(),
        num_regions: function.regions().into(),
        num_irqs: u32::try_from(IrqIndex::COUNT).unwrap_or(u32::MAX).into(),
    });
    Ok(())
}

/// `VFIO_USER_DEVICE_GET_REGION_INFO`. Data that exceeds the client's room is omitted; `argsz`
/// reports how much room it needs for the next request.
pub(super) fn region(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (wanted, _) = request.fixed::<RegionInfo>()?;
    let room = wanted.argsz.get();
    enough_room::<RegionInfo>(room)?;
    if wanted.index.get() >= function.regions() {
        return Err(Errno::EINVAL);
    }
    let region = function.region(RegionIndex::from(wanted.index.get()));
    let capabilities = capabilities(&region);
    let needed = size_of::<RegionInfo>() + capabilities.len();
    let needed = u32::try_from(needed).map_err(|_| Errno::E2BIG)?;
    let complete = needed <= room;
    let capped = complete && !capabilities.is_empty();
    let mut flags = region.flags;
    flags.set(RegionFlags::MMAP, region.mapping.is_some());
    flags.set(RegionFlags::CAPS, capped);
    reply.push(&RegionInfo {
        argsz: needed.into(),
        flags: flags.bits().into(),
        index: wanted.index,
        cap_offset: if capped { size_of_u32::<RegionInfo>() } else { 0 }.into(),
        size: region.size.into(),
        offset: region.mapping.as_ref().map_or(0, |mapping| mapping.offset).into(),
    });
    if complete {
        reply.push(capabilities.as_slice());
        if let Some(mapping) = region.mapping
            && request.client.max_msg_fds > 0
        {
            reply.attach(mapping.file.try_clone_to_owned()?);
        }
    }
    Ok(())
}

/// Returns the capabilities of a region. A mappable region lists its mappable areas, even if that
/// is all of it, because some clients map only listed areas. A device specific region has its type.
fn capabilities(region: &Region<'_>) -> Vec<u8> {
    let sparse = region.mapping.as_ref().map(|mapping| match mapping.areas {
        [] => vec![SparseArea { offset: 0.into(), size: region.size.into() }],
        areas => areas.to_vec(),
    });
    let type_ = region.ty.map(TypeCapability::from);
    RegionCapabilities { sparse, type_ }.encode()
}

/// `VFIO_USER_DEVICE_GET_IRQ_INFO`.
pub(super) fn irq(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (wanted, _) = request.fixed::<IrqInfo>()?;
    enough_room::<IrqInfo>(wanted.argsz.get())?;
    let index = IrqIndex::try_from(wanted.index.get()).map_err(|_| Errno::EINVAL)?;
    let interrupts = function.interrupts();
    reply.push(&IrqInfo {
        argsz: size_of_u32::<IrqInfo>().into(),
        flags: interrupts.flags(index).bits().into(),
        index: wanted.index,
        count: interrupts.count(index).into(),
    });
    Ok(())
}

/// Checks that the client's room for the reply holds at least the fixed part.
fn enough_room<T>(argsz: u32) -> Result<(), Errno> {
    if argsz < size_of_u32::<T>() { Err(Errno::EINVAL) } else { Ok(()) }
}
