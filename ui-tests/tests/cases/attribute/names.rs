use vfio_user::{Device, PciDevice, Register, Timer};

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2, name = "a\nb")]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    größe: u32,
    #[reg(0x04)]
    an_a_that_is_much_longer_than_all_the_names_that_people_give_to_registers: u32,
    #[timer(Self::expired)]
    später: Timer,
    zähler: u32,
    #[migrate(skip)]
    übrig: u32,
}

impl Device for Card {
    type Event = ();
}

impl Card {
    fn expired(&mut self, _: &mut vfio_user::Cx<'_, Self>) {}
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2, name = "")]
struct Nameless {
    state: u32,
}

impl Device for Nameless {
    type Event = ();
}

#[derive(PciDevice)]
#[pci(vendor = 1, device = 2)]
struct ADeviceWithANameThatIsLongerThanWhatAStreamOfStateMayHaveAtItsStart {
    state: u32,
}

impl Device for ADeviceWithANameThatIsLongerThanWhatAStreamOfStateMayHaveAtItsStart {
    type Event = ();
}

#[derive(Clone, Copy, Register)]
#[register(u8)]
struct Bits {
    #[field(bit = 0)]
    größe: bool,
}

fn main() {}
