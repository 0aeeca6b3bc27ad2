use vfio_user::RegisterBlock;

const SIZE: u64 = 0x04;

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u64,
    #[reg(SIZE)]
    size: u32,
}

fn main() {}
