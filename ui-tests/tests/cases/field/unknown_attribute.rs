use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 3, rest = 1)]
    a: bool,
    #[field(bit = 4, mask = 1)]
    b: bool,
}


fn main() {}
