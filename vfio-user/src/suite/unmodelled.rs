//! Tests that places without a model hold what is written until a reset, or read zero.

use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;
use crate::model::ResetKind;
use crate::protocol::RegionIndex;

pub(super) fn check<D: PciDevice>(bench: &mut Bench<D>) {
    for place in bench.function().descriptor().unmodelled() {
        let region = RegionIndex::ALL[usize::from(place.bar())];
        let len = usize::try_from(place.size()).unwrap_or(usize::MAX).min(0x1000);
        let written = Random::new(place.start()).bytes(len);
        let mut found = vec![0xa5; len];
        let at = |bench: &mut Bench<D>, data: &mut [u8]| {
            let read = bench.try_read(region, place.start(), data);
            assert_eq!(read, Ok(()), "read of `{}`", place.name());
        };
        let write = bench.try_write(region, place.start(), &written);
        assert_eq!(write, Ok(()), "write of `{}`", place.name());
        at(bench, &mut found);
        let expected = if place.is_stored() { written } else { vec![0; len] };
        assert_eq!(found, expected, "`{}` after a write", place.name());
        bench.reset_by(ResetKind::Device);
        at(bench, &mut found);
        assert_eq!(found, vec![0; len], "`{}` after a reset", place.name());
    }
}
