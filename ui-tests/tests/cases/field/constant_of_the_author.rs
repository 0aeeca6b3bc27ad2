use vfio_user::Register;

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
struct Control {
    #[field(bit = 0)]
    enable: bool,
}

impl Control {
    const ENABLE: u32 = 1;
}

fn main() {
    let _ = Control::default();
}
