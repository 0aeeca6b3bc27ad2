use vfio_user::{Device, PciDevice, RegisterBlock};

const QUEUES: usize = 4;

#[derive(Default, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u64,
}

mod digits {
    pub fn save(_: &[u8; 4]) -> u32 {
        0
    }
    pub fn load(_: u32) -> Result<[u8; 4], String> {
        Ok([0; 4])
    }
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[migrate(version = 2)]
struct Card {
    #[reg(0x00)]
    #[migrate(grown_from = 4)]
    table: [u32; 4],
    #[reg(0x10)]
    #[migrate(grown_from = 2)]
    single: u32,
    #[reg(0x14)]
    #[migrate(grown_from(2, 2))]
    twice: [u32; 4],
    #[block(0x100)]
    #[migrate(grown_from = 4)]
    queues: [Queue; QUEUES],
    #[block(0x200)]
    #[migrate(since = 3)]
    admin: Queue,
    #[block(0x300)]
    #[migrate(since = 2, default = 0)]
    other: Queue,
    #[migrate(grown_from = 0)]
    none: [u8; 4],
    #[migrate(grown_from = QUEUES)]
    constant: [u8; 8],
    #[migrate(grown_from = 8, max_len = 16)]
    list: Vec<u8>,
    #[migrate(grown_from = 2, with = digits)]
    converted: [u8; 4],
    #[migrate(grown_from = 8)]
    an_array_whose_name_is_as_long_as_it_can_be_in_a_stream_of_state: [u8; 16],
    #[migrate(skip, grown_from = 2)]
    skipped: [u8; 4],
}

impl Device for Card {
    type Event = ();
}

fn main() {}
