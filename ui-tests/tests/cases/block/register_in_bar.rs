use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    #[reg(0x00, bar = 2)]
    base: u64,
}

fn main() {}
