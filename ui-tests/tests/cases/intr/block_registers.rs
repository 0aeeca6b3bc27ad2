use vfio_user::RegisterBlock;

#[derive(RegisterBlock)]
struct Queue {
    #[reg(0x00, w1c)]
    #[intr(status, enable = enabel, mask = mask)]
    status: u32,
    #[reg(0x04)]
    enable: u32,
    #[reg(0x08)]
    mask: u8,
    #[reg(0x0c)]
    #[intr(status)]
    never: u32,
}

fn main() {}
