use vfio_user::{RegisterBlock, Timer};

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00)]
    head: u32,
    #[timer(Self::expired)]
    patience: Timer,
}

fn main() {}
