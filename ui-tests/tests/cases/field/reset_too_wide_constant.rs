use vfio_user::Register;

const LARGE: u32 = 0x1ff;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=7, reset = LARGE)]
    irq: u8,
}


fn main() {}
