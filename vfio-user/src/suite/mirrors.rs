//! Tests that accesses to a mirror have the same effects as those to the BAR that it mirrors.

use super::elements::Elements;
use super::random::Random;
use crate::bench::Bench;
use crate::device::PciDevice;

/// Makes the same accesses to two devices, to one of them by the mirror.
pub(super) fn check<D: PciDevice>(construct: impl Fn() -> Bench<D>, elements: &Elements) {
    let bars = *construct().function().descriptor().bars();
    for (index, bar) in (0..).zip(bars) {
        let Some(bar) = bar else { continue };
        let Some(mirrored) = bar.mirrored() else { continue };
        let (mut direct, mut by_mirror) = (construct(), construct());
        let mut random = Random::new(index.into());
        let behind = elements
            .tested()
            .filter(|element| element.bar == mirrored && element.range().end <= bar.size());
        for element in behind {
            let shown = element.in_mirror(index, &bar);
            for lane in shown.whole() {
                let value = random.bits();
                element.write(&mut direct, lane, value);
                shown.write(&mut by_mirror, lane, value);
                let expected = element.read(&mut direct, lane) & lane.mask();
                let found = shown.read(&mut by_mirror, lane) & lane.mask();
                assert!(
                    found == expected || element.is_noisy,
                    "{element} reads {expected:#x}, and {found:#x} in BAR {index}, at {lane}"
                );
            }
            let (expected, found) = (element.peek(&direct), element.peek(&by_mirror));
            assert!(
                (found ^ expected) & element.settled == 0,
                "{element} holds {expected:#x}, and {found:#x} after the same in BAR {index}"
            );
        }
    }
}
