use vfio_user::Register;

#[derive(Clone, Copy, Register)]
enum Mode {
    Off,
    Slow,
    Fast = 4,
}

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=2, reserved = keep)]
    mode: Mode,
}


fn main() {}
