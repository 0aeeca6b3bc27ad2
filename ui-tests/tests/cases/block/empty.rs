use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
struct Queue {
    base: u64,
}

fn main() {}
