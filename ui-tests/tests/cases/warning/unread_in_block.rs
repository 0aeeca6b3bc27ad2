#![deny(deprecated)]

use vfio_user::RegisterBlock;

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00, wo)]
    base: u64,
    #[reg(0x08)]
    size: u32,
}

fn main() {}
