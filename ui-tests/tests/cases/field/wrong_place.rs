use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
#[field(bit = 1)]
struct Control {
    #[register(u8)]
    #[field(bit = 3)]
    a: bool,
}


fn main() {}
