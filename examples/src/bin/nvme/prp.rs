//! Where a command has its data: physical region pages (4.3).

use vfio_user::Dma;

use crate::data::Ranges;
use crate::disk::Outcome;
use crate::spec::{Command, Status};

/// Returns the ranges of `len` bytes of data, in pages of `page` bytes.
pub(crate) fn ranges(dma: &Dma, command: &Command, page: u64, len: u64) -> Outcome<Ranges> {
    let mut ranges = Ranges::default();
    let (first, second) = (command.prp1.get(), command.prp2.get());
    let here = len.min(page - first % page);
    ranges.push(Some(first), here);
    let mut rest = len - here;
    if rest > page {
        let mut list = second;
        while rest > 0 {
            list = push_list(dma, &mut ranges, list, page, &mut rest)?;
        }
    } else if rest > 0 {
        ranges.push(Some(aligned(second, page)?), rest);
    }
    Ok(ranges)
}

/// Adds the pages of a list, up to the end of its own page. Returns where the list continues.
fn push_list(dma: &Dma, ranges: &mut Ranges, list: u64, page: u64, rest: &mut u64) -> Outcome<u64> {
    if !list.is_multiple_of(8) {
        return Err(Status::INVALID_PRP_OFFSET.into());
    }
    let room = (page - list % page) / 8;
    let needed = rest.div_ceil(page).min(room);
    let mut entries = vec![0; usize::try_from(8 * needed).unwrap_or(0)];
    dma.read(list, &mut entries)?;
    let entries = entries.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
    for (place, entry) in (1..).zip(entries) {
        // The last entry of a full page leads to the next one, unless it is the last page of data.
        if place == room && *rest > page {
            return aligned(entry, page);
        }
        let here = page.min(*rest);
        ranges.push(Some(aligned(entry, page)?), here);
        *rest -= here;
    }
    Ok(0)
}

fn aligned(iova: u64, page: u64) -> Outcome<u64> {
    if iova.is_multiple_of(page) { Ok(iova) } else { Err(Status::INVALID_PRP_OFFSET.into()) }
}
