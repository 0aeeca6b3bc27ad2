use vfio_user::RegisterBlock;

use vfio_user::Virtual;

#[derive(Clone, Copy, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, wo, write_with = Self::doorbell)]
    doorbell: Virtual<u32>,
}

fn main() {}
