//! Locks: inverted ones, and registers that lock themselves.

use vfio_user::{Bench, Cx, Device, PciDevice, Register, RegisterBlock};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Safe {
    #[reg(0x00)]
    ctrl: Ctrl,
    #[reg(0x04, lock = !ctrl.open)]
    secret: u32,
    #[reg(0x08)]
    keys: [u16; 2],
    #[reg(0x0c, lock = !keys)]
    drawers: [u16; 2],
    /// Once a bit of `sealed` is set, the register stays as it is until a reset.
    #[reg(0x10, lock = config.sealed)]
    config: Config,
    #[reg(0x14, lock = fuses)]
    fuses: [u8; 4],
    #[block(0x100)]
    boxes: [Box; 2],
    /// Opens for one write after the key.
    #[reg(0x20, lock_with = Self::is_shut, on_write = Self::filled)]
    slots: [u16; 2],
    #[reg(0x24, wo, write_with = Self::turn)]
    key: vfio_user::Virtual<u8>,
    is_open: bool,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Ctrl {
    #[field(bits = 4..=5)]
    open: u8,
}

#[derive(Clone, Copy, Default, Register)]
#[register(u16)]
struct Config {
    #[field(bits = 0..=1)]
    sealed: u8,
    #[field(bits = 8..=15)]
    limit: u8,
}

#[derive(Clone, Copy, Default, RegisterBlock)]
#[block(host = BoxHost)]
struct Box {
    #[reg(0x02, lock_with = is_full)]
    count: u8,
    #[reg(0x00, lock = !lid)]
    content: u8,
    #[reg(0x01)]
    lid: u8,
}

impl Device for Safe {
    type Event = ();

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: vfio_user::ResetKind) {
        self.is_open = false;
    }
}

impl Safe {
    fn turn(&mut self, _: &mut Cx<'_, Self>, key: u8) {
        self.is_open = key == 0x86;
    }

    fn is_shut(&mut self, _: &mut Cx<'_, Self>, slot: usize) -> bool {
        !self.is_open || slot == 1 && self.slots[0] == 0
    }

    fn filled(&mut self, _: &mut Cx<'_, Self>, _: usize, _: u16, _: u16) {
        self.is_open = false;
    }
}

impl BoxHost for Safe {
    fn is_full(&mut self, _: &mut Cx<'_, Self>, index: usize) -> bool {
        self.boxes[index].count > 2
    }
}

vfio_user::device_tests!(Safe, Safe::default);

fn bench() -> Bench<Safe> {
    Bench::new(Safe::default()).unwrap()
}

#[test]
fn an_inverted_lock_engages_while_all_its_bits_are_clear() {
    let mut bench = bench();
    for (ctrl, secret) in [(0x00_u32, 0), (0x0f, 0), (0x10, 3), (0x20, 4), (0x30, 5), (0x00, 5)] {
        bench.write(0, 0x00, ctrl);
        bench.write(0, 0x04, secret + u32::from(ctrl & 0x30 == 0));
        assert_eq!(bench.device().secret, secret, "{ctrl:#x}");
    }
}

#[test]
fn elements_and_blocks_have_inverted_locks_of_their_own() {
    let mut bench = bench();
    bench.write(0, 0x0a, 1_u16);
    bench.write(0, 0x0c, 0x0002_0001_u32);
    assert_eq!(bench.device().drawers, [0, 2]);
    bench.write(0, 0x104, 1_u8);
    bench.write(0, 0x100, 7_u8);
    bench.write(0, 0x103, 8_u8);
    assert_eq!(bench.device().boxes.map(|one| one.content), [0, 8]);
}

#[test]
fn a_register_that_locks_itself_stays_as_it_is_until_a_reset() {
    let mut bench = bench();
    bench.write(0, 0x10, 0x1200_u16);
    bench.write(0, 0x10, 0x3401_u16);
    bench.write(0, 0x10, 0x5600_u16);
    assert_eq!(bench.read::<u16>(0, 0x10), 0x3401);
    bench.reset();
    bench.write(0, 0x10, 0x5602_u16);
    assert_eq!(bench.read::<u16>(0, 0x10), 0x5602);
}

/// The bytes of an access arrive in order: the lock keeps out those behind it.
#[test]
fn elements_lock_themselves_alone() {
    let mut bench = bench();
    bench.write(0, 0x14, 0x0004_0001_u32);
    bench.write(0, 0x14, 0x0808_0808_u32);
    assert_eq!(bench.device().fuses, [1, 8, 4, 8]);
}

#[test]
fn the_device_decides_whether_a_write_is_ignored() {
    let mut bench = bench();
    let write = |bench: &mut Bench<Safe>, key, value| {
        bench.write(0, 0x24, key);
        bench.write(0, 0x20, value);
        bench.device().slots
    };
    assert_eq!(write(&mut bench, 0_u8, 5_u16), [0, 0]);
    assert_eq!(write(&mut bench, 0x86, 6), [6, 0]);
    bench.write(0, 0x20, 7_u16);
    assert_eq!(bench.device().slots, [6, 0], "the lock has closed again");
    bench.write(0, 0x24, 0x86_u8);
    bench.write(0, 0x22, 8_u16);
    assert_eq!(bench.device().slots, [6, 8]);
    // Pokes reach the register all the same.
    bench.function_mut().poke("slots[0]", 9).unwrap();
    assert_eq!(bench.device().slots, [9, 8]);
}

#[test]
fn the_host_decides_for_each_block() {
    let mut bench = bench();
    for value in 1..=4_u8 {
        bench.write(0, 0x102, value);
    }
    bench.write(0, 0x105, 1_u8);
    assert_eq!(bench.device().boxes.map(|one| one.count), [3, 1]);
}
