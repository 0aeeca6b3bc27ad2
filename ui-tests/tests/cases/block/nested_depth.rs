use vfio_user::{Device, PciDevice, RegisterBlock};

#[derive(Clone, Copy, RegisterBlock)]
struct One {
    #[reg(0x00)]
    value: u32,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Two {
    #[block(0x00)]
    one: One,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Three {
    #[block(0x00)]
    two: Two,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Four {
    #[block(0x00)]
    three: Three,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Five {
    #[block(0x00)]
    four: Four,
}

#[derive(Clone, Copy, RegisterBlock)]
struct WithALongName {
    #[block(0x00)]
    the_registers_of_the_second_of_the_two_channels: Two,
}

#[derive(PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000)]
struct Engine {
    #[block(0x100)]
    four: Four,
    #[block(0x200)]
    five: Five,
    #[block(0x300)]
    long_named: WithALongName,
}

impl Device for Engine {
    type Event = ();
}

fn main() {}
