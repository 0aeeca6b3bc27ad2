use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u64,
    #[reg(0x08)]
    size: u32,
}

#[derive(Clone, Copy, RegisterBlock)]
struct Pair {
    #[block(0x00)]
    tx: Queue,
}

fn main() {}
