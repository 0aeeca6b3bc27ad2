use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Tuple(u32);

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Generic<T> {
    #[field(bits = 0..=7)]
    a: T,
}

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Empty {}

#[derive(Clone, Copy, Register)]
#[register(u32)]
#[repr(packed)]
struct Packed {
    #[field(bit = 0)]
    a: bool,
}


fn main() {}
