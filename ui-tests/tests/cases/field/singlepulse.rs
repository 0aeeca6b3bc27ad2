use vfio_user::Register;

#[derive(Clone, Copy, Register)]
#[register(u32)]
struct Control {
    #[field(bits = 0..=1, singlepulse)]
    a: u8,
    #[field(bit = 2, singlepulse, reset = 1)]
    b: bool,
    #[field(bit = 3, singlepulse, ro)]
    c: bool,
}


fn main() {}
