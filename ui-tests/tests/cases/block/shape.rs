use vfio_user::RegisterBlock;

#[derive(Clone, Copy, RegisterBlock)]
struct Tuple(u32);

#[derive(Clone, Copy, RegisterBlock)]
struct Generic<T> {
    #[reg(0x00)]
    base: u64,
    rest: T,
}

#[derive(Clone, Copy, RegisterBlock)]
enum Enum {
    A,
}

#[derive(Clone, Copy, RegisterBlock)]
#[repr(packed)]
struct Packed {
    #[reg(0x00)]
    base: u64,
}

fn main() {}
