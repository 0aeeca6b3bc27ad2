use vfio_user::{RegisterBlock, Timer};

#[derive(RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, write_with = expired)]
    head: u32,
    #[timer(Self::expired)]
    patience: Timer,
    #[timer(expired)]
    other: [Timer; 2],
}

#[derive(RegisterBlock)]
struct Hostless {
    #[reg(0x00)]
    head: u32,
    #[timer(expired)]
    patience: Timer,
}

fn main() {}
