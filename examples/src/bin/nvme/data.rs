//! The memory of a command's data (4.3, 4.4).

use vfio_user::{Dma, DmaError, DmaGuard};

use crate::disk::Outcome;
use crate::spec::Command;
use crate::{prp, sgl};

/// How the device uses the data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
}

/// Ranges that follow each other in the data: an address, or none for bytes that are discarded, and
/// a length. They are joined where addresses follow each other.
#[derive(Default)]
pub(crate) struct Ranges(Vec<(Option<u64>, u64)>);

impl Ranges {
    pub(crate) fn push(&mut self, iova: Option<u64>, len: u64) {
        match self.0.last_mut() {
            _ if len == 0 => {}
            Some((start, before)) if start.map(|start| start.wrapping_add(*before)) == iova => {
                *before += len;
            }
            _ => self.0.push((iova, len)),
        }
    }
}

/// Holds the `len` bytes that a command writes to a namespace, or compares with it.
pub(crate) fn gather(dma: &Dma, command: &Command, page: u64, len: u64) -> Outcome<DmaGuard> {
    if !command.has_sgl() {
        return hold_pages(dma, command, page, len, Use::Read);
    }
    join(dma, &sgl::ranges(dma, command, len, Use::Read)?.0, Use::Read)
}

/// Holds the memory for the `len` bytes that a command reads, and calls `fill` with each piece of
/// it and the piece's offset in the data.
pub(crate) fn scatter(
    dma: &Dma,
    command: &Command,
    page: u64,
    len: u64,
    fill: impl Fn(u64, &DmaGuard) -> Outcome<()>,
) -> Outcome<()> {
    if !command.has_sgl() {
        return fill(0, &hold_pages(dma, command, page, len, Use::Write)?);
    }
    let Ranges(ranges) = sgl::ranges(dma, command, len, Use::Write)?;
    let pieces = ranges.chunk_by(|(before, _), (after, _)| before.is_some() && after.is_some());
    let mut offset = 0;
    let pieces = pieces.map(|piece| {
        let start = offset;
        offset += piece.iter().map(|(_, len)| len).sum::<u64>();
        Ok((start, join(dma, piece, Use::Write)?))
    });
    // All of them are held before one is filled.
    let pieces = pieces.collect::<Outcome<Vec<_>>>()?;
    pieces.iter().try_for_each(|(offset, piece)| fill(*offset, piece))
}

/// Holds data that a command has in pages of `page` bytes.
pub(crate) fn hold_pages(
    dma: &Dma,
    command: &Command,
    page: u64,
    len: u64,
    access: Use,
) -> Outcome<DmaGuard> {
    let first = command.prp1.get();
    if len <= page - first % page {
        // Most commands need no list.
        return Ok(hold(dma, first, len, access)?);
    }
    join(dma, &prp::ranges(dma, command, page, len)?.0, access)
}

/// Holds ranges; those without an address are left out.
fn join(dma: &Dma, ranges: &[(Option<u64>, u64)], access: Use) -> Outcome<DmaGuard> {
    let ranges = ranges.iter().filter_map(|(iova, len)| iova.map(|iova| (iova, *len)));
    Ok(ranges.map(|(iova, len)| hold(dma, iova, len, access)).collect::<Result<_, _>>()?)
}

fn hold(dma: &Dma, iova: u64, len: u64, access: Use) -> Result<DmaGuard, DmaError> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    match access {
        Use::Read => dma.map_readable(iova, len),
        Use::Write => dma.map_writable(iova, len),
    }
}
