//! Ranges of a BAR with registers that the device serves itself.

use vfio_user::function::PeekError;
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Access, Bench, Cx, Device, PciDevice, ResetKind};

/// Registers, and tables of the device's own making between them.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, name = "card")]
#[bar(0: mem32, size = 0x1000, raw(0x10..0x40, TABLE..TABLE + 0x100), unmapped = ones)]
#[bar(1: mem32, size = 0x100, raw(0x40..0x80), unmapped = refuse, access = 4)]
#[bar(2: mem32, size = 0x100, raw(0x40..0x80))]
struct Card {
    #[reg(0x00)]
    control: u64,
    #[reg(0x40)]
    status: u32,
    #[reg(0x00, bar = 1)]
    strict: u32,
    #[migrate(max_len = 0x1000)]
    table: Vec<u8>,
    #[migrate(skip)]
    accesses: Vec<(RegionIndex, u64, usize)>,
}

const TABLE: u64 = 0x800;

impl Device for Card {
    type Event = ();

    fn access(
        &mut self,
        _: &mut Cx<'_, Self>,
        region: RegionIndex,
        offset: u64,
        access: Access<'_>,
    ) -> Result<(), Errno> {
        self.table.resize(0x1000, 0);
        let len = match &access {
            Access::Read(data) => data.len(),
            Access::Write(data) => data.len(),
        };
        self.accesses.push((region, offset, len));
        if offset >= TABLE + 0x80 {
            return Err(Errno::ENOSYS);
        }
        let offset = usize::try_from(offset).map_err(|_| Errno::EINVAL)?;
        match access {
            Access::Read(data) => data.copy_from_slice(&self.table[offset..offset + len]),
            Access::Write(data) => self.table[offset..offset + len].copy_from_slice(data),
        }
        Ok(())
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.table.clear();
    }
}

mod generated {
    vfio_user::device_tests!(super::Card, super::Card::default);
}

fn bench() -> Bench<Card> {
    Bench::new(Card::default()).expect("it can be served")
}

#[test]
fn the_device_serves_a_raw_range() {
    let mut bench = bench();
    bench.write(0, 0x12, 0x1234_u16);
    assert_eq!(bench.read::<u16>(0, 0x12), 0x1234);
    bench.write(0, 0x40, 5_u32);
    assert_eq!(bench.device().status, 5);
    let calls = [(RegionIndex::Bar0, 0x12, 2), (RegionIndex::Bar0, 0x12, 2)];
    assert_eq!(bench.device().accesses, calls);
}

#[test]
fn a_message_is_split_at_its_ends() {
    let mut bench = bench();
    let data: Vec<u8> = (0..0x44).collect();
    assert_eq!(bench.try_write(RegionIndex::Bar0, 0x00, &data), Ok(()));
    assert_eq!(bench.device().accesses, [(RegionIndex::Bar0, 0x10, 0x30)]);
    assert_eq!(bench.device().table[0x10..0x40], data[0x10..0x40]);
    assert_eq!(bench.device().status, 0x4342_4140);
}

#[test]
fn what_the_device_leaves_meets_no_register() {
    let mut bench = bench();
    assert_eq!(bench.read::<u32>(0, TABLE + 0x80), 0xffff_ffff);
    assert_eq!(bench.read::<u32>(0, 0x100), 0xffff_ffff);
    assert_eq!(bench.device().accesses.len(), 1);
}

#[test]
fn the_bar_decides_which_sizes_arrive() {
    let mut bench = bench();
    assert_eq!(bench.try_write(RegionIndex::Bar1, 0x40, &[1, 2, 3, 4]), Ok(()));
    assert_eq!(bench.try_write(RegionIndex::Bar1, 0x44, &[1]), Err(Errno::EINVAL));
    assert_eq!(bench.try_write(RegionIndex::Bar1, 0x80, &[1, 2, 3, 4]), Err(Errno::EINVAL));
    assert_eq!(bench.device().accesses, [(RegionIndex::Bar1, 0x40, 4)]);
}

#[test]
fn outside_its_ranges_a_bar_without_registers_is_not_served() {
    let mut bench = bench();
    bench.write(2, 0x40, 1_u32);
    bench.write(2, 0x80, 1_u32);
    assert_eq!(bench.device().accesses, [(RegionIndex::Bar2, 0x40, 4)]);
}

#[test]
fn only_the_device_knows_the_bytes() {
    let mut bench = bench();
    let mut data = [0; 4];
    assert_eq!(bench.function().peek_at(0, 0x10, &mut data), Ok(false));
    let poked = bench.function_mut().poke_at(0, 0x10, &data);
    assert_eq!(poked, Err(PeekError::Unmapped(0x10, 0x14)));
}
