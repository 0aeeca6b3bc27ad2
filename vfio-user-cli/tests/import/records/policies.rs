//! Imported from `device.svd` by `vfu import`.

use vfio_user::{Device, PciDevice, RegisterBlock};

/// The device.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x2006, class = 0xff_0000)]
#[bar(0: mem32, size = 0x1000)]
pub struct Policies {
    #[block(0x00)]
    policies8: Policies8,
    #[block(0x40)]
    policies16: Policies16,
    #[block(0x80)]
    policies32: Policies32,
    #[block(0x100)]
    policies64: Policies64,
}

impl Device for Policies {
    type Event = ();
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Policies8 {
    #[reg(0x00, ro, reset = 0x5a)]
    ro: u8,
    #[reg(0x01)]
    rw: u8,
    #[reg(0x02, rc, reset = 0xff)]
    rc: u8,
    #[reg(0x03, rs)]
    rs: u8,
    #[reg(0x04, wrc)]
    wrc: u8,
    #[reg(0x05, wrs)]
    wrs: u8,
    #[reg(0x06, wc, reset = 0xff)]
    wc: u8,
    #[reg(0x07, ws)]
    ws: u8,
    #[reg(0x08, wsrc)]
    wsrc: u8,
    #[reg(0x09, wcrs)]
    wcrs: u8,
    #[reg(0x0a, w1c, reset = 0xff)]
    w1c: u8,
    #[reg(0x0b, w1s)]
    w1s: u8,
    #[reg(0x0c, w1t)]
    w1t: u8,
    #[reg(0x0d, w1src)]
    w1src: u8,
    #[reg(0x0e, w1crs)]
    w1crs: u8,
    #[reg(0x0f, w0c, reset = 0xff)]
    w0c: u8,
    #[reg(0x10, w0s)]
    w0s: u8,
    #[reg(0x11, w0t)]
    w0t: u8,
    #[reg(0x12, w0src)]
    w0src: u8,
    #[reg(0x13, w0crs)]
    w0crs: u8,
    #[reg(0x14, wo, allow(unread))]
    wo: u8,
    #[reg(0x15, woc, reset = 0xff, allow(unread))]
    woc: u8,
    #[reg(0x16, wos, allow(unread))]
    wos: u8,
    #[reg(0x17, w1)]
    w1: u8,
    #[reg(0x18, wo1, allow(unread))]
    wo1: u8,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Policies16 {
    #[reg(0x00, ro, reset = 0x5a)]
    ro: u16,
    #[reg(0x02)]
    rw: u16,
    #[reg(0x04, rc, reset = 0xff)]
    rc: u16,
    #[reg(0x06, rs)]
    rs: u16,
    #[reg(0x08, wrc)]
    wrc: u16,
    #[reg(0x0a, wrs)]
    wrs: u16,
    #[reg(0x0c, wc, reset = 0xff)]
    wc: u16,
    #[reg(0x0e, ws)]
    ws: u16,
    #[reg(0x10, wsrc)]
    wsrc: u16,
    #[reg(0x12, wcrs)]
    wcrs: u16,
    #[reg(0x14, w1c, reset = 0xff)]
    w1c: u16,
    #[reg(0x16, w1s)]
    w1s: u16,
    #[reg(0x18, w1t)]
    w1t: u16,
    #[reg(0x1a, w1src)]
    w1src: u16,
    #[reg(0x1c, w1crs)]
    w1crs: u16,
    #[reg(0x1e, w0c, reset = 0xff)]
    w0c: u16,
    #[reg(0x20, w0s)]
    w0s: u16,
    #[reg(0x22, w0t)]
    w0t: u16,
    #[reg(0x24, w0src)]
    w0src: u16,
    #[reg(0x26, w0crs)]
    w0crs: u16,
    #[reg(0x28, wo, allow(unread))]
    wo: u16,
    #[reg(0x2a, woc, reset = 0xff, allow(unread))]
    woc: u16,
    #[reg(0x2c, wos, allow(unread))]
    wos: u16,
    #[reg(0x2e, w1)]
    w1: u16,
    #[reg(0x30, wo1, allow(unread))]
    wo1: u16,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Policies32 {
    #[reg(0x00, ro, reset = 0x5a)]
    ro: u32,
    #[reg(0x04)]
    rw: u32,
    #[reg(0x08, rc, reset = 0xff)]
    rc: u32,
    #[reg(0x0c, rs)]
    rs: u32,
    #[reg(0x10, wrc)]
    wrc: u32,
    #[reg(0x14, wrs)]
    wrs: u32,
    #[reg(0x18, wc, reset = 0xff)]
    wc: u32,
    #[reg(0x1c, ws)]
    ws: u32,
    #[reg(0x20, wsrc)]
    wsrc: u32,
    #[reg(0x24, wcrs)]
    wcrs: u32,
    #[reg(0x28, w1c, reset = 0xff)]
    w1c: u32,
    #[reg(0x2c, w1s)]
    w1s: u32,
    #[reg(0x30, w1t)]
    w1t: u32,
    #[reg(0x34, w1src)]
    w1src: u32,
    #[reg(0x38, w1crs)]
    w1crs: u32,
    #[reg(0x3c, w0c, reset = 0xff)]
    w0c: u32,
    #[reg(0x40, w0s)]
    w0s: u32,
    #[reg(0x44, w0t)]
    w0t: u32,
    #[reg(0x48, w0src)]
    w0src: u32,
    #[reg(0x4c, w0crs)]
    w0crs: u32,
    #[reg(0x50, wo, allow(unread))]
    wo: u32,
    #[reg(0x54, woc, reset = 0xff, allow(unread))]
    woc: u32,
    #[reg(0x58, wos, allow(unread))]
    wos: u32,
    #[reg(0x5c, w1)]
    w1: u32,
    #[reg(0x60, wo1, allow(unread))]
    wo1: u32,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Policies64 {
    #[reg(0x00, ro, reset = 0x1234_5678_9abc_def0)]
    ro: u64,
    #[reg(0x08)]
    rw: u64,
    #[reg(0x10)]
    wide: u64,
    #[reg(0x18, rc, reset = 0xffff_ffff_ffff_ffff, wide)]
    rc: u64,
    #[reg(0x20, wrs, wide)]
    wrs: u64,
    #[reg(0x28, wcrs, wide)]
    wcrs: u64,
    #[reg(0x30, w0src, wide)]
    w0src: u64,
    #[reg(0x38, wc, reset = 0xffff_ffff_ffff_ffff)]
    wc: u64,
    #[reg(0x40, w1c, reset = 0xffff_ffff_ffff_ffff)]
    w1c: u64,
    #[reg(0x48, w0t)]
    w0t: u64,
    #[reg(0x50, wos, allow(unread))]
    wos: u64,
    #[reg(0x58, w1)]
    w1: u64,
    #[reg(0x60, wo1, allow(unread))]
    wo1: u64,
}
