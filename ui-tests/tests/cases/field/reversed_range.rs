use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 7..=3)]
    a: u8,
}


fn main() {}
