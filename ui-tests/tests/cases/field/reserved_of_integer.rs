use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=7, reserved = reject)]
    a: u8,
}


fn main() {}
