//! What is logged of accesses that no register answers, although one lies there.

use tracing::Level;
use vfio_user::{Bench, Device, PciDevice, RegisterBlock};

use super::log::leveled;

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Queue {
    #[reg(0x00, when(ready = 1))]
    size: u16,
    #[reg(0x02)]
    ready: u8,
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    page: u8,
    #[reg(0x01)]
    index: u8,
    #[reg(0x04, ro, overlay, when(page = 0))]
    status: u8,
    #[reg(0x04, wo, overlay, when(page = 0), allow(unread))]
    command: u8,
    #[reg(0x04, wo, overlay, when(page = 2..=3 | 5), allow(unread))]
    paged: u8,
    #[reg(0x08, when(size = 2 | 4))]
    data: u16,
    #[reg(0x10, select = index)]
    rings: [u32; 4],
    #[block(0x20, select = index)]
    queues: [Queue; 8],
}

impl Device for Card {
    type Event = ();
}

/// The lines up to a level of what a guest does.
fn lines(most: Level, guest: impl FnOnce(&mut Bench<Card>)) -> Vec<(Level, String)> {
    let mut bench = Bench::new(Card::default()).unwrap();
    leveled(most, || guest(&mut bench))
}

#[test]
fn the_register_is_named_and_the_condition_that_does_not_hold() {
    let lines = lines(Level::INFO, |bench| {
        bench.write(0, 0x00, 1_u8);
        for _ in 0..3 {
            bench.read::<u8>(0, 0x04);
        }
        bench.write(0, 0x00, 3_u8);
        bench.read::<u8>(0, 0x04);
        bench.write(0, 0x08, 1_u8);
        bench.write(0, 0x20, 1_u16);
        bench.write(0, 0x01, 7_u8);
        bench.read::<u32>(0, 0x10);
        bench.write(0, 0x10, 1_u16);
        bench.write(0, 0x01, 8_u8);
        bench.write(0, 0x22, 1_u8);
    });
    let expected = [
        (
            Level::WARN,
            "card.status: 1-byte read at 0x4 ignored: it answers when page = 0x0, and that is 0x1",
        ),
        (
            Level::WARN,
            "card.data: 1-byte write at 0x8 ignored: it answers accesses of 2 or 4 bytes only",
        ),
        (
            Level::WARN,
            "card.queues[0].size: 2-byte write at 0x20 ignored: it answers when ready = 0x1, and that is 0x0",
        ),
        (
            Level::INFO,
            "card.rings: 4-byte read at 0x10 ignored: index is 0x7, and there are 4 elements",
        ),
        (
            Level::WARN,
            "card.rings: 2-byte write at 0x10 ignored: index is 0x7, and there are 4 elements",
        ),
        (
            Level::WARN,
            "card.queues.ready: 1-byte write at 0x22 ignored: index is 0x8, and there are 8 elements",
        ),
    ];
    let expected = expected.map(|(level, line)| (level, line.to_owned()));
    assert_eq!(lines, expected);
}

#[test]
fn the_register_that_answers_is_traced() {
    let lines = lines(Level::TRACE, |bench| {
        bench.write(0, 0x04, 1_u8);
        bench.write(0, 0x00, 5_u8);
        bench.write(0, 0x04, 2_u8);
        bench.write(0, 0x01, 3_u8);
        bench.write(0, 0x22, 1_u8);
        bench.read::<u32>(0, 0x10);
    });
    let lines: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "card.command: 0x0 -> 0x1",
            "card.page: 0x0 -> 0x5",
            "card.paged: 0x0 -> 0x2",
            "card.index: 0x0 -> 0x3",
            "card.queues[3].ready: 0x0 -> 0x1",
            "card.rings[3]: read 0x0",
        ]
    );
}
