//! Blocks that a version has added, and arrays that have grown.

use super::*;

#[derive(Debug, Default, RegisterBlock)]
struct Ring {
    #[reg(0x00, reset = 0x40)]
    size: u32,
    #[reg(0x04, w1)]
    key: u32,
    #[reg(0x08, wide)]
    base: u64,
    done: u16,
}

#[derive(Debug, Default, RegisterBlock)]
#[migrate(version = 2)]
struct LongRing {
    #[reg(0x00, reset = 0x40)]
    size: u32,
    #[reg(0x04, w1)]
    #[migrate(grown_from = 1)]
    key: [u32; 1 + 1],
    #[reg(0x10, wide)]
    base: u64,
    done: u16,
}

macro_rules! nics {
    ($($(#[$attribute:meta])* $name:ident { $($body:tt)* })*) => {$(
        #[derive(PciDevice)]
        #[pci(vendor = 0x1234, device = 0xcafe, name = "nic")]
        #[bar(0: mem32, size = 0x1000)]
        $(#[$attribute])*
        #[derive(Debug)]
        struct $name { $($body)* }

        impl Device for $name {
            type Event = ();
        }
    )*};
}

nics! {
    Nic {
        #[reg(0x00)]
        table: [u32; 2],
        #[reg(0x20, w1)]
        once: u32,
        #[block(0x100, stride = 0x40)]
        rings: [Ring; 2],
        weights: [u16; 2],
        mac: [u8; 2],
    }
    #[migrate(version = 2)]
    More {
        #[reg(0x00)]
        #[migrate(grown_from = 2)]
        table: [u32; 4],
        #[reg(0x20, w1)]
        #[migrate(grown_from = 1)]
        once: [u32; 2],
        #[block(0x100, stride = 0x40)]
        #[migrate(grown_from = 2)]
        rings: [Ring; 4],
        #[block(0x800)]
        #[migrate(since = 2)]
        admin: Ring,
        #[migrate(grown_from = 2)]
        weights: [u16; 4],
        #[migrate(grown_from = 2)]
        mac: [u8; 6],
    }
    #[migrate(version = 3)]
    Most {
        #[reg(0x00)]
        #[migrate(grown_from(2, 4))]
        table: [u32; 5],
        #[reg(0x20, w1)]
        #[migrate(grown_from = 1)]
        once: [u32; 2],
        #[block(0x100, stride = 0x40)]
        #[migrate(grown_from(2, 4), renamed_from = "rings")]
        queues: [LongRing; 5],
        #[block(0x800)]
        #[migrate(since = 2, grown_from = 1)]
        admin: [LongRing; 2],
        #[migrate(grown_from(2, 4), renamed_from = "weights")]
        shares: [u16; 6],
        #[migrate(grown_from = 2)]
        mac: [u8; 6],
    }
}

fn rings<const N: usize>() -> [Ring; N] {
    std::array::from_fn(|place| Ring {
        done: 10 + u16::try_from(place).unwrap(),
        ..Ring::default()
    })
}

fn long_rings<const N: usize>() -> [LongRing; N] {
    std::array::from_fn(|_| LongRing { done: 10, ..LongRing::default() })
}

impl Default for Nic {
    fn default() -> Self {
        Nic { table: [1, 2], once: 0, rings: rings(), weights: [5, 6], mac: [0x52, 0x54] }
    }
}

impl Default for More {
    fn default() -> Self {
        More {
            table: [1, 2, 3, 4],
            once: [0, 0],
            rings: rings(),
            admin: Ring { done: 99, ..Ring::default() },
            weights: [5, 6, 7, 8],
            mac: [0x52, 0x54, 0, 1, 2, 3],
        }
    }
}

impl Default for Most {
    fn default() -> Self {
        Most {
            table: [1, 2, 3, 4, 5],
            once: [0, 0],
            queues: long_rings(),
            admin: long_rings(),
            shares: [5, 6, 7, 8, 9, 10],
            mac: [0x52, 0x54, 0, 1, 2, 3],
        }
    }
}

/// What a guest does.
type Change<'c> = &'c dyn Fn(&mut Bench<More>);

/// Everything of it differs from what was constructed.
fn used() -> Bench<Nic> {
    let mut bench = Bench::new(Nic::default()).unwrap();
    bench.write(0, 0x00, 0x11_u32);
    bench.write(0, 0x04, 0x12_u32);
    bench.write(0, 0x20, 0x77_u32);
    for ring in [0x100, 0x140] {
        bench.write(0, ring, 0x80_u32);
        bench.write(0, ring + 4, 0x55_u32);
        // Half of a wide register waits.
        bench.write(0, ring + 8, 0x1000_u32);
    }
    bench
}

fn used_more() -> Bench<More> {
    let mut bench = Bench::new(More::default()).unwrap();
    for element in 0..4 {
        bench.write(0, element * 4, 0x21_u32);
        bench.write(0, 0x100 + element * 0x40, 0x22_u32);
        bench.write(0, 0x104 + element * 0x40, 0x23_u32);
        bench.write(0, 0x108 + element * 0x40, 0x24_u32);
    }
    bench.write(0, 0x20, 1_u32);
    bench.write(0, 0x24, 2_u32);
    bench.write(0, 0x800, 0x25_u32);
    bench.write(0, 0x804, 0x26_u32);
    bench
}

#[test]
fn what_older_state_lacks_is_as_it_was_constructed() {
    let old = used().save();
    // Whatever has happened to the device that it becomes.
    for mut bench in [Bench::new(More::default()).unwrap(), used_more()] {
        bench.load(&old).unwrap();
        let device = bench.device();
        assert_eq!(device.table, [0x11, 0x12, 3, 4]);
        assert_eq!(device.once, [0x77, 0]);
        assert_eq!(device.rings.each_ref().map(|ring| ring.size), [0x80, 0x80, 0x40, 0x40]);
        assert_eq!(device.rings.each_ref().map(|ring| ring.done), [10, 11, 12, 13]);
        assert_eq!((device.admin.size, device.admin.done), (0x40, 99));
        assert_eq!((device.weights, device.mac), ([5, 6, 7, 8], [0x52, 0x54, 0, 1, 2, 3]));
        // Of the old elements the rest of the wide register is still to come, and what was written
        // once stays; the new ones start afresh.
        bench.write(0, 0x10c, 1_u32);
        bench.write(0, 0x18c, 2_u32);
        let bases = bench.device().rings.each_ref().map(|ring| ring.base);
        assert_eq!(bases, [0x1_0000_1000, 0, 0, 0]);
        for (ring, key) in [(0x100, 0x55_u32), (0x180, 9), (0x800, 9)] {
            bench.write(0, ring + 4, 9_u32);
            assert_eq!(bench.read::<u32>(0, ring + 4), key, "{ring:#x}");
        }
        // So does a reset.
        bench.reset();
        assert_eq!(bench.device().table, [1, 2, 3, 4]);
    }
}

#[test]
fn growth_goes_on() {
    for old in [used().save(), used_more().save()] {
        let mut bench = Bench::new(Most::default()).unwrap();
        bench.load(&old).unwrap();
        assert_eq!(bench.device().table[4], 5);
        assert_eq!(bench.device().shares, [5, 6, 7, 8, 9, 10]);
        assert_eq!((bench.device().queues[4].size, bench.device().admin[1].size), (0x40, 0x40));
        let mut other = Bench::new(Most::default()).unwrap();
        other.load(&bench.save()).unwrap();
        assert_eq!(other.save(), bench.save());
    }
}

#[test]
fn an_older_version_leaves_out_what_is_not_in_use() {
    let new = |change: Change<'_>| {
        let mut bench = Bench::new(More::default()).unwrap();
        bench.load(&used().save()).unwrap();
        change(&mut bench);
        Bench::new(Nic::default()).unwrap().load(&bench.save())
    };
    new(&|_| {}).unwrap();
    // What the old version has may be in use.
    new(&|bench| bench.write(0, 0x140, 7_u32)).unwrap();
    let changes: [(Change<'_>, &str); 7] = [
        (&|bench| bench.write(0, 0x08, 7_u32), "`table.2`"),
        (&|bench| bench.write(0, 0x24, 7_u32), "`once.1`"),
        (&|bench| bench.write(0, 0x180, 7_u32), "rings.2"),
        (&|bench| bench.write(0, 0x184, 7_u32), "rings.2"),
        (&|bench| bench.write(0, 0x188, 7_u32), "rings.2"),
        (&|bench| bench.write(0, 0x800, 7_u32), "admin"),
        (&|bench| bench.write(0, 0x804, 7_u32), "admin"),
    ];
    for (change, what) in changes {
        let refused = new(change).unwrap_err().to_string();
        assert!(refused.contains(what), "{refused}");
    }
}
