use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(ro)]
    a: u8,
    b: bool,
    #[field]
    c: u8,
}


fn main() {}
