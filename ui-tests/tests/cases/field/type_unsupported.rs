use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 3)]
    a: usize,
    #[field(bits = 4..=7)]
    b: [bool; 4],
}


fn main() {}
