//! Which region an address lies in.

use std::collections::BTreeMap;

use super::{DmaError, Region, Rights};
use crate::protocol::{Errno, MAX_DMA_MAPS};

/// Disjoint regions, by their first address.
#[derive(Debug, Default)]
pub(super) struct Table {
    regions: BTreeMap<u64, Region>,
}

/// The part of an access that lies in one region.
pub(super) struct Piece<'a> {
    pub(super) region: &'a Region,
    /// From the start of the region.
    pub(super) offset: u64,
    pub(super) len: usize,
}

impl Table {
    pub(super) fn insert(&mut self, region: Region) -> Result<(), Errno> {
        if let Some(other) = self.overlapping(region.first(), region.last()).next() {
            return if other.same_as(&region) { Ok(()) } else { Err(Errno::EEXIST) };
        }
        if self.regions.len() >= MAX_DMA_MAPS {
            return Err(Errno::ENOSPC);
        }
        self.regions.insert(region.first(), region);
        Ok(())
    }

    pub(super) fn remove(&mut self, first: u64, last: u64) -> Result<Vec<Region>, Errno> {
        let partly = |region: &Region| region.first() < first || region.last() > last;
        if self.overlapping(first, last).any(partly) {
            return Err(Errno::EINVAL);
        }
        let inside: Vec<u64> = self.overlapping(first, last).map(Region::first).collect();
        Ok(inside.iter().filter_map(|first| self.regions.remove(first)).collect())
    }

    /// Checks that all of an access may be done.
    pub(super) fn check(&self, iova: u64, len: usize, wanted: Rights) -> Result<(), DmaError> {
        if len == 0 {
            return Ok(());
        }
        let last = iova.checked_add(len as u64 - 1).ok_or(DmaError::Wraps { iova, len })?;
        let mut at = iova;
        loop {
            let region = self.find(at).ok_or(DmaError::Unmapped { iova: at })?;
            region.check(at, wanted)?;
            if region.last() >= last {
                return Ok(());
            }
            at = region.last() + 1;
        }
    }

    /// The regions of an access that `check` has passed, in order.
    pub(super) fn pieces(&self, iova: u64, len: usize) -> impl Iterator<Item = Piece<'_>> {
        let (mut at, mut rest) = (iova, len);
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let region = self.find(at)?;
            let here = usize::try_from(region.last() - at)
                .map_or(rest, |after| rest.min(after.saturating_add(1)));
            let piece = Piece { region, offset: at - region.first(), len: here };
            rest -= here;
            at = at.wrapping_add(here as u64);
            Some(piece)
        })
    }

    fn find(&self, iova: u64) -> Option<&Region> {
        self.overlapping(iova, iova).next()
    }

    /// The regions that share an address with `[first, last]`, from the last one on.
    fn overlapping(&self, first: u64, last: u64) -> impl Iterator<Item = &Region> {
        self.regions
            .range(..=last)
            .rev()
            .map(|(_, region)| region)
            .take_while(move |region| region.last() >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(first: u64, size: u64) -> Region {
        Region::messages(first, size, Rights::all()).unwrap()
    }

    fn table(regions: &[(u64, u64)]) -> Table {
        let mut table = Table::default();
        for &(first, size) in regions {
            table.insert(region(first, size)).unwrap();
        }
        table
    }

    fn firsts(table: &Table) -> Vec<u64> {
        table.regions.keys().copied().collect()
    }

    #[test]
    fn overlap_is_refused_and_an_exact_duplicate_accepted() {
        let mut table = table(&[(0x1000, 0x1000)]);
        assert_eq!(table.insert(region(0x1000, 0x1000)), Ok(()));
        for (first, size) in [(0x1000, 0x800), (0x1fff, 1), (0, 0x1001), (0, 0x8000)] {
            assert_eq!(table.insert(region(first, size)), Err(Errno::EEXIST), "{first:#x}");
        }
        assert_eq!(table.insert(region(0x2000, 0x1000)), Ok(()));
    }

    #[test]
    fn an_unmap_takes_what_it_contains_and_nothing_if_it_cuts() {
        let mut table = table(&[(0, 0x1000), (0x1000, 0x1000), (0x4000, 0x1000)]);
        assert_eq!(table.remove(0x800, u64::MAX).unwrap_err(), Errno::EINVAL);
        assert_eq!(firsts(&table), [0, 0x1000, 0x4000]);
        assert_eq!(table.remove(0x1000, u64::MAX).unwrap().len(), 2);
        assert_eq!(table.remove(0xfee0_0000, u64::MAX).unwrap().len(), 0);
        assert_eq!(firsts(&table), [0]);
    }

    #[test]
    fn a_region_may_end_at_the_end_of_the_address_space() {
        let mut table = table(&[(u64::MAX - 0xfff, 0x1000)]);
        assert!(table.find(u64::MAX).is_some());
        assert!(matches!(table.check(u64::MAX, 2, Rights::READ), Err(DmaError::Wraps { .. })));
        assert_eq!(table.remove(0, u64::MAX).unwrap().len(), 1);
        assert!(Region::messages(u64::MAX - 0xfff, 0x1001, Rights::all()).is_err());
        assert!(Region::messages(0x1000, 0, Rights::all()).is_err());
    }

    proptest! {
        /// A naive model: one entry an address of a small space.
        #[test]
        fn the_table_agrees_with_an_array_of_addresses(
            steps in proptest::collection::vec((any::<bool>(), 0u64..64, 1u64..16), 0..64),
        ) {
            let mut table = Table::default();
            let mut model = [None::<u64>; 96];
            for (insert, first, size) in steps {
                let range = usize::try_from(first).unwrap()..usize::try_from(first + size).unwrap();
                if insert {
                    let free = model[range.clone()].iter().all(Option::is_none);
                    let done = table.insert(region(first, size)).is_ok();
                    let twice = model[range.clone()].iter().all(|owner| *owner == Some(first))
                        && model.iter().filter(|owner| **owner == Some(first)).count() == range.len();
                    prop_assert_eq!(done, free || twice);
                    if free {
                        model[range].fill(Some(first));
                    }
                } else {
                    let cut = model[range.clone()].iter().flatten().any(|owner| {
                        model.iter().enumerate().any(|(at, other)| {
                            *other == Some(*owner) && !range.contains(&at)
                        })
                    });
                    prop_assert_eq!(table.remove(first, first + size - 1).is_err(), cut);
                    if !cut {
                        model[range].fill(None);
                    }
                }
                for (address, owner) in model.iter().enumerate() {
                    prop_assert_eq!(table.find(address as u64).map(Region::first), *owner);
                }
            }
        }
    }
}
