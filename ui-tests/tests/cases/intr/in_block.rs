use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    #[reg(0x00, w1c)]
    #[intr(status)]
    isr: u32,
}

fn main() {}
