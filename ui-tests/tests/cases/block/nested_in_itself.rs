use vfio_user::RegisterBlock;

#[derive(RegisterBlock)]
struct Ring {
    #[reg(0x00)]
    base: u64,
    #[block(0x10)]
    next: Ring,
}

fn main() {}
