use vfio_user::RegisterBlock;

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    head: u32,
    #[memory(0x100..0x200)]
    buffer: Vec<u8>,
}

fn main() {}
