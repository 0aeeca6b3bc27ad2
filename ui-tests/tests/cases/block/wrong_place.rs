use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
#[reg(0x00)]
struct Queue {
    #[reg(0x00)]
    base: u64,
}

#[derive(Clone, Copy, RegisterBlock)]
#[block(hosts = QueueHost)]
struct Other {
    #[reg(0x00)]
    base: u64,
}

fn main() {}
