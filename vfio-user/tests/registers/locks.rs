//! Locks: inverted ones, and registers that lock themselves.

use vfio_user::{Bench, Device, PciDevice, Register, RegisterBlock};

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
struct Box {
    #[reg(0x00, lock = !lid)]
    content: u8,
    #[reg(0x01)]
    lid: u8,
}

impl Device for Safe {
    type Event = ();
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
    bench.write(0, 0x103, 1_u8);
    bench.write(0, 0x100, 7_u8);
    bench.write(0, 0x102, 8_u8);
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
