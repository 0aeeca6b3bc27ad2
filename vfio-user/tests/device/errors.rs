//! Errors that a device reports, as an operating system finds them.

use vfio_user::declaration::{Capability, Descriptor, Express, ExpressPort};
use vfio_user::pci::spec::{aer, capability_id, cfg, command, express, extended_id, status};
use vfio_user::pci::{CorrectableError, UncorrectableError};
use vfio_user::{Bench, Cx, Device, PciDevice, Result};

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
    #[migrate(skip)]
    is_conventional: bool,
    #[migrate(skip)]
    has_no_log: bool,
}

#[derive(Debug)]
enum Report {
    Correctable(CorrectableError),
    Uncorrectable(UncorrectableError, u32),
}

use Report::{Correctable, Uncorrectable};
use UncorrectableError::{
    CompleterAbort, Internal, MalformedPacket, PoisonedPacket, UnsupportedRequest,
};

impl Device for Card {
    type Event = Report;

    fn configure(&self, descriptor: &mut Descriptor) -> Result<()> {
        if !self.is_conventional {
            let express = Express::new(ExpressPort::Endpoint).with_flr();
            descriptor.add_capability(Capability::express_with(express));
        }
        if !self.is_conventional && !self.has_no_log {
            descriptor.add_capability(Capability::aer());
        }
        Ok(())
    }

    fn event(&mut self, cx: &mut Cx<'_, Self>, report: Report) {
        match report {
            Correctable(error) => cx.correctable_error(error),
            Uncorrectable(error, word) => cx.uncorrectable_error(error, [word, 2, 3, 4]),
        }
    }
}

struct Guest {
    bench: Bench<Card>,
    express: u64,
    aer: u64,
}

impl Guest {
    fn new(card: Card) -> Self {
        let bench = Bench::new(card).unwrap();
        let descriptor = bench.function().descriptor();
        let express = descriptor.find_capability(capability_id::EXPRESS).unwrap_or(0).into();
        let aer = descriptor.find_extended_capability(extended_id::AER).unwrap_or(0).into();
        Guest { bench, express, aer }
    }

    /// One that has enabled the reports of all errors.
    fn listening(card: Card) -> Self {
        let mut guest = Self::new(card);
        guest.bench.write_config(guest.express + 8, express::ERRORS);
        guest
    }

    fn report(&mut self, report: Report) {
        self.bench.post(report);
        self.bench.handle_events();
    }

    fn log(&mut self, register: usize) -> u32 {
        self.bench.read_config(self.aer + register as u64)
    }

    fn detected(&mut self) -> u16 {
        self.bench.read_config(self.express + express::DEVICE_STATUS as u64)
    }
}

#[test]
fn the_first_error_is_logged_with_its_packet_and_all_are_reported() {
    let mut guest = Guest::listening(Card::default());
    guest.report(Uncorrectable(PoisonedPacket, 0x1111));
    guest.report(Uncorrectable(MalformedPacket, 0x2222));
    assert_eq!(guest.log(aer::STATUS), 1 << 12 | 1 << 18);
    assert_eq!((guest.log(aer::CONTROL), guest.log(aer::HEADER_LOG)), (12, 0x1111));
    assert_eq!(guest.log(aer::HEADER_LOG + 12), 4);
    assert_eq!(guest.detected(), express::NON_FATAL | express::FATAL, "by their severity");
    assert_eq!(guest.bench.take_errors(), 2);
    // Once software has seen the first one, the next is logged.
    guest.bench.write_config(guest.aer + aer::STATUS as u64, 1u32 << 12);
    assert_eq!(guest.log(aer::STATUS), 1 << 18);
    guest.report(Uncorrectable(CompleterAbort, 0x3333));
    assert_eq!((guest.log(aer::CONTROL), guest.log(aer::HEADER_LOG)), (15, 0x3333));
}

#[test]
fn a_masked_error_shows_and_is_not_reported() {
    let mut guest = Guest::listening(Card::default());
    guest.report(Uncorrectable(Internal, 0x1111));
    assert_eq!(guest.log(aer::STATUS), 1 << 22, "masked from the start");
    assert_eq!((guest.log(aer::CONTROL), guest.log(aer::HEADER_LOG)), (0, 0));
    assert_eq!((guest.detected(), guest.bench.take_errors()), (express::FATAL, 0));
    guest.bench.write_config(guest.aer + aer::MASK as u64, 0u32);
    assert_eq!(guest.bench.take_errors(), 0, "what is over is over");
    guest.report(Uncorrectable(Internal, 0x2222));
    assert_eq!(guest.bench.take_errors(), 1);
}

