//! A device of which fewer elements exist than are declared.

use vfio_user::declaration::{Descriptor, LayoutError};
use vfio_user::{Bench, Cx, Device, PciDevice, RegisterBlock, ResetKind, Result, Timer, Virtual};

#[derive(Debug, Default, RegisterBlock)]
#[block(host = QueueHost)]
struct Queue {
    #[reg(0x00, reset = 0x11)]
    base: u32,
    #[reg(0x04, w1c)]
    #[intr(status, test = test)]
    status: u16,
    #[reg(0x06, wo)]
    test: Virtual<u16>,
    served: u32,
    #[timer(expired)]
    timer: Timer,
}

#[derive(Debug, PciDevice)]
#[pci(vendor = 0x1234, device = 1)]
#[bar(0: mem32, size = 0x1000, unmapped = ones)]
#[irq(msix = 9, bar = 4)]
struct Card {
    #[reg(0x00)]
    control: u32,
    #[block(0x100, stride = 0x10, vector = 1, vector_stride = 1)]
    queues: [Queue; 8],
    #[migrate(skip)]
    exist: u32,
}

impl Default for Card {
    fn default() -> Self {
        Card { control: 0, queues: Default::default(), exist: 3 }
    }
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        descriptor.set_block_count("queues", self.exist)?;
        Ok(descriptor.set_msix(1 + u16::try_from(self.exist).unwrap_or(0))?)
    }

    fn reset(&mut self, _: &mut Cx<'_, Self>, _: ResetKind) {
        self.queues.iter_mut().for_each(|queue| queue.served = 0);
    }
}

impl QueueHost for Card {
    fn expired(&mut self, _: &mut Cx<'_, Self>, index: usize) {
        self.queues[index].served += 1;
    }
}

vfio_user::device_tests!(Card, Card::default);

fn card(exist: u32) -> Bench<Card> {
    Bench::new(Card { exist, ..Card::default() }).expect("a valid device")
}

#[test]
fn elements_that_do_not_exist_are_unmapped() {
    let mut three = card(3);
    for queue in 0..8 {
        let at = 0x100 + queue * 0x10;
        three.write(0, at, 7_u32);
        assert_eq!(three.read::<u32>(0, at), if queue < 3 { 7 } else { u32::MAX });
    }
    assert_eq!(three.peek("queues[2].base"), 7);
    assert!(three.function().peek("queues[3].base").is_err());
    assert_eq!(three.device().queues[3].base, 0, "nothing reaches it, not even a reset");
    three.write(0, 0x126, 1_u16);
    assert_eq!(three.take_irq(3), 1);
}

#[test]
fn their_state_is_not_saved_and_state_of_another_shape_is_refused() {
    let (mut three, mut eight) = (card(3), card(8));
    three.write(0, 0x120, 7_u32);
    let state = three.save();
    assert!(state.len() < eight.save().len());
    let mut other = card(3);
    other.load(&state).expect("the same shape");
    assert_eq!(other.peek("queues[2].base"), 7);
    assert!(eight.load(&state).is_err());
    assert!(other.load(&eight.save()).is_err());
}

#[test]
fn wrong_shapes_are_errors() {
    let error = Bench::new(Card { exist: 9, ..Card::default() }).expect_err("a wrong shape");
    assert!(error.to_string().contains("block `queues` has up to 8 elements, not 9"), "{error}");
    let mut descriptor = Card::DESCRIPTOR;
    let unknown = descriptor.set_block_count("rings", 1);
    assert_eq!(unknown, Err(LayoutError::NoSuchBlock { block: "rings" }));
}

#[test]
fn none_may_exist() {
    let mut none = card(0);
    none.write(0, 0x100, 7_u32);
    assert_eq!(none.read::<u32>(0, 0x100), u32::MAX);
    none.write(0, 0x00, 5_u32);
    let mut other = card(0);
    other.load(&none.save()).expect("the same shape");
    assert_eq!(other.peek("control"), 5);
    let descriptor = none.function().descriptor();
    assert!(!vfio_user::describe::text(descriptor).contains("queues"));
}

#[test]
fn shapes_are_made_once() {
    let blocks = |count| {
        let mut descriptor = Card::DESCRIPTOR;
        descriptor.set_block_count("queues", count).expect("a possible number");
        descriptor.blocks()
    };
    assert_eq!((blocks(2)[0].count(), blocks(5)[0].count()), (2, 5));
    assert!(std::ptr::eq(blocks(2), blocks(2)));
}
