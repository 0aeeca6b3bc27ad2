use vfio_user::Register;

#[derive(Clone, Copy, Default, Register)]
#[register(u32)]
#[allow(non_snake_case)]
struct Control {
    #[field(bit = 0)]
    irq_on: bool,
    #[field(bit = 1)]
    irqOn: bool,
    #[field(bit = 2)]
    enable: bool,
}

fn main() {}
