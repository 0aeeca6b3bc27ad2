//! Imported from `device.svd` by `vfu import`.

// left out BAR0.second_page: 0x352 belongs to another register already
// left out BAR0.pieces: 0x354 belongs to another register already

use vfio_user::{Device, PciDevice, Register, RegisterBlock};

/// The device.
#[derive(Debug, Default, PciDevice)]
#[pci(
    vendor = 0x1234,
    device = 0x2005,
    class = 0xff_0000,
    revision = 0x03,
    subsystem = (0x1234, 0x0001)
)]
#[bar(0: mem32, size = 0x2000)]
#[bar(1: io, size = 0x100, allow(express_io))]
#[bar(2: mem64, size = 0x1_0000_0000, prefetchable)]
#[bar(4: mem32, size = 0x1000)]
#[bar(5: mem32, size = 0x2000)]
#[capability(express)]
#[unmodelled(bar = 0, 0x390..0x394 = "PHYCTL")]
#[unmodelled(bar = 0, 0x3f0..0x400 = "DEBUG")]
#[unmodelled(bar = 4, zero, 0x21..0x24 = "odd")]
pub struct Language {
    #[reg(0x200, bar = 0)]
    masked: u32,
    #[reg(0x204, bar = 0, reset = 0xabcd_0000)]
    partly: u32,
    #[reg(0x208, bar = 0, wc, reset = 0xf0f)]
    partly_wc: u16,
    #[reg(0x20a, bar = 0)]
    packed: [u16; 3],
    #[reg(0x210, bar = 0, stride = 0x08)]
    heads: [u32; 4],
    #[reg(0x214, bar = 0, w1c, stride = 0x08, reset = 0xffff_0000)]
    tails: [u32; 4],
    #[reg(0x230, bar = 0)]
    constructed: u32,
    #[reg(0x234, bar = 0, ro, reset = 0x7472_6976)]
    constant: u32,
    #[reg(0x238, bar = 0)]
    sticky: u32,
    #[reg(0x23c, bar = 0, w1)]
    fuse: u32,
    #[reg(0x240, bar = 0, reset = 0x10)]
    kept: u32,
    #[reg(0x244, bar = 0)]
    command: u32,
    #[reg(0x248, bar = 0, ro)]
    clock: u32,
    #[reg(0x24c, bar = 0)]
    lock: u32,
    #[reg(0x250, bar = 0)]
    locked: [u32; 2],
    #[reg(0x258, bar = 0)]
    locked_wide: u64,
    #[reg(0x260, bar = 0)]
    locks: [u8; 2],
    #[reg(0x264, bar = 0)]
    limits: [u16; 2],
    #[reg(0x300, bar = 0, reset = 0x500a_5010)]
    control: Control,
    #[reg(0x304, bar = 0)]
    guarded: u32,
    #[reg(0x308, bar = 0, reset = 0x500a_5010)]
    controls: [Controls; 2],
    #[reg(0x310, bar = 0, ro, reset = 0x500a_5010)]
    identity: Identity,
    #[reg(0x314, bar = 0)]
    links: [Links; 2],
    #[reg(0x318, bar = 0, w1, reset = 0x01)]
    power: Power,
    #[reg(0x319, bar = 0, ro, reset = 0x07)]
    supply: Power,
    #[reg(0x320, bar = 0, w1c)]
    status: u32,
    #[reg(0x324, bar = 0)]
    enable: u32,
    #[reg(0x328, bar = 0)]
    hold: u32,
    #[reg(0x32c, bar = 0, wo, allow(unread))]
    test: u32,
    #[reg(0x330, bar = 0, ro)]
    level: u8,
    #[reg(0x334, bar = 0, ro)]
    causes: u32,
    #[reg(0x338, bar = 0, wo, allow(unread))]
    raise: u32,
    #[reg(0x33c, bar = 0, wo, allow(unread))]
    acknowledge: u32,
    #[reg(0x340, bar = 0)]
    observed: u32,
    #[reg(0x344, bar = 0)]
    replaced: u32,
    #[reg(0x348, bar = 0)]
    kicks: [u16; 2],
    #[reg(0x34c, bar = 0)]
    data: u32,
    #[reg(0x350, bar = 0)]
    page: u8,
    #[reg(0x351, bar = 0, ro, overlay, reset = 0x5a)]
    shown: u8,
    #[reg(0x351, bar = 0, wo, overlay, allow(unread))]
    hidden: u8,
    #[reg(0x352, bar = 0)]
    first_page: u16,
    #[reg(0x354, bar = 0)]
    whole: u32,
    #[reg(0x358, bar = 0)]
    selected: u32,
    #[reg(0x380, bar = 0, wo, allow(unread))]
    restart: u32,
    #[reg(0x384, bar = 0, ro, reset = 0x20)]
    reason: u8,
    #[reg(0x388, bar = 0, w1c, reset = 0x1122_3344)]
    network_order: u32,
    #[reg(0x38c, bar = 0)]
    window_at: u32,
    #[reg(0x398, bar = 0)]
    through: u64,
    #[reg(0x3a0, bar = 0)]
    window_bar: u8,
    #[reg(0x3a1, bar = 0)]
    window_length: u8,
    #[block(0x360, bar = 0)]
    bank: Bank,
    #[block(0x400, bar = 0, stride = 0x20)]
    queues: [Bank; 3],
    #[reg(0x00, bar = 1)]
    port: u32,
    #[reg(0x04, bar = 1)]
    narrow: u16,
    #[reg(0x80, bar = 1)]
    long: u64,
    #[reg(0x90, bar = 1, rc)]
    counter: u16,
    #[reg(0x00, bar = 2)]
    near: u64,
    #[reg(0x8000_0000, bar = 2)]
    watched: [u16; 4],
    #[reg(0xffff_fff8, bar = 2)]
    far: u64,
    #[reg(0x00, bar = 4)]
    strict: u32,
    #[reg(0x08, bar = 4, w1t)]
    halves: u64,
    #[reg(0x450, bar = 5)]
    between: u32,
    #[block(0x500, bar = 5, stride = 0x80)]
    rings: [Rings; 2],
    #[block(0x900, bar = 5)]
    more_queues: [Bank; 2],
    #[reg(0xc0, bar = config, reset = 0x1122_0044)]
    window: u32,
    #[reg(0xc4, bar = config, w1c, reset = 0xf0f0)]
    faults: [u16; 2],
    #[reg(0xc8, bar = config, rc)]
    log: u32,
    #[block(0xd0, bar = config)]
    config_queue: Bank,
    #[memory(0x1001..0x1fff, bar = 0)]
    buffer: Box<[u8]>,
    #[memory(0x300..0x320, bar = 5, reset = zero)]
    cleared: Box<[u8]>,
    #[memory(0x10..0x20, bar = 4, reset = keep)]
    kept_bytes: Box<[u8]>,
}

