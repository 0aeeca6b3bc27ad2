use vfio_user::Register;

const FAST: u32 = 0x100;

#[derive(Clone, Copy, Register)]
#[register(u8, reserved = reject)]
#[repr(u32)]
enum Mode {
    Off,
    Fast = FAST,
}

fn main() {}
