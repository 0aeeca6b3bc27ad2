use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 3, ro, w1c)]
    a: bool,
    #[field(bit = 4, rw1c)]
    b: bool,
}


fn main() {}
