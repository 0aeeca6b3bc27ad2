use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u8, reserved = reject)]
struct Mode {
    #[field(bits = 0..=7)]
    mode: u8,
}

fn main() {}
