use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=7, reset = 0x1ff)]
    irq: u8,
    #[field(bit = 8, reset = 2)]
    valid: bool,
}


fn main() {}
