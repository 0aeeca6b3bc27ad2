use vfio_user::Register;

const BIT: u32 = 3;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = BIT)]
    a: bool,
}


fn main() {}
