//! What is logged when state is saved and loaded.

use tracing::Level;
use vfio_user::{Bench, Device, PciDevice};

use super::log::logged;

/// Warnings, while `run` runs.
fn warnings(run: impl FnOnce()) -> Vec<String> {
    logged(Level::WARN, run)
}

const MIB: usize = 1 << 20;

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
struct Store {
    #[migrate(max_len = 0x00ff_0000)]
    bytes: Vec<u8>,
}

impl Device for Store {
    type Event = ();
}

#[test]
fn a_state_that_may_soon_be_too_large_is_warned_of_now_and_then() {
    let warned = |len, saves| {
        let mut bench = Bench::new(Store { bytes: vec![7; len] }).unwrap();
        warnings(|| (0..saves).for_each(|_| drop(bench.save())))
    };
    // What surrounds the bytes is not a MiB.
    for len in [0, MIB, 7 * MIB, 8 * MIB - 4096] {
        assert_eq!(warned(len, 3), [""; 0], "{len} bytes");
    }
    let line = "the state is large: at most 16777216 bytes can be saved";
    for len in [8 * MIB, 9 * MIB, 15 * MIB] {
        assert_eq!(warned(len, 1), [line], "{len} bytes");
    }
    assert_eq!(warned(8 * MIB, 9), [line; 4], "at 1, 2, 4, 8");
}

macro_rules! version {
    ($name:ident { $($item:tt)* }) => {
        #[derive(Default, PciDevice)]
        #[pci(vendor = 0x1234, device = 0xcafe, name = "grower")]
        #[bar(0: mem32, size = 0x1000)]
        $($item)*
        impl Device for $name {
            type Event = ();
        }
    };
}

version!(Old {
    struct Old {
        #[reg(0x00)]
        control: u32,
    }
});

version!(One {
    #[migrate(version = 2)]
    struct One {
        #[reg(0x00)]
        control: u32,
        #[reg(0x04)]
        #[migrate(since = 2, default = 0)]
        depth: u32,
    }
});

version!(Many {
    #[migrate(version = 2)]
    struct Many {
        #[reg(0x00)]
        control: u32,
        #[reg(0x04)]
        #[migrate(since = 2, default = 0)]
        depth: u32,
        #[reg(0x08)]
        #[migrate(since = 2, default = 0)]
        width: u32,
        #[reg(0x100)]
        #[migrate(since = 2, default = 0)]
        table: [u32; 32],
        #[migrate(since = 2, default = 0)]
        first: u64,
        #[migrate(since = 2, default = 0)]
        second: u64,
        #[migrate(since = 2, default = false)]
        third: bool,
    }
});

#[test]
fn optional_state_that_is_left_out_is_one_line_a_load_however_much_it_is() {
    let old = Bench::new(Old::default()).unwrap().save();
    let one = Bench::new(One::default()).unwrap().save();
    let many = Bench::new(Many::default()).unwrap().save();
    let line = "optional state that this version does not have is left out";
    let mut bench = Bench::new(Old::default()).unwrap();
    let mut load = |stream: &[u8]| warnings(|| bench.load(stream).unwrap());
    assert_eq!(load(&old), [""; 0]);
    assert_eq!(load(&one), [line]);
    assert_eq!(load(&many), [line]);
    assert_eq!(load(&old), [""; 0]);
}