#[test]
fn an_error_is_not_reported_unless_it_is_enabled() {
    let mut guest = Guest::new(Card::default());
    guest.report(Uncorrectable(PoisonedPacket, 1));
    guest.report(Uncorrectable(MalformedPacket, 1));
    guest.bench.write_config(guest.express + 8, express::FATAL | express::UNSUPPORTED_REQUEST);
    guest.report(Uncorrectable(PoisonedPacket, 1));
    guest.report(Uncorrectable(UnsupportedRequest, 1));
    assert_eq!(guest.bench.take_errors(), 0);
    guest.report(Uncorrectable(MalformedPacket, 1));
    assert_eq!(guest.bench.take_errors(), 1);
    guest.bench.write_config(guest.express + 8, express::NON_FATAL);
    guest.report(Uncorrectable(UnsupportedRequest, 1));
    assert_eq!(guest.bench.take_errors(), 0, "such requests need a bit of their own");
    assert_eq!(guest.detected() & express::UNSUPPORTED_REQUEST, express::UNSUPPORTED_REQUEST);
}

#[test]
fn a_correctable_error_shows_and_is_not_reported() {
    let mut guest = Guest::listening(Card::default());
    guest.report(Correctable(CorrectableError::BadPacket));
    assert_eq!(guest.log(aer::CORRECTABLE_STATUS), 1 << 6);
    assert_eq!((guest.detected(), guest.bench.take_errors()), (express::CORRECTABLE, 0));
}

#[test]
fn system_errors_stand_in_the_status_register() {
    for is_conventional in [false, true] {
        let mut guest = Guest::new(Card { is_conventional, ..Card::default() });
        guest.report(Uncorrectable(PoisonedPacket, 1));
        assert_eq!(guest.bench.take_errors(), 0);
        guest.bench.write_config(cfg::COMMAND as u64, command::SERR_ENABLE);
        guest.report(Uncorrectable(PoisonedPacket, 1));
        assert_eq!(guest.bench.take_errors(), 1);
        let shown: u16 = guest.bench.read_config(cfg::STATUS as u64);
        assert_ne!(shown & status::SIGNALED_SYSTEM_ERROR, 0);
    }
}

#[test]
fn without_a_log_errors_show_in_device_status_alone() {
    let mut guest = Guest::listening(Card { has_no_log: true, ..Card::default() });
    guest.report(Uncorrectable(MalformedPacket, 1));
    guest.report(Correctable(CorrectableError::Receiver));
    assert_eq!(guest.detected(), express::FATAL | express::CORRECTABLE);
    assert_eq!(guest.bench.take_errors(), 1);
}

#[test]
fn the_log_outlives_resets() {
    let mut guest = Guest::listening(Card::default());
    guest.report(Uncorrectable(PoisonedPacket, 0x1111));
    guest.bench.write_config(guest.aer + aer::SEVERITY as u64, 1u32 << 12);
    guest.bench.write_config(guest.express + 8, express::INITIATE_FLR);
    guest.bench.reset();
    assert_eq!((guest.log(aer::STATUS), guest.log(aer::SEVERITY)), (1 << 12, 1 << 12));
    assert_eq!((guest.log(aer::CONTROL), guest.log(aer::HEADER_LOG)), (12, 0x1111));
    assert_eq!(guest.detected(), 0);
    let state = guest.bench.save();
    let mut other = Guest::new(Card::default());
    other.bench.load(&state).unwrap();
    assert_eq!((other.log(aer::CONTROL), other.log(aer::HEADER_LOG)), (12, 0x1111));
}

#[test]
fn a_masked_error_keeps_no_later_one_out_of_the_log() {
    let mut guest = Guest::listening(Card::default());
    let [mask, pending, log] =
        [aer::MASK, aer::STATUS, aer::HEADER_LOG].map(|offset| guest.aer + offset as u64);
    for masked in [CompleterAbort, MalformedPacket] {
        // Logged, and cleared.
        guest.report(Uncorrectable(masked, 7));
        guest.bench.write_config(pending, u32::MAX);
        guest.bench.write_config(mask, 1_u32 << masked as u32);
        guest.report(Uncorrectable(masked, 8));
        guest.report(Uncorrectable(PoisonedPacket, 9));
        assert_eq!(guest.bench.read_config::<u32>(log), 9, "after {masked:?}");
        guest.report(Uncorrectable(UnsupportedRequest, 10));
        assert_eq!(guest.bench.read_config::<u32>(log), 9, "the first one stays");
        guest.bench.write_config(pending, u32::MAX);
        guest.bench.write_config(mask, 0_u32);
    }
}

#[test]
fn an_access_to_what_is_switched_off_is_an_unsupported_request() {
    let mut guest = Guest::new(Card::default());
    let status = guest.express + 10;
    guest.bench.write_config(cfg::COMMAND as u64, command::MEMORY_SPACE);
    guest.bench.read::<u32>(0, 0);
    assert_eq!(guest.bench.read_config::<u16>(status), 0);
    guest.bench.write_config(cfg::COMMAND as u64, 0_u16);
    assert_eq!(guest.bench.read::<u32>(0, 0), u32::MAX);
    let expected = express::UNSUPPORTED_REQUEST | express::CORRECTABLE;
    assert_eq!(guest.bench.read_config::<u16>(status), expected);
    guest.bench.write_config(status, u16::MAX);
    guest.bench.write(0, 0, 1_u32);
    let expected = express::UNSUPPORTED_REQUEST | express::NON_FATAL;
    assert_eq!(guest.bench.read_config::<u16>(status), expected);
}
