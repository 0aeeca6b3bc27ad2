//! Vital product data, read and written as an operating system does it.

use vfio_user::declaration::{Capability, Descriptor, Express, ExpressPort};
use vfio_user::pci::spec::capability_id;
use vfio_user::{Bench, Device, PciDevice, Result};

/// An identifier, read-only data with a part number, writable data, the end.
const DATA: &[u8] = b"\x82\x06\0A card\x90\x05\0PN\x02X1\x91\x07\0YA\x04note\x78";
/// The four bytes of the note.
const WRITABLE: &[u8] =
    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(skip)]
    note: Option<&'static [u8]>,
}

impl Device for Card {
    type Event = ();

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        let data = self.note.unwrap_or(DATA);
        descriptor.add_capability(Capability::vpd(data).with_writable(WRITABLE));
        let express = Express::new(ExpressPort::Endpoint).with_flr();
        descriptor.add_capability(Capability::express_with(express));
        Ok(())
    }
}

struct Guest {
    bench: Bench<Card>,
    at: u64,
}

impl Guest {
    fn new(card: Card) -> Self {
        let bench = Bench::new(card).unwrap();
        let at = bench.function().descriptor().find_capability(capability_id::VPD).unwrap().into();
        Guest { bench, at }
    }

    fn read(&mut self, address: u16) -> [u8; 4] {
        self.bench.write_config(self.at + 2, address);
        assert_eq!(self.bench.read_config::<u16>(self.at + 2), address | 0x8000, "it is done");
        self.bench.read_config::<u32>(self.at + 4).to_le_bytes()
    }

    fn write(&mut self, address: u16, data: [u8; 4]) {
        self.bench.write_config(self.at + 4, u32::from_le_bytes(data));
        self.bench.write_config(self.at + 2, address | 0x8000);
        assert_eq!(self.bench.read_config::<u16>(self.at + 2), address, "it is done");
    }

    fn read_all(&mut self) -> Vec<u8> {
        let len = u16::try_from(DATA.len()).unwrap().next_multiple_of(4);
        (0..len).step_by(4).flat_map(|address| self.read(address)).collect()
    }
}

#[test]
fn all_of_it_is_read_and_zeros_behind_it() {
    let mut guest = Guest::new(Card::default());
    assert_eq!(guest.read_all(), DATA, "of {} bytes", DATA.len());
    assert_eq!((guest.read(0x100), guest.read(0x7ffc)), ([0; 4], [0; 4]));
}

#[test]
fn software_writes_what_the_mask_lets_it_and_no_reset_undoes_that() {
    let mut guest = Guest::new(Card::default());
    for address in (0..0x40).step_by(4).chain([0x7ffc]) {
        guest.write(address, *b"memo");
    }
    let mut expected = DATA.to_vec();
    expected[23..27].copy_from_slice(b"omem");
    assert_eq!(guest.read_all(), expected);
    guest.bench.reset();
    let express = guest.bench.function().descriptor().find_capability(capability_id::EXPRESS);
    guest.bench.write_config(u64::from(express.unwrap()) + 8, 0x8000u16);
    assert_eq!(guest.bench.read_config::<u16>(guest.at + 2), 0);
    assert_eq!(guest.read_all(), expected);
}

#[test]
fn a_transfer_starts_with_the_byte_of_the_flag() {
    let mut guest = Guest::new(Card::default());
    guest.bench.write_config(guest.at + 2, 0x08u8);
    assert_eq!(guest.bench.read_config::<u32>(guest.at + 4), 0);
    guest.bench.write_config(guest.at + 3, 0u8);
    assert_eq!(guest.bench.read_config::<u32>(guest.at + 4).to_le_bytes(), DATA[8..12]);
    assert_eq!(guest.bench.read_config::<u16>(guest.at + 2), 0x8008);
}

#[test]
fn it_migrates_to_a_device_with_the_same() {
    let mut guest = Guest::new(Card::default());
    guest.write(24, *b"emo\x78");
    let (state, data) = (guest.bench.save(), guest.read_all());
    let mut other = Guest::new(Card::default());
    other.bench.load(&state).unwrap();
    assert_eq!(other.read_all(), data);
    let mut another = Guest::new(Card { note: Some(&[0; DATA.len()]), ..Card::default() });
    let refusal = another.bench.load(&state).unwrap_err().to_string();
    assert!(refusal.contains("vpd"), "{refusal}");
    assert_eq!(another.read(0), [0; 4]);
}

#[test]
fn what_cannot_be_addressed_is_refused() {
    static LONG: [u8; 0x8001] = [0; 0x8001];
    assert!(Bench::new(Card { note: Some(&LONG[1..]), ..Card::default() }).is_ok());
    assert!(Bench::new(Card { note: Some(&LONG), ..Card::default() }).is_err());
}
