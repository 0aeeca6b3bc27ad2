use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 3, bits = 3..=4)]
    a: u8,
    #[field(bit = 5, bit = 6)]
    b: bool,
}


fn main() {}
