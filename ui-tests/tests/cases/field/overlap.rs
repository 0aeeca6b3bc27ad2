use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=3)]
    a: u8,
    #[field(bits = 3..=7)]
    b: u8,
}


fn main() {}
