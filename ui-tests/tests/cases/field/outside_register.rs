use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 24..=35)]
    len: u16,
    #[field(bit = 32)]
    valid: bool,
}


fn main() {}
