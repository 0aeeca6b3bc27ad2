//! Memory that clients map, beside registers: what messages find there.

use proptest::prelude::*;
use vfio_user::function::Function as _;
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, SharedError, Virtual};

const SIZE: usize = 0x5000;

/// Registers, shared memory in three pages, nothing, and registers again.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x5a5a)]
#[bar(0: mem64, size = 0x8000, shared(0x2000..0x3000, Self::AREA..0x2000, 0x3000..0x4000))]
#[bar(2: mem32, size = 0x2000, shared(0x1000..0x2000), unmapped = refuse, access = 4)]
struct Board {
    #[reg(0x0ff0)]
    before: [u64; 2],
    #[reg(0x4000)]
    behind: [u32; 4],
    #[reg(0x0ffc, bar = 2)]
    last: u32,
    #[reg(0x0ff0, bar = 2, wo, write_with = Self::publish)]
    publish: Virtual<u32>,
    resets: u32,
    published: u32,
}

impl Device for Board {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.resets += 1;
    }
}

impl Board {
    const AREA: u32 = 0x1000;

    fn publish(&mut self, cx: &mut Cx<'_, Self>, value: u32) {
        self.published += 1;
        cx.shared(2).store(0x1000, value).unwrap();
    }
}

fn is_stored(at: usize) -> bool {
    (0x0ff0..0x4010).contains(&at)
}

fn border() -> impl Strategy<Value = u64> {
    (prop_oneof![Just(0x1000u64), Just(0x2000), Just(0x3000), Just(0x4000)], -24i64..24)
        .prop_map(|(border, off)| border.saturating_add_signed(off))
}

proptest! {
    /// Every byte of registers and memory stores; all others read zero.
    #[test]
    fn messages_of_any_length_find_the_bytes_that_were_written(
        script in prop::collection::vec(
            (border(), prop::collection::vec(any::<u8>(), 1..40)), 1..40),
    ) {
        let mut bench = Bench::new(Board::default()).unwrap();
        let mut model = vec![0; SIZE];
        for (offset, data) in script {
            bench.try_write(RegionIndex::Bar0, offset, &data).unwrap();
            let start = usize::try_from(offset).unwrap();
            for (at, byte) in (start..).zip(&data) {
                if is_stored(at) {
                    model[at] = *byte;
                }
            }
            let (from, len) = (start - 16, data.len() + 32);
            let mut back = vec![0xff; len];
            bench.try_read(RegionIndex::Bar0, from as u64, &mut back).unwrap();
            prop_assert_eq!(&back, &model[from..from + len]);
        }
        let mut memory = vec![0; 0x3000];
        bench.shared(0).read(0x1000, &mut memory).unwrap();
        prop_assert_eq!(&memory, &model[0x1000..0x4000]);
    }
}

#[test]
fn a_message_that_is_refused_in_part_changes_nothing() {
    let mut bench = Bench::new(Board::default()).unwrap();
    let region = RegionIndex::Bar2;
    bench.try_write(region, 0x0ffc, &[1; 16]).unwrap();
    assert_eq!(bench.device().last, 0x0101_0101);
    assert_eq!(bench.try_write(region, 0x0ff8, &[2; 16]), Err(Errno::EINVAL));
    assert_eq!(bench.try_write(region, 0x0ffe, &[2; 16]), Err(Errno::EINVAL));
    assert_eq!(bench.try_read(region, 0x0ff8, &mut [0; 16]), Err(Errno::EINVAL));
    assert_eq!(bench.device().last, 0x0101_0101);
    assert_eq!(bench.shared(2).load::<u64>(0x1000), Ok(0x0101_0101_0101_0101));
    // Memory takes every size.
    bench.try_write(region, 0x1001, &[3]).unwrap();
    assert_eq!(bench.shared(2).load::<u16>(0x1000), Ok(0x0301));
}

#[test]
fn a_hook_stores_what_guests_read() {
    let mut bench = Bench::new(Board::default()).unwrap();
    bench.write(2, 0x0ff0, 0xcafe_u32);
    assert_eq!((bench.device().published, bench.read::<u32>(2, 0x1000)), (1, 0xcafe));
    assert!(bench.shared(1).is_absent() && bench.shared(200).is_absent());
    let outside = SharedError::Outside { offset: 0xffe, len: 2 };
    assert_eq!(bench.shared(2).load::<u16>(0xffe), Err(outside));
}

#[test]
fn memory_outlives_every_reset() {
    let mut bench = Bench::new(Board::default()).unwrap();
    bench.write(0, 0x1008, 5_u32);
    bench.reset();
    bench.reset_by(ResetKind::FunctionLevel);
    assert_eq!((bench.device().resets, bench.read::<u32>(0, 0x1008)), (2, 5));
    bench.shared(0).clear().unwrap();
    assert_eq!(bench.read::<u32>(0, 0x1008), 0);
}

#[test]
fn clients_see_what_was_declared() {
    let bench = Bench::new(Board::default()).unwrap();
    let mapping = bench.function().region(RegionIndex::Bar0).mapping.unwrap();
    let areas = mapping.areas.iter().map(|area| (area.offset.get(), area.size.get()));
    let expected = [(0x2000, 0x1000), (0x1000, 0x1000), (0x3000, 0x1000)];
    assert_eq!(areas.collect::<Vec<_>>(), expected);
    assert_eq!(mapping.offset, 0);
    let other = bench.function().region(RegionIndex::Bar2).mapping.unwrap();
    assert_eq!(other.areas.len(), 1);
    assert!(bench.function().region(RegionIndex::Config).mapping.is_none());
}
