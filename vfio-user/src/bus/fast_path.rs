//! The fast path of most accesses: to a register that only stores, and wholly inside it.
//!
//! An access without a socket takes 115 instructions by this path and 484 without it, counted by
//! callgrind on `dispatch derived 16` of the crate of benchmarks; a `match` written by hand takes
//! 121. With 1,024 registers the numbers are 140, 479 and 100.

use super::fast_run::FastAccess;
use super::le::{get, put};
use super::{BarMap, trace};
use crate::device::PciDevice;
use crate::model::byte_enable;

/// Reads by the fast path; returns whether there is one.
#[inline]
pub(crate) fn read<D: PciDevice>(device: &D, map: &BarMap, offset: u64, data: &mut [u8]) -> bool {
    let Some(FastAccess { slot, shift, store_only, .. }) = map.fast_access(offset, data.len())
    else {
        return false;
    };
    if trace::is_on() {
        return false;
    }
    put(data, (device.load(slot) & store_only.readable) >> shift);
    true
}

/// Writes by the fast path; returns whether there is one. Writes of bits that are ignored take the
/// slow path, which logs them.
#[inline]
pub(crate) fn write<D: PciDevice>(device: &mut D, map: &BarMap, offset: u64, data: &[u8]) -> bool {
    let Some(FastAccess { slot, shift, is_whole, store_only }) =
        map.fast_access(offset, data.len())
    else {
        return false;
    };
    if store_only.writable == 0 || trace::is_on() {
        return false;
    }
    if is_whole && store_only.is_writable {
        // The write replaces all of the stored value.
        device.store(slot, get(data));
        return true;
    }
    let enable = byte_enable(shift / 8, data.len() as u64);
    let (old, value) = (device.load(slot), get(data) << shift);
    if (old ^ value) & enable & !store_only.writable != 0 {
        return false;
    }
    device.store(slot, (old & !enable) | (value & enable));
    true
}
