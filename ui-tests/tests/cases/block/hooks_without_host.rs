use vfio_user::RegisterBlock;

use vfio_user::Virtual;

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    #[reg(0x00, wo, write_with = doorbell)]
    doorbell: Virtual<u32>,
}

fn main() {}
