use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u8, reserved = reject)]
enum Mode {
    Off,
    Slow = 0xff,
    Fast,
    Turbo = 0x1000,
}

fn main() {}
