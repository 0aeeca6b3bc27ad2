//! Where a command has its data: physical region pages (4.3).

use vfio_user::zerocopy::little_endian::U64;
use vfio_user::{Dma, ScatterList};

use crate::spec::{Command, Outcome, Status, ensure};

/// Returns the memory of `len` bytes of data, in pages of `page` bytes.
pub(crate) fn list(dma: &Dma, command: &Command, page: u64, len: u64) -> Outcome<ScatterList> {
    let mut data = ScatterList::default();
    let (first, second) = (command.prp1.get(), command.prp2.get());
    data.push(first, len.min(page - first % page));
    match len - data.len() {
        0 => {}
        rest if rest <= page => data.push(aligned(second, page)?, rest),
        _ => {
            let mut list = second;
            while data.len() < len {
                list = push_list(dma, &mut data, list, page, len)?;
            }
        }
    }
    Ok(data)
}

/// Adds the pages of a list, up to the end of its own page. Returns where the list continues.
fn push_list(dma: &Dma, data: &mut ScatterList, list: u64, page: u64, len: u64) -> Outcome<u64> {
    let room = (page - list % page) / 8;
    let needed = (len - data.len()).div_ceil(page).min(room);
    let entries: Vec<U64> =
        dma.read_objs(aligned(list, 8)?, usize::try_from(needed).unwrap_or(0))?;
    for (place, entry) in (1..).zip(entries) {
        let (entry, rest) = (aligned(entry.get(), page)?, len - data.len());
        // The last entry of a full page leads to the next one, unless it is the last page of data.
        if place == room && rest > page {
            return Ok(entry);
        }
        data.push(entry, page.min(rest));
    }
    Ok(0)
}

fn aligned(iova: u64, unit: u64) -> Outcome<u64> {
    ensure(iova.is_multiple_of(unit), Status::INVALID_PRP_OFFSET)?;
    Ok(iova)
}
