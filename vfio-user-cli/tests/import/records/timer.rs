//! Imported from `timer.svd` by `vfu import`.

// BAR 0 is TIMER0: Counts down, in two channels
// BAR 1 is TIMER1: Counts down, in two channels

// left out TIMER0.LEVEL_ALT: 0x18 belongs to another register already
// left out TIMER1.LEVEL_ALT: 0x18 belongs to another register already

use vfio_user::{Device, PciDevice, Register, RegisterBlock};

/// A board with timers and a UART
#[derive(Debug, Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0x0001, class = 0xff_0000)]
#[bar(0: mem32, size = 0x1000)]
#[bar(1: mem32, size = 0x1000)]
pub struct Board {
    /// Starts and stops.
    /// Takes effect at once.
    #[reg(0x00, bar = 0, reset = 0x100)]
    ctrl: Ctrl,
    /// What has happened
    #[reg(0x04, bar = 0, reset = 0x00)]
    status: Status,
    // a read has an effect: it needs `on_read` or `read_with`
    #[reg(0x08, bar = 0, ro, reset = 0x00)]
    count: u32,
    /// Clears STATUS
    // written ones clear bits: it needs `write_with` or `on_write`
    #[reg(0x0c, bar = 0, wo, reset = 0x00, allow(unread))]
    clear: u32,
    /// Starts and stops.
    /// Takes effect at once.
    #[reg(0x10, bar = 0, reset = 0x201)]
    ctrl2: Ctrl2,
    // the elements are called A,B,C,D
    #[reg(0x20, bar = 0, reset = 0x00)]
    scratch: [u32; 4],
    #[reg(0x18, bar = 0, reset = 0x00)]
    level: u8,
    /// A channel
    #[block(0x40, bar = 0, stride = 0x10)]
    channel: [Channel; 2],
    #[block(0x60, bar = 0)]
    nested: Nested,
    /// Starts and stops.
    /// Takes effect at once.
    #[reg(0x00, bar = 1, reset = 0x100)]
    timer1_ctrl: Ctrl,
    /// What has happened
    #[reg(0x04, bar = 1, reset = 0x00)]
    timer1_status: Status,
    // a read has an effect: it needs `on_read` or `read_with`
    #[reg(0x08, bar = 1, ro, reset = 0x00)]
    timer1_count: u32,
    /// Clears STATUS
    // written ones clear bits: it needs `write_with` or `on_write`
    #[reg(0x0c, bar = 1, wo, reset = 0x00, allow(unread))]
    timer1_clear: u32,
    /// Starts and stops.
    /// Takes effect at once.
    #[reg(0x10, bar = 1, reset = 0x201)]
    timer1_ctrl2: Ctrl2,
    // the elements are called A,B,C,D
    #[reg(0x20, bar = 1, reset = 0x00)]
    timer1_scratch: [u32; 4],
    #[reg(0x18, bar = 1, reset = 0x00)]
    timer1_level: u8,
    /// A channel
    #[block(0x40, bar = 1, stride = 0x10)]
    timer1_channel: [Channel; 2],
    #[block(0x60, bar = 1)]
    timer1_nested: Nested,
}

impl Device for Board {
    type Event = ();
}

/// A channel
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Channel {
    #[reg(0x00, reset = 0xffff_ffff)]
    load: u32,
    #[reg(0x04, w1, reset = 0x00)]
    mode: Mode,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Nested {
    #[block(0x00)]
    inner: [Inner; 2],
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Inner {
    #[reg(0x00, reset = 0x00)]
    low: u32,
    #[reg(0x04, reset = 0x00)]
    high: u32,
}

/// Starts and stops.
/// Takes effect at once.
#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Ctrl {
    /// The timer runs
    #[field(bit = 0)]
    en: CtrlEn,
    #[field(bits = 4..=6)]
    r#type: CtrlType,
    #[field(bits = 8..=11, reset = 0x01, reserved = reject)]
    scale: CtrlScale,
    #[field(bit = 16)]
    ch0_en: CtrlEn,
    #[field(bit = 17)]
    ch1_en: CtrlEn,
    #[field(bit = 18)]
    ch2_en: CtrlEn,
    #[field(bit = 19)]
    ch3_en: CtrlEn,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
enum CtrlEn {
    #[default]
    Stopped = 0,
    /// Counts
    Running = 1,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[repr(u8)]
enum CtrlType {
    #[default]
    OneShot = 0,
    Periodic = 1,
    /// Any other value.
    Other(u8),
    Self_ = 5,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
enum CtrlScale {
    #[default]
    By1 = 1,
    By16 = 2,
}

/// What has happened
#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Status {
    #[field(bit = 0, w1c)]
    expired: bool,
    #[field(bits = 8..=15, rc)]
    events: u8,
}

/// Starts and stops.
/// Takes effect at once.
#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Ctrl2 {
    /// The timer runs
    #[field(bit = 0)]
    en: CtrlEn,
    #[field(bits = 4..=6)]
    r#type: CtrlType,
    #[field(bits = 8..=11, reset = 0x02, reserved = reject)]
    scale: CtrlScale,
    #[field(bit = 16)]
    ch0_en: CtrlEn,
    #[field(bit = 17)]
    ch1_en: CtrlEn,
    #[field(bit = 18)]
    ch2_en: CtrlEn,
    #[field(bit = 19)]
    ch3_en: CtrlEn,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[register(u16)]
#[repr(u16)]
enum Mode {
    #[default]
    Up = 0,
    Down = 1,
    /// Any other value.
    Rest(u16),
}
