use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
#[migrate(none)]
struct Channel {
    #[reg(0x00)]
    head: u32,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Ring {
    #[block(0x00)]
    channels: [Channel; 2],
}

fn main() {}
