//! Errors of every part convert into [`Error`], and say what they said.

use std::error::Error as StdError;

use vfio_user::client::MigrationError;
use vfio_user::declaration::{LayoutError, UnknownValue};
use vfio_user::function::PeekError;
use vfio_user::migration::{StateError, StreamError};
use vfio_user::protocol::{
    CapabilityError, Command, Errno, Feature, IrqIndex, MigrationState, UnknownCommand,
    UnknownFeature, UnknownIrq, UnknownMigrationState, VersionError,
};
use vfio_user::{
    ArgumentError, Bench, Device, DmaError, Error, FramingError, PciDevice, PostError,
    ProtocolError, SharedError, SharedFileError, WatchError,
};

/// Neither `Debug` nor `Display`.
struct Event;

fn is_error<T: StdError>() {}

fn converts<T: StdError + Into<Error>>() {}

#[test]
fn errors_of_every_part_convert() {
    converts::<ArgumentError>();
    converts::<CapabilityError>();
    converts::<DmaError>();
    converts::<Errno>();
    converts::<MigrationError>();
    converts::<FramingError>();
    converts::<PeekError>();
    converts::<LayoutError<'static>>();
    converts::<PostError<Event>>();
    converts::<ProtocolError>();
    converts::<SharedError>();
    converts::<SharedFileError>();
    converts::<StateError>();
    converts::<StreamError>();
    converts::<UnknownCommand>();
    converts::<UnknownFeature>();
    converts::<UnknownIrq>();
    converts::<UnknownMigrationState>();
    converts::<UnknownValue>();
    converts::<VersionError>();
    converts::<WatchError>();
    converts::<std::io::Error>();
    is_error::<PostError<Event>>();
    is_error::<PostError<*const u8>>();
}

#[derive(Default, PciDevice)]
#[pci(vendor = 0x1234, device = 0xcafe)]
#[bar(0: mem32, size = 0x1000)]
struct Card {
    #[reg(0x00)]
    scratch: u32,
}

impl Device for Card {
    type Event = ();
}

/// Every error that can be had from here, as itself and converted.
#[test]
fn a_converted_error_says_what_it_said() {
    let bench = Bench::new(Card::default()).unwrap();
    let inquiry = bench.function().peek("nothing").unwrap_err();
    let (said, converted) = (inquiry.to_string(), Error::from(inquiry.clone()));
    assert_eq!(converted.to_string(), said);
    let Error::Tool(tool) = converted else { panic!("{converted}") };
    assert_eq!(tool.downcast_ref::<PeekError>(), Some(&inquiry));

    let command = Command::try_from(99).unwrap_err();
    assert_eq!(Error::from(command).to_string(), command.to_string());
    assert!(matches!(Error::from(command), Error::Protocol(ProtocolError::Command(_))));
    let feature = Feature::try_from(99).unwrap_err();
    assert_eq!(Error::from(feature).to_string(), feature.to_string());
    let state = MigrationState::try_from(99).unwrap_err();
    assert_eq!(Error::from(state).to_string(), state.to_string());
    let irq = IrqIndex::try_from(99).unwrap_err();
    assert_eq!(Error::from(irq).to_string(), irq.to_string());
    let argument = ArgumentError::Unaligned { iova: 0x10, size: 0x20, page: 0x1000 };
    let text = "0x20 bytes at 0x10 are not aligned to the server's pages of 0x1000";
    assert_eq!(Error::from(argument).to_string(), text);
    assert_eq!(Error::from(Errno::EINVAL).to_string(), Errno::EINVAL.to_string());
    let stream = StreamError::Truncated;
    assert_eq!(Error::from(stream.clone()).to_string(), StateError::from(stream).to_string());
    assert!(matches!(Error::from(PostError::Gone(Event)), Error::DeviceGone));
    assert!(matches!(Error::from(PostError::Full(Event)), Error::MailboxFull));
}
