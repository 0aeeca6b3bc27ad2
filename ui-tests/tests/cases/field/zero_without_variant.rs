use vfio_user::Register;

#[derive(Clone, Copy, Register)]
enum Speed {
    Slow = 1,
    Fast = 2,
}

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=1, reserved = reject)]
    speed: Speed,
}


fn main() {}
