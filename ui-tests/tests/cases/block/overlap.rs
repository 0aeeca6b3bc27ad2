use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    base: u64,
    #[reg(0x04)]
    size: u32,
}

fn main() {}
