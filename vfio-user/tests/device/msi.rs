//! MSI with mask bits and pending bits, as a guest sees it.

use vfio_user::declaration::{Capability, Descriptor, Msi};
use vfio_user::pci::spec::capability_id;
use vfio_user::{Bench, Cx, Device, PciDevice, Result, Virtual};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
#[irq(msi = 4)]
struct Card {
    #[reg(0x00, wo, write_with = Self::raise)]
    raise: Virtual<u16>,
    #[migrate(skip)]
    is_short: bool,
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let msi = Msi::new().with_maskable();
        let msi = if self.is_short { msi.with_address_32() } else { msi };
        descriptor.add_capability(Capability::msi_with(msi));
        Ok(())
    }
}

impl Card {
    #[expect(clippy::unused_self, reason = "a hook")]
    fn raise(&mut self, cx: &mut Cx<'_, Self>, source: u16) {
        cx.irq(source).raise();
    }
}

/// A card whose guest has enabled `1 << log` messages, and where its mask bits are.
fn card(is_short: bool, log: u16) -> (Bench<Card>, u64) {
    let mut bench = Bench::new(Card { is_short, ..Card::default() }).unwrap();
    let at = u64::from(bench.function().descriptor().find_capability(capability_id::MSI).unwrap());
    bench.write_config(at + 2, 1u16 | log << 4);
    (bench, at + if is_short { 12 } else { 16 })
}

#[test]
fn a_masked_message_shows_and_fires_on_unmask() {
    for is_short in [false, true] {
        let (mut bench, mask) = card(is_short, 2);
        bench.write_config(mask, u32::MAX);
        assert_eq!(bench.read_config::<u32>(mask), 0xf, "as many masks as messages");
        bench.write(0, 0, 1u16);
        bench.write(0, 0, 3u16);
        bench.write(0, 0, 3u16);
        assert_eq!(bench.read_config::<u32>(mask + 4), 0b1010);
        bench.write_config(mask + 4, 0u32);
        assert_eq!(bench.read_config::<u8>(mask + 4), 0b1010, "pending bits are read-only");
        bench.write_config(mask, 0b0010u8);
        assert_eq!((bench.take_irq(1), bench.take_irq(3)), (0, 1));
        assert_eq!(bench.read_config::<u32>(mask + 4), 0b0010);
        bench.write_config(mask, 0u32);
        assert_eq!((bench.take_irq(1), bench.take_irq(3)), (1, 0));
        assert_eq!(bench.read_config::<u32>(mask + 4), 0);
    }
}

#[test]
fn fewer_messages_share_masks() {
    let (mut bench, mask) = card(false, 1);
    bench.write_config(mask, 0b10u32);
    bench.write(0, 0, 3u16);
    bench.write(0, 0, 2u16);
    assert_eq!(bench.read_config::<u32>(mask + 4), 0b10, "source 3 of 2 messages");
    assert_eq!(bench.take_irq(0), 1);
}

#[test]
fn what_pends_is_forgotten_when_msi_is_disabled_and_masks_when_it_is_reset() {
    let (mut bench, mask) = card(false, 2);
    bench.write_config(mask, 1u32);
    bench.write(0, 0, 0u16);
    bench.write_config(mask - 14, 0u16);
    assert_eq!(bench.read_config::<u32>(mask + 4), 0);
    bench.reset();
    assert_eq!(bench.read_config::<u32>(mask), 0);
    bench.write(0, 0, 0u16);
    assert_eq!(bench.take_irq(0), 1);
}

#[test]
fn what_pends_migrates() {
    let (mut bench, mask) = card(false, 2);
    bench.write_config(mask, 0b101u32);
    bench.write(0, 0, 2u16);
    let state = bench.save();
    let mut other = Bench::new(Card::default()).unwrap();
    other.load(&state).unwrap();
    assert_eq!(other.read_config::<u32>(mask), 0b101);
    assert_eq!(other.read_config::<u32>(mask + 4), 0b100);
    other.write_config(mask, 0u32);
    assert_eq!(other.take_irq(2), 1);
}
