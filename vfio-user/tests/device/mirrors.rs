//! BARs that mirror others.

use tracing::Level;
use vfio_user::function::{Function, Peek};
use vfio_user::protocol::{Errno, RegionIndex};
use vfio_user::{Bench, Cx, Device, PciDevice, ResetKind, Virtual};

use crate::log::logged;

/// Registers as those of a network adapter: once as ports, once in memory.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x8139, name = "nic")]
#[bar(0: io, size = 0x100)]
#[bar(1: mem32, size = 0x80, mirror = 0, access = 2..=4, unaligned = ignore)]
#[bar(2: mem32, size = 0x4000, unmapped = refuse, shared(0x1000..0x2000))]
#[bar(3: mem32, size = 0x2000, mirror = 2, access = 4)]
struct Nic {
    #[reg(0x00)]
    mode: u32,
    #[reg(0x04, w1c, reset = 0xff)]
    status: u16,
    #[reg(0x08, read_with = Self::pop)]
    data: Virtual<u32>,
    #[memory(0x10..0x30)]
    buffer: [u8; 0x20],
    #[reg(0x84)]
    behind: u32,
    #[reg(0x00, bar = 2)]
    strict: u32,
    #[reg(0x1000, bar = 2, watch)]
    tail: u32,
    reads: u32,
}

impl Device for Nic {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.reads = 0;
    }
}

impl Nic {
    fn pop(&mut self, _: &mut Cx<'_, Self>) -> u32 {
        self.reads += 1;
        self.reads
    }
}

mod generated {
    vfio_user::device_tests!(super::Nic, super::Nic::default);
}

fn bench() -> Bench<Nic> {
    Bench::new(Nic::default()).expect("it can be served")
}

#[test]
fn a_mirror_shows_the_same_registers() {
    let mut bench = bench();
    bench.write(1, 0x00, 0x1234_5678_u32);
    assert_eq!((bench.read::<u32>(0, 0x00), bench.device().mode), (0x1234_5678, 0x1234_5678));
    bench.write(0, 0x04, 0x0f_u16);
    assert_eq!(bench.read::<u16>(1, 0x04), 0xf0);
    assert_eq!((bench.read::<u32>(1, 0x08), bench.read::<u32>(0, 0x08)), (1, 2));
}

#[test]
fn a_mirror_reaches_memory() {
    let mut bench = bench();
    bench.write(1, 0x20, 0x0403_0201_u32);
    assert_eq!(bench.device().buffer[0x10..0x14], [1, 2, 3, 4]);
    bench.write(3, 0x1800, 7_u32);
    assert_eq!(bench.read::<u32>(2, 0x1800), 7);
}

#[test]
fn a_smaller_mirror_shows_the_first_bytes() {
    let mut bench = bench();
    let sizes = [0, 1].map(|bar| bench.function().region(RegionIndex::ALL[bar]).size);
    assert_eq!(sizes, [0x100, 0x80]);
    let mapping = bench.function().region(RegionIndex::Bar3).mapping;
    assert!(mapping.is_none(), "clients map the memory in one place");
    bench.write(1, 0x7c, 1_u32);
    assert_eq!(bench.device().behind, 0);
}

#[test]
fn an_access_satisfies_the_rules_of_both() {
    let mut bench = bench();
    bench.write(0, 0x00, 0x1234_5678_u32);
    // The mirror accepts 2 and 4 bytes, aligned.
    assert_eq!(bench.read::<u8>(1, 0x00), 0);
    assert_eq!(bench.read::<u16>(1, 0x01), 0);
    assert_eq!(bench.read::<u16>(1, 0x02), 0x1234);
    bench.write(1, 0x00, 0xff_u8);
    assert_eq!(bench.device().mode, 0x1234_5678);
    // The BAR behind the mirror refuses what meets no register.
    let mut data = [0; 4];
    assert_eq!(bench.try_read(RegionIndex::Bar3, 0x04, &mut data), Err(Errno::EINVAL));
    assert_eq!(bench.try_read(RegionIndex::Bar3, 0x00, &mut data[..2]), Err(Errno::EINVAL));
    assert_eq!(bench.try_write(RegionIndex::Bar3, 0x00, &[0; 2]), Err(Errno::EINVAL));
    assert_eq!(bench.try_read(RegionIndex::Bar3, 0x00, &mut data), Ok(()));
}

#[test]
fn a_long_message_to_a_mirror_is_many_accesses() {
    let mut bench = bench();
    let data: Vec<u8> = (0..0x20).collect();
    assert_eq!(bench.try_write(RegionIndex::Bar1, 0x10, &data), Ok(()));
    assert_eq!(bench.device().buffer[..], data);
    let mut read = vec![0; 0x20];
    assert_eq!(bench.try_read(RegionIndex::Bar1, 0x10, &mut read), Ok(()));
    assert_eq!(read, data);
}

#[test]
fn a_message_to_a_mirror_writes_a_watched_register() {
    let mut bench = bench();
    bench.write(3, 0x1000, 5_u32);
    assert_eq!(bench.device().tail, 5);
}

#[test]
fn bytes_of_a_mirror_are_peeked_and_poked() {
    let mut bench = bench();
    bench.function_mut().poke_at(1, 0x00, &[1, 2]).expect("a register lies there");
    assert_eq!(bench.function().peek("mode"), Ok(Peek::Known(0x0201)));
    let mut byte = [0];
    assert_eq!(bench.function().peek_at(1, 0x01, &mut byte), Ok(true));
    assert_eq!(byte, [2]);
}

#[test]
fn the_mirror_is_named_where_an_access_meets_nothing() {
    let mut bench = bench();
    let lines = logged(Level::WARN, || {
        bench.write(1, 0x60, 1_u32);
        bench.write(1, 0x00, 1_u8);
    });
    let text = lines.join("\n");
    assert!(text.contains("4-byte write of BAR 1 at 0x60 ignored"), "{text}");
    assert!(text.contains("1-byte write of BAR 1 at 0x0 ignored"), "{text}");
}
