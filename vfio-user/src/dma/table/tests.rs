//! The table against a map that has no chunks.

use super::*;
use crate::dma::file::Files;
use crate::dma::region::NewRegion;
use proptest::prelude::*;

/// Changed as `Dma` does it.
#[derive(Default)]
struct Changing(Table);

impl Changing {
    fn new(regions: &[(u64, u64)]) -> Self {
        let mut table = Changing::default();
        for &(first, size) in regions {
            table.insert(first, size).unwrap();
        }
        table
    }

    fn insert(&mut self, first: u64, size: u64) -> Result<bool, Errno> {
        let region = NewRegion::messages(first, size, Rights::all())?;
        let new = self.0.check_new(region.span(), usize::MAX)?;
        if new {
            self.0 = self.0.with(Arc::new(region.open(
                &mut Files::default(),
                &Arc::default(),
                &Arc::default(),
            )?));
        }
        Ok(new)
    }

    /// Removes regions, at most [`PART`] at a time.
    fn remove(&mut self, first: u64, last: u64) -> Result<usize, Errno> {
        const PART: usize = 700;
        let (checked, all) = (self.0.check_inside(first, last), self.0.inside(first, last));
        assert_eq!(checked, all.as_ref().map(|all| !all.is_empty()).map_err(|errno| *errno));
        let (mut next, mut count) = (first, 0);
        checked?;
        loop {
            let end = self.0.end_of_part(next, last, PART);
            let removed = self.0.inside(next, end)?;
            assert!(removed.len() == PART || (removed.len() < PART && end == last));
            self.0 = self.0.without(next, end, &removed);
            count += removed.len();
            if end == last {
                return Ok(count);
            }
            next = end + 1;
        }
    }

    fn firsts(&self) -> Vec<u64> {
        self.0.regions().map(|region| region.first()).collect()
    }

    fn find(&self, iova: u64) -> Option<u64> {
        self.0.find(iova, &Hint::default()).map(|region| region.first())
    }

    /// Chunks are filled, sorted, and found by their first addresses.
    fn assert_sound(&self) {
        let Table { firsts, chunks, len, .. } = &self.0;
        assert_eq!(chunks.iter().map(|chunk| chunk.regions.len()).sum::<usize>(), *len);
        assert!(self.firsts().is_sorted());
        assert_eq!(firsts.len(), chunks.len());
        for (first, chunk) in firsts.iter().zip(chunks) {
            let firsts: Vec<_> = chunk.regions.iter().map(|region| region.first()).collect();
            assert_eq!(firsts, chunk.firsts);
            assert_eq!(chunk.firsts.first(), Some(first));
            assert!(chunk.firsts.len() <= CHUNK);
        }
    }
}

#[test]
fn overlap_is_refused_and_an_exact_duplicate_accepted() {
    let mut table = Changing::new(&[(0x1000, 0x1000)]);
    assert_eq!(table.insert(0x1000, 0x1000), Ok(false));
    for (first, size) in [(0x1000, 0x800), (0x1fff, 1), (0, 0x1001), (0, 0x8000)] {
        assert_eq!(table.insert(first, size), Err(Errno::EEXIST), "{first:#x}");
    }
    assert_eq!(table.insert(0x2000, 0x1000), Ok(true));
}

#[test]
fn an_unmap_takes_what_it_contains_and_nothing_if_it_cuts() {
    let mut table = Changing::new(&[(0, 0x1000), (0x1000, 0x1000), (0x4000, 0x1000)]);
    assert_eq!(table.remove(0x800, u64::MAX), Err(Errno::EINVAL));
    assert_eq!(table.firsts(), [0, 0x1000, 0x4000]);
    assert_eq!(table.remove(0x1000, u64::MAX), Ok(2));
    assert_eq!(table.remove(0xfee0_0000, u64::MAX), Ok(0));
    assert_eq!(table.firsts(), [0]);
}

