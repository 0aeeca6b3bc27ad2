use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[repr(u8)]
enum Opcode {
    Nop = 0,
    Other(u8),
}

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=11)]
    opcode: Opcode,
}


fn main() {}
