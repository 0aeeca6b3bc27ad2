use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..8)]
    a: u8,
    #[field(bits = 8)]
    b: u8,
    #[field(bit = 9..=10)]
    c: u8,
}


fn main() {}