#[test]
fn a_region_may_end_at_the_end_of_the_address_space() {
    let mut table = Changing::new(&[(u64::MAX - 0xfff, 0x1000)]);
    assert_eq!(table.find(u64::MAX), Some(u64::MAX - 0xfff));
    let beyond = table.0.hold(u64::MAX, 2, Rights::READ);
    assert!(matches!(beyond, Err(DmaError::Wraps { .. })));
    assert_eq!(table.remove(0, u64::MAX), Ok(1));
    assert!(table.insert(u64::MAX - 0xfff, 0x1001).is_err());
    assert!(table.insert(0x1000, 0).is_err());
}

#[test]
fn a_hint_of_another_table_is_no_harm() {
    let hint = Hint::default();
    let many: Vec<_> = (0..1000).map(|n| (n * 16, 16)).collect();
    let table = Changing::new(&many);
    assert_eq!(table.0.find(15999, &hint).map(|region| region.first()), Some(15984));
    assert_eq!(table.0.find(15985, &hint).map(|region| region.first()), Some(15984));
    let small = Changing::new(&[(0, 16), (32, 16)]);
    assert_eq!(small.0.find(40, &hint).map(|region| region.first()), Some(32));
    assert!(small.0.find(20, &hint).is_none());
    assert!(Changing::default().0.find(0, &hint).is_none());
}

/// What an access in progress has found counts as held: a table, or a chunk of one.
#[test]
fn what_may_be_held_is_found_by_its_references() {
    let firsts = |table: &Arc<Table>| {
        table.possibly_held().iter().map(|region| region.first()).collect::<Vec<_>>()
    };
    let old = Arc::new(Changing::new(&[(0, 16), (16, 16), (32, 16)]).0);
    assert!(firsts(&old).is_empty());
    let held = old.search(20).map(|(_, region)| Arc::clone(region));
    assert_eq!(firsts(&old), [16]);
    drop(held);
    let earlier = Table::clone(&old);
    assert_eq!(firsts(&old), [0, 16, 32], "of an earlier table");
    drop(earlier);
    let reader = Arc::clone(&old);
    assert_eq!(firsts(&old), [0, 16, 32], "of this table");
    drop(reader);
    assert!(firsts(&old).is_empty());
}

/// In any order, with everything in between taken away and put back.
#[test]
fn many_regions_come_and_go() {
    let mut table = Changing::default();
    let scattered = |n: u64| n.wrapping_mul(0x9e37_79b9) % 10_007 * 16;
    for n in 0..10_007 {
        assert_eq!(table.insert(scattered(n), 16), Ok(true));
    }
    table.assert_sound();
    assert_eq!(table.remove(16 * 16, 10_000 * 16 - 1), Ok(9984));
    table.assert_sound();
    assert_eq!(table.0.chunks.len(), 1, "few regions, few chunks");
    for n in 0..10_007 {
        assert_eq!(table.insert(n * 16, 16), Ok((16..10_000).contains(&n)));
    }
    for n in (0..10_007).filter(|n| n % 128 != 5) {
        assert_eq!(table.remove(n * 16, n * 16 + 15), Ok(1));
    }
    table.assert_sound();
    assert_eq!(table.firsts().len(), 79);
    assert!(table.0.chunks.len() <= 6, "{} chunks", table.0.chunks.len());
}

