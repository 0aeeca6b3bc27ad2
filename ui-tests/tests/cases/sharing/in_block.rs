use vfio_user::RegisterBlock;

#[derive(Clone, Copy, Default, RegisterBlock)]
struct Channel {
    #[reg(0x00)]
    page: u8,
    #[reg(0x04, when(page = 0))]
    low: u8,
    #[reg(0x04, when(page = 0..=1))]
    high: u8,
    #[reg(0x08, when(pag = 0))]
    misspelt: u8,
}

fn main() {}
