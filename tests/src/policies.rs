//! A device with registers of every policy, in every width.

use vfio_user::{Device, PciDevice, RegisterBlock};

/// A register of every policy, one behind the other.
macro_rules! policies {
    ($block:ident: $value:ty, $width:literal) => {
        /// A register of every policy.
        #[derive(Clone, Copy, Debug, Default, RegisterBlock)]
        pub struct $block {
            #[reg(0x00 * $width, ro, reset = 0x5a)]
            ro: $value,
            #[reg(0x01 * $width, rw)]
            rw: $value,
            #[reg(0x02 * $width, rc, reset = 0xff)]
            rc: $value,
            #[reg(0x03 * $width, rs)]
            rs: $value,
            #[reg(0x04 * $width, wrc)]
            wrc: $value,
            #[reg(0x05 * $width, wrs)]
            wrs: $value,
            #[reg(0x06 * $width, wc, reset = 0xff)]
            wc: $value,
            #[reg(0x07 * $width, ws)]
            ws: $value,
            #[reg(0x08 * $width, wsrc)]
            wsrc: $value,
            #[reg(0x09 * $width, wcrs)]
            wcrs: $value,
            #[reg(0x0a * $width, w1c, reset = 0xff)]
            w1c: $value,
            #[reg(0x0b * $width, w1s)]
            w1s: $value,
            #[reg(0x0c * $width, w1t)]
            w1t: $value,
            #[reg(0x0d * $width, w1src)]
            w1src: $value,
            #[reg(0x0e * $width, w1crs)]
            w1crs: $value,
            #[reg(0x0f * $width, w0c, reset = 0xff)]
            w0c: $value,
            #[reg(0x10 * $width, w0s)]
            w0s: $value,
            #[reg(0x11 * $width, w0t)]
            w0t: $value,
            #[reg(0x12 * $width, w0src)]
            w0src: $value,
            #[reg(0x13 * $width, w0crs)]
            w0crs: $value,
            #[reg(0x14 * $width, wo, allow(unread))]
            wo: $value,
            #[reg(0x15 * $width, woc, reset = 0xff, allow(unread))]
            woc: $value,
            #[reg(0x16 * $width, wos, allow(unread))]
            wos: $value,
            #[reg(0x17 * $width, w1)]
            w1: $value,
            #[reg(0x18 * $width, wo1, allow(unread))]
            wo1: $value,
        }
    };
}

policies!(Policies8: u8, 1);
policies!(Policies16: u16, 2);
policies!(Policies32: u32, 4);

/// A register of 64 bits of every kind of policy; what a read changes is wide.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
pub struct Policies64 {
    #[reg(0x00, ro, reset = 0x1234_5678_9abc_def0)]
    ro: u64,
    #[reg(0x08)]
    rw: u64,
    #[reg(0x10, wide)]
    wide: u64,
    #[reg(0x18, rc, wide, reset = 0xffff_ffff_ffff_ffff)]
    rc: u64,
    #[reg(0x20, wrs, wide(commit = high))]
    wrs: u64,
    #[reg(0x28, wcrs, wide(commit = low))]
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
    #[reg(0x60, wo1, wide(commit = low), allow(unread))]
    wo1: u64,
}

/// The device.
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x2006)]
#[bar(0: mem32, size = 0x1000)]
pub struct Policies {
    #[block(0x0000)]
    policies8: Policies8,
    #[block(0x0040)]
    policies16: Policies16,
    #[block(0x0080)]
    policies32: Policies32,
    #[block(0x0100)]
    policies64: Policies64,
}

impl Device for Policies {
    type Event = ();
}
