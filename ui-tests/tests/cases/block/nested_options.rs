use vfio_user::RegisterBlock;

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Channel {
    #[reg(0x00)]
    head: u32,
}

#[derive(RegisterBlock)]
#[migrate(version = 2)]
struct Ring {
    #[block(0x00, bar = 2)]
    in_bar: Channel,
    #[block(0x10)]
    #[migrate(since = 2)]
    new: Channel,
    #[block(0x20)]
    #[migrate(grown_from = 1)]
    grown: [Channel; 2],
    #[block(0x30, stride = 8)]
    single: Channel,
    #[block(0x40, select = page)]
    selected: [Channel; 2],
    #[block(0x50)]
    tuple: (Channel, Channel),
}

#[derive(RegisterBlock)]
#[block(levels = 2)]
struct WithoutHost {
    #[reg(0x00)]
    head: u32,
}

#[derive(RegisterBlock)]
#[block(host = OneHost, levels = 1)]
struct One {
    #[reg(0x00)]
    head: u32,
}

#[derive(RegisterBlock)]
#[block(host = ManyHost, levels = 5)]
struct Many {
    #[reg(0x00)]
    head: u32,
}

fn main() {}
