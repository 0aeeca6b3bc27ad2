use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u24)]
struct Control {
    #[field(bit = 3)]
    a: bool,
}

#[derive(Clone, Copy, Register)]
#[register(u32)]
#[register(u64)]
struct Twice {
    #[field(bit = 3)]
    a: bool,
}


fn main() {}
