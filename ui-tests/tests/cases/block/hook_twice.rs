use vfio_user::RegisterBlock;

use vfio_user::Virtual;

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, wo, write_with = kick)]
    doorbell: Virtual<u32>,
    #[reg(0x04, wo, write_with = kick)]
    other: Virtual<u32>,
}

fn main() {}
