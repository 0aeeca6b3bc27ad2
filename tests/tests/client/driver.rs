//! Typed drivers over a client.

use vfio_user::client::{Client, MappedBars, PciView};
use vfio_user::driver::Bars;
use vfio_user::{Device, Error, PciDevice};
use vfio_user_tests::serve::Running;

/// Clients map the second half of BAR 0, and no other part.
#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 1, driver = PageDriver)]
#[bar(0: mem32, size = 0x2000, shared(0x1000..0x2000))]
struct Page {
    #[reg(0x00)]
    control: u64,
    #[reg(0x1000, watch)]
    tail: u32,
    #[reg(0x1008, watch, stride = 8)]
    marks: [u16; 4],
    #[reg(0x1ff8, watch)]
    address: u64,
    #[reg(0x1030, watch)]
    flags: u8,
}

impl Device for Page {
    type Event = ();
}

fn exercise<B: Bars>(page: &mut PageDriver<B>) -> Result<(), B::Error> {
    page.set_tail(0x1122_3344)?;
    page.set_marks(3, 0x5566)?;
    page.set_address(0x0102_0304_0506_0708)?;
    page.set_flags(0x9a)?;
    assert_eq!((page.tail()?, page.marks(3)?, page.marks(2)?), (0x1122_3344, 0x5566, 0));
    assert_eq!((page.address()?, page.flags()?), (0x0102_0304_0506_0708, 0x9a));
    Ok(())
}

#[test]
fn it_accesses_mapped_parts_without_the_server() {
    let server = Running::at_path(Page::default);
    let client = Client::attach(server.path()).unwrap();
    let mut page = PageDriver::new(MappedBars::new(&client).unwrap());
    page.set_control(5).unwrap();
    assert_eq!(page.control().unwrap(), 5);
    exercise(&mut page).unwrap();
    let mut by_messages = PageDriver::new(&client);
    assert_eq!(by_messages.tail().unwrap(), 0x1122_3344);
    exercise(&mut by_messages).unwrap();
    drop(server);
    exercise(&mut page).unwrap();
    assert!(matches!(page.control(), Err(Error::Disconnected)));
}

#[test]
fn it_accesses_the_bars_of_a_view() {
    let server = Running::at_path(Page::default);
    let view = PciView::attach(server.path()).unwrap();
    let mut page = PageDriver::new(&view);
    page.set_control(7).unwrap();
    assert_eq!(page.control().unwrap(), 7);
    exercise(&mut page).unwrap();
    drop(server);
    exercise(&mut page).unwrap();
    assert!(matches!(page.control(), Err(Error::Disconnected)));
}
