//! Imported from `device.svd` by `vfu import`.

use vfio_user::{Device, PciDevice};

/// A device with one of everything.
#[derive(Debug, Default, PciDevice)]
#[pci(
    vendor = 0x1af4,
    device = 0x10f5,
    class = 0x05_8001,
    revision = 0x07,
    subsystem = (0x1b36, 0x1100)
)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: io, size = 0x100, allow(express_io))]
#[bar(2: mem64, size = 0x2_0000_0000, prefetchable)]
#[bar(4: mem32, size = 0x100)]
#[bar(5: mem32, size = 0x2000)]
#[capability(express)]
pub struct Zoo {
    #[reg(0x00, bar = 0, ro, reset = 0xa5)]
    ro8: u8,
    #[reg(0x02, bar = 0, ro, reset = 0xa55a)]
    ro16: u16,
    #[reg(0x04, bar = 0, ro, reset = 0xa55a_1234)]
    ro32: u32,
    #[reg(0x08, bar = 0, ro, reset = 0xa55a_1234_8765_4321)]
    ro64: u64,
    #[reg(0x10, bar = 0)]
    rw8: u8,
    #[reg(0x12, bar = 0, reset = 0x102)]
    rw16: u16,
    #[reg(0x14, bar = 0)]
    rw32: u32,
    #[reg(0x18, bar = 0)]
    rw64: u64,
    #[reg(0x20, bar = 0, wo, allow(unread))]
    wo8: u8,
    #[reg(0x22, bar = 0, wo, allow(unread))]
    wo16: u16,
    #[reg(0x24, bar = 0, wo, reset = 0x1111_2222, allow(unread))]
    wo32: u32,
    #[reg(0x28, bar = 0, wo, allow(unread))]
    wo64: u64,
    #[reg(0x30, bar = 0, w1c, reset = 0xff)]
    w1c8: u8,
    #[reg(0x32, bar = 0, w1c, reset = 0xffff)]
    w1c16: u16,
    #[reg(0x34, bar = 0, w1c, reset = 0x101_0101)]
    w1c32: u32,
    #[reg(0x38, bar = 0, w1c, reset = 0xffff_ffff_ffff_ffff)]
    w1c64: u64,
    #[reg(0x40, bar = 0, w1s)]
    w1s8: u8,
    #[reg(0x42, bar = 0, w1s)]
    w1s16: u16,
    #[reg(0x44, bar = 0, w1s, reset = 0x8000_0001)]
    w1s32: u32,
    #[reg(0x48, bar = 0, w1s)]
    w1s64: u64,
    #[reg(0x50, bar = 0)]
    masked: u32,
    #[reg(0x54, bar = 0, reset = 0xabcd_0000)]
    partly: u32,
    #[reg(0x58, bar = 0, w1c, reset = 0xf0f)]
    partly_w1c: u16,
    #[reg(0x60, bar = 0)]
    packed: [u16; 3],
    #[reg(0x70, bar = 0, stride = 0x08)]
    heads: [u32; 4],
    #[reg(0x74, bar = 0, w1c, stride = 0x08, reset = 0xffff_0000)]
    tails: [u32; 4],
    #[reg(0x90, bar = 0)]
    constructed: u32,
    #[reg(0x94, bar = 0, ro, reset = 0x7472_6976)]
    constant: u32,
    #[reg(0x100, bar = 0)]
    observed: u32,
    #[reg(0x104, bar = 0)]
    provided: u32,
    #[reg(0x108, bar = 0)]
    replaced: u32,
    #[reg(0x10c, bar = 0, wo, allow(unread))]
    command: u32,
    #[reg(0x110, bar = 0)]
    wide: u64,
    #[reg(0x118, bar = 0, w1c, reset = 0xffff_ffff)]
    status: u32,
    #[reg(0x11c, bar = 0, w1c)]
    raw_status: u32,
    #[reg(0x120, bar = 0)]
    elements: [u32; 4],
    #[reg(0x200, bar = 0)]
    dma_source: u64,
    #[reg(0x208, bar = 0)]
    dma_target: u64,
    #[reg(0x210, bar = 0)]
    dma_len: u32,
    #[reg(0x214, bar = 0, wo, allow(unread))]
    dma_go: u32,
    #[reg(0x218, bar = 0, ro)]
    dma_status: u32,
    #[reg(0x220, bar = 0)]
    dma_data: u64,
    #[reg(0x228, bar = 0, wo, allow(unread))]
    raise: u32,
    #[reg(0x22c, bar = 0, wo, allow(unread))]
    level: u32,
    #[reg(0x230, bar = 0, wo, allow(unread))]
    post: u32,
    #[reg(0x234, bar = 0, wo, allow(unread))]
    worker: u32,
    #[reg(0x238, bar = 0, wo, allow(unread))]
    keep: u32,
    #[reg(0x23c, bar = 0, wo, allow(unread))]
    panic: u32,
    #[reg(0x240, bar = 0, wo, allow(unread))]
    hold: u32,
    #[reg(0x244, bar = 0, wo, allow(unread))]
    chain: u32,
    #[reg(0x248, bar = 0, ro)]
    events: u32,
    #[reg(0x24c, bar = 0)]
    scratch: u32,
    #[reg(0x00, bar = 1)]
    port8: u8,
    #[reg(0x04, bar = 1)]
    port32: u32,
    #[reg(0x00, bar = 2)]
    near: u64,
    #[reg(0x1_ffff_fff8, bar = 2)]
    far: u64,
    #[reg(0x00, bar = 4)]
    strict0: u32,
    #[reg(0x04, bar = 4)]
    strict1: u32,
    #[reg(0x10, bar = 4)]
    strict2: u32,
}

impl Device for Zoo {
    type Event = ();
}
