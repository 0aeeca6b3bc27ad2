use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=8)]
    len: u8,
    #[field(bits = 9..=10)]
    valid: bool,
}


fn main() {}
