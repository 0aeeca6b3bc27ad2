use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
struct Channel {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08)]
    head: u32,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Ring {
    #[reg(0x28)]
    control: u32,
    #[block(0x10, stride = 0x10)]
    channels: [Channel; 2],
    #[block(0x20 + OFFSET)]
    other: Channel,
}

const OFFSET: u64 = 0x30;

#[derive(Clone, Copy, RegisterBlock)]
struct Port {
    #[block(0x00)]
    ring: Ring,
    #[block(0x50)]
    spare: Channel,
}

fn main() {}