impl Device for Language {
    type Event = ();
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Bank {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08)]
    size: u16,
    #[reg(0x0a)]
    limits: [u8; 2],
    #[reg(0x0c)]
    locked: u8,
    #[reg(0x10, wo, allow(unread))]
    doorbell: u32,
    #[reg(0x14, w1c)]
    status: u8,
    #[reg(0x15)]
    enable: u8,
    #[reg(0x16)]
    hold: u8,
    #[reg(0x17, wo, allow(unread))]
    test: u8,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Rings {
    #[reg(0x00, reset = 0x1000)]
    base: u64,
    #[block(0x10)]
    monitor: Monitor,
    /// All of them work at once.
    #[block(0x20, stride = 0x18)]
    channels: [Channels; 2],
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Monitor {
    #[reg(0x00)]
    count: u64,
    #[reg(0x08, w1t)]
    toggles: [u16; 3],
}

/// All of them work at once.
#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Channels {
    /// Where it stands.
    #[reg(0x00)]
    head: u32,
    #[reg(0x04, wo, allow(unread))]
    doorbell: u32,
    #[reg(0x08, w1c)]
    status: u8,
    #[reg(0x09)]
    enable: u8,
    #[reg(0x0a, wo, allow(unread))]
    test: u8,
    #[reg(0x0b)]
    page: u8,
    #[reg(0x0c)]
    limits: [u8; 2],
    #[reg(0x0e, reset = 0x30)]
    flow: Flow,
    #[block(0x10)]
    lanes: Lanes,
}

#[derive(Clone, Copy, Debug, Default, RegisterBlock)]
struct Lanes {
    #[reg(0x00, reset = 0x05)]
    weight: u8,
    #[reg(0x01, w1)]
    fuse: u8,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
    #[field(bit = 1)]
    start: bool,
    #[field(bit = 2, w1)]
    wlock: bool,
    #[field(bits = 4..=5, reserved = reject)]
    mode: ControlMode,
    #[field(bits = 6..=9)]
    speed: ControlSpeed,
    /// In two bytes, so that either is enough to clear it.
    #[field(bits = 12..=19, wc)]
    errors: u8,
    #[field(bits = 20..=23, w1c)]
    causes: u8,
    #[field(bits = 24..=26, rc)]
    events: u8,
    #[field(bits = 28..=31, ro)]
    version: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
enum ControlMode {
    #[default]
    Off = 0,
    Slow = 1,
    Fast = 3,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[repr(u8)]
enum ControlSpeed {
    #[default]
    Full = 0,
    /// Any other value.
    Other(u8),
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Controls {
    #[field(bit = 0, w1c)]
    enable: bool,
    #[field(bit = 1, w1c)]
    start: bool,
    #[field(bit = 2, w1)]
    wlock: bool,
    #[field(bits = 4..=5, w1c, reserved = reject)]
    mode: ControlMode,
    #[field(bits = 6..=9, w1c)]
    speed: ControlSpeed,
    /// In two bytes, so that either is enough to clear it.
    #[field(bits = 12..=19, wc)]
    errors: u8,
    #[field(bits = 20..=23, w1c)]
    causes: u8,
    #[field(bits = 24..=26, rc)]
    events: u8,
    #[field(bits = 28..=31, ro)]
    version: u8,
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u32)]
struct Identity {
    #[field(bit = 0)]
    enable: bool,
    #[field(bit = 1)]
    start: bool,
    #[field(bit = 2, w1)]
    wlock: bool,
    #[field(bits = 4..=5, reserved = reject)]
    mode: ControlMode,
    #[field(bits = 6..=9)]
    speed: ControlSpeed,
    /// In two bytes, so that either is enough to clear it.
    #[field(bits = 12..=19, wc)]
    errors: u8,
    #[field(bits = 20..=23, w1c)]
    causes: u8,
    #[field(bits = 24..=26, rc)]
    events: u8,
    #[field(bits = 28..=31)]
    version: u8,
}

/// What a whole register can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Register)]
#[register(u16, reserved = reject)]
enum Links {
    #[default]
    Down = 0,
    Up = 1,
    Test = 256,
}

/// The same, with a variant for every value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Register)]
#[register(u8)]
#[repr(u8)]
enum Power {
    /// Any other value.
    Other(u8),
    On = 1,
}

impl Default for Power {
    fn default() -> Self {
        Power::Other(0)
    }
}

#[derive(Clone, Copy, Debug, Default, Register)]
#[register(u16)]
struct Flow {
    #[field(bit = 0)]
    paused: bool,
    #[field(bits = 4..=7, w1c)]
    faults: u8,
}