proptest! {
    /// A naive model: one entry an address of a small space.
    #[test]
    fn the_table_agrees_with_an_array_of_addresses(
        steps in proptest::collection::vec((any::<bool>(), 0u64..64, 1u64..16), 0..64),
    ) {
        let mut table = Changing::default();
        let mut model = [None::<u64>; 96];
        for (insert, first, size) in steps {
            let range = usize::try_from(first).unwrap()..usize::try_from(first + size).unwrap();
            if insert {
                let free = model[range.clone()].iter().all(Option::is_none);
                let done = table.insert(first, size).is_ok();
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
            table.assert_sound();
            for (address, owner) in model.iter().enumerate() {
                prop_assert_eq!(table.find(address as u64), *owner);
            }
        }
    }

    /// As above, with so many regions that there are several chunks.
    #[test]
    fn large_tables_agree_with_a_map(
        steps in proptest::collection::vec((0u8..8, 0u64..2000, 1u64..40), 0..40),
    ) {
        let mut table = Changing::default();
        let mut model = std::collections::BTreeSet::new();
        for (kind, first, count) in steps {
            if kind < 6 {
                for n in (first..first + count * 8).step_by(1 + usize::from(kind)) {
                    prop_assert_eq!(table.insert(n * 16, 16), Ok(model.insert(n)));
                }
            } else {
                let count = count * 16;
                let before = model.len();
                model.retain(|n| !(first..first + count).contains(n));
                let removed = before - model.len();
                prop_assert_eq!(table.remove(first * 16, (first + count) * 16 - 1), Ok(removed));
            }
            table.assert_sound();
        }
        let expected: Vec<_> = model.iter().map(|n| n * 16).collect();
        prop_assert_eq!(table.firsts(), expected);
    }

    /// A stop that is refused puts back what is held, in one pass.
    #[test]
    fn held_regions_replace_those_of_their_addresses(
        every in 1usize..400,
        later in proptest::collection::vec((0u64..4000, 1u64..64), 0..8),
    ) {
        let old = Changing::new(&(0..1000).map(|n| (n * 32, 16)).collect::<Vec<_>>());
        let held: Vec<_> = old.0.regions().step_by(every).cloned().collect();
        let renewed = old.0.regions().map(|region| Arc::new(region.renewed()));
        let mut table = Changing(old.0.with_held(renewed.collect()));
        // The client changes its memory meanwhile.
        for (first, size) in later {
            table.0 = match table.0.inside(first * 8, first * 8 + size * 8) {
                Ok(removed) => table.0.without(first * 8, first * 8 + size * 8, &removed),
                Err(_) => continue,
            };
            let _ = table.insert(first * 8, size);
        }
        let others: Vec<_> = table.0.regions().cloned().collect();
        table.0 = table.0.with_held(held.clone());
        table.assert_sound();
        let of = |region: &Arc<Region>| {
            table.0.regions().any(|other| Arc::ptr_eq(region, other))
        };
        prop_assert!(held.iter().all(of));
        let replaces = |region: &Arc<Region>| held.iter().any(|held| {
            held.first() <= region.last() && region.first() <= held.last()
        });
        for region in &others {
            prop_assert_eq!(of(region), !replaces(region), "{:#x}", region.first());
        }
    }

    /// An access is split where regions meet, and is held whole or not at all.
    #[test]
    fn an_access_is_held_piece_by_piece(start in 0u64..64, len in 1usize..64) {
        let table = Changing::new(&[(8, 8), (16, 16), (32, 1), (40, 8)]);
        // Of each address that is mapped, where its region ends.
        let end = |at: u64| match at {
            8..16 => Some(16), 16..32 => Some(32), 32 => Some(33), 40..48 => Some(48), _ => None,
        };
        let mut expected = Ok(Vec::new());
        let (mut at, last) = (start, start + len as u64);
        while at < last {
            let (Some(end), Ok(pieces)) = (end(at), &mut expected) else {
                expected = Err(at);
                break;
            };
            pieces.push((at, end.min(last) - at));
            at = end.min(last);
        }
        let pieces = table.0.pieces(start, len).unwrap().map(|piece| match piece {
            Ok(piece) => Ok((piece.region.first() + piece.offset, piece.len as u64)),
            Err(DmaError::Unmapped { iova }) => Err(iova),
            Err(error) => panic!("{error}"),
        });
        prop_assert_eq!(pieces.collect::<Result<Vec<_>, _>>(), expected);
    }
}
