//! Messages as they are on the wire, and messages of any bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use vfio_user::protocol::{
    Command, DmaMap, DmaMapFlags, Header, IrqAction, IrqData, IrqSet, IrqSetFlags, RegionAccess,
    RegionIndex, Version, WriteMulti, WriteMultiEntry,
};
use vfio_user::zerocopy::IntoBytes;

use super::*;

/// Bytes of hexadecimal digits; `|` only separates.
fn hex(text: &str) -> Vec<u8> {
    let bytes = text.split_whitespace().filter(|word| *word != "|");
    bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Decodes a well-formed message, and returns its fields as a line has them.
#[track_caller]
fn fields(message: &[u8]) -> String {
    let decoded = decode(message);
    assert!(decoded.problem.is_none(), "{:?}", decoded.problem);
    decoded.fields.to_string()
}

/// Messages as QEMU 11 and its peers send them, and their fields.
const MESSAGES: &[(&str, &str)] = &[
    (
        "01 00 02 00 30 00 00 00 00 00 00 00 00 00 00 00 | 20 00 00 00 03 00 00 00 00 00 00 00
             00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 10 00 00 00 00",
        "address=0x0 size=0x10000000 offset=0x0 flags=READ|WRITE",
    ),
    (
        "31 00 03 00 28 00 00 00 01 00 00 00 00 00 00 00 | 18 00 00 00 00 00 00 00 00 00 00 00
             00 00 00 00 00 00 00 10 00 00 00 00",
        "address=0x0 size=0x10000000 flags=0",
    ),
    (
        "03 00 04 00 20 00 00 00 01 00 00 00 00 00 00 00 | 10 00 00 00 03 00 00 00 09 00 00 00
             05 00 00 00",
        "flags=RESET|PCI regions=9 irqs=5",
    ),
    (
        "05 00 05 00 50 00 00 00 01 00 00 00 00 00 00 00 | 40 00 00 00 0f 00 00 00 00 00 00 00
             20 00 00 00 00 40 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 01 00 00 00 00 00
             01 00 00 00 00 00 00 00 00 10 00 00 00 00 00 00 00 10 00 00 00 00 00 00",
        "argsz=64 region=bar0 flags=READ|WRITE|MMAP|CAPS size=0x4000 offset=0x0 \
             areas=[(offset=0x1000 size=0x1000)]",
    ),
    (
        "16 00 07 00 20 00 00 00 01 00 00 00 00 00 00 00 | 10 00 00 00 09 00 00 00 02 00 00 00
             08 00 00 00",
        "irq=MSI-X flags=EVENTFD|NORESIZE count=8",
    ),
    (
        "1a 00 08 00 24 00 00 00 00 00 00 00 00 00 00 00 | 14 00 00 00 24 00 00 00 00 00 00 00
             00 00 00 00 01 00 00 00",
        "irq=INTx flags=DATA_EVENTFD|ACTION_TRIGGER start=0 count=1",
    ),
    (
        "12 00 09 00 24 00 00 00 01 00 00 00 00 00 00 00 | 10 00 00 00 00 00 00 00 07 00 00 00
             04 00 00 00 04 00 00 00",
        "region=config offset=0x10 count=4 data=0x00000004",
    ),
    (
        "23 00 0a 00 22 00 00 00 00 00 00 00 00 00 00 00 | 04 00 00 00 00 00 00 00 07 00 00 00
             02 00 00 00 06 00",
        "region=config offset=0x4 count=2 data=0x0006",
    ),
    ("25 00 0d 00 10 00 00 00 00 00 00 00 00 00 00 00", ""),
    (
        "02 90 0c 00 24 00 00 00 00 00 00 00 00 00 00 00 | 00 00 02 00 00 00 00 00 04 00 00 00
             00 00 00 00 11 22 33 44",
        "address=0x20000 count=4 data=0x44332211",
    ),
    (
        "00 02 0f 00 48 00 00 00 10 00 00 00 00 00 00 00 | 02 00 00 00 00 00 00 00 00 10 00 00
             00 00 00 00 00 00 00 00 04 00 00 00 01 00 00 00 00 00 00 00 08 10 00 00 00 00 00 00
             00 00 00 00 02 00 00 00 ef be 00 00 00 00 00 00",
        "count=2 writes=[(region=bar0 offset=0x1000 count=4 data=0x00000001) \
             (region=bar0 offset=0x1008 count=2 data=0xbeef)]",
    ),
    (
        "07 00 10 00 20 00 00 00 01 00 00 00 00 00 00 00 | 10 00 00 00 01 00 01 00 05 00 00 00
             00 00 00 00",
        "argsz=16 feature=MIGRATION flags=GET states=STOP_COPY|PRE_COPY",
    ),
    (
        "08 00 10 00 20 00 00 00 00 00 00 00 00 00 00 00 | 10 00 00 00 02 00 02 00 06 00 00 00
             00 00 00 00",
        "argsz=16 feature=MIG_DEVICE_STATE flags=SET state=PRE_COPY",
    ),
    (
        "09 00 10 00 28 00 00 00 00 00 00 00 00 00 00 00 | 18 00 00 00 06 00 02 00 00 10 00 00
             00 00 00 00 00 00 00 00 00 00 00 00",
        "argsz=24 feature=DMA_LOGGING_START flags=SET page_size=0x1000 ranges=[]",
    ),
    (
        "0a 00 10 00 38 00 00 00 01 00 00 00 00 00 00 00 | 28 00 00 00 08 00 01 00 00 00 00 00
             00 00 00 00 00 00 01 00 00 00 00 00 00 10 00 00 00 00 00 00 01 80 00 00 00 00 00 00",
        "argsz=40 feature=DMA_LOGGING_REPORT flags=GET address=0x0 size=0x10000 \
             page_size=0x1000 data=0x0000000000008001",
    ),
    (
        "0b 00 11 00 1b 00 00 00 01 00 00 00 00 00 00 00 | 0b 00 00 00 03 00 00 00 61 62 63",
        "argsz=11 size=3 data=[61 62 63]",
    ),
];

#[test]
fn messages_of_the_wire_are_decoded() {
    for (message, expected) in MESSAGES {
        assert_eq!(fields(&hex(message)), *expected);
    }
}

#[test]
fn errors_and_posted_commands_are_distinct() {
    let error = decode(&hex("26 00 09 00 10 00 00 00 21 00 00 00 16 00 00 00"));
    assert!(error.is_reply() && error.fields.0.is_empty() && error.problem.is_none());
    assert_eq!(error.header.errno().unwrap().to_string(), "EINVAL (22)");
    let posted =
        hex("71 00 0a 00 24 00 00 00 10 00 00 00 00 00 00 00 | 00 10 00 00 00 00 00 00 00 00 00 00
         04 00 00 00 01 00 00 00");
    assert!(decode(&posted).header.no_reply());
}

#[test]
fn the_text_of_a_version_is_printed_without_control_characters() {
    let message = |text: &str| {
        let payload = [&[0, 0, 1, 0], text.as_bytes(), &[0]].concat();
        let header = Header::request(0, Command::Version, payload.len(), false);
        [header.as_bytes(), &payload].concat()
    };
    let text = r#"{"capabilities":{"\u009b\u001b":"\u007f"}}"#;
    assert_eq!(fields(&message(text)), r#"major=0 minor=1 capabilities={"\u{9b}\u001b":"\u{7f}"}"#);
    let wrong = decode(&message(r#"{"capabilities":{"max_msg_fds":-1}}"#));
    assert!(matches!(wrong.problem, Some(Problem::Version(_))), "{wrong:?}");
    assert_eq!(wrong.fields.0.len(), 3);
}

#[test]
fn malformed_messages_name_their_problem() {
    let access = RegionAccess { offset: 0.into(), region: 0.into(), count: 4.into() };
    let problem = |command, payload: &[u8]| {
        let header = Header::request(1, command, payload.len(), false);
        let decoded = decode(&[header.as_bytes(), payload].concat());
        decoded.problem.expect("it is malformed").to_string()
    };
    let access = access.as_bytes();
    assert_eq!(
        problem(Command::RegionRead, &access[..15]),
        "a payload of 15 bytes, at least 16 are needed"
    );
    let longer = [access, &[0; 3]].concat();
    assert_eq!(problem(Command::RegionRead, &longer), "3 bytes follow the payload");
    assert_eq!(problem(Command::RegionWrite, &longer), "3 bytes of data, the message says 4");
    let irqs = IrqSet { flags: 0x30.into(), ..IrqSet::default() };
    assert!(problem(Command::DeviceSetIrqs, irqs.as_bytes()).contains("flags 0x30"));
    let unknown = Header { command: 14.into(), ..Header::default() };
    let decoded = decode(&[unknown.as_bytes(), &[1, 2]].concat());
    assert!(matches!(decoded.problem, Some(Problem::Command(_))));
    assert_eq!(
        (decoded.command().to_string(), decoded.fields.to_string()),
        ("COMMAND_14".into(), "data=0x0201".into())
    );
}

/// Builds a command.
fn command(command: Command, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let header = Header::request(1, command, payload.len(), false);
    [header.as_bytes(), &payload].concat()
}

proptest! {
    /// Whatever arrives, it is decoded or has a problem, and its line has no control characters.
    #[test]
    fn any_bytes_have_a_line(mut bytes in vec(any::<u8>(), 0..120), number in 0..20_u8, flags in 0..64_u8) {
        if let Some(header) = bytes.get_mut(..12) {
            (header[2], header[3], header[8]) = (number, 0, flags);
        }
        let decoded = decode(&bytes);
        prop_assert!(!decoded.fields.to_string().chars().any(char::is_control));
        serde_json::to_string(&decoded.fields).unwrap();
    }

    #[test]
    fn accesses_keep_their_parts(offset: u64, region: u32, data in vec(any::<u8>(), 0..40)) {
        let count = u32::try_from(data.len()).unwrap();
        let access = RegionAccess { offset: offset.into(), region: region.into(), count: count.into() };
        let decoded = decode(&command(Command::RegionWrite, &[access.as_bytes(), &data]));
        prop_assert!(decoded.problem.is_none());
        prop_assert_eq!(decoded.fields.number("offset"), Some(offset));
        prop_assert_eq!(decoded.fields.number("count"), Some(count.into()));
        let found = match decoded.fields.get("data") {
            Some(Value::Data(found)) => &found[..],
            _ => &[],
        };
        prop_assert_eq!(found, data);
        let Some(Value::Name(name)) = decoded.fields.get("region") else { panic!() };
        let expected = crate::place::parse_region(name).unwrap();
        prop_assert_eq!(expected, RegionIndex::from(region));
    }

    #[test]
    fn maps_keep_their_parts(address: u64, size: u64, offset: u64, flags in 0..16_u32) {
        let map = DmaMap {
            argsz: 32.into(),
            flags: flags.into(),
            offset: offset.into(),
            address: address.into(),
            size: size.into(),
        };
        let decoded = decode(&command(Command::DmaMap, &[map.as_bytes()]));
        let number = |name| decoded.fields.number(name);
        prop_assert_eq!(number("address"), Some(address));
        prop_assert_eq!((number("size"), number("offset")), (Some(size), Some(offset)));
        let Some(Value::Name(names)) = decoded.fields.get("flags") else { panic!() };
        let again = names.split('|').filter_map(DmaMapFlags::from_name).collect::<DmaMapFlags>();
        prop_assert_eq!(again.bits(), flags);
    }

    #[test]
    fn interrupts_keep_their_parts(index in 0..5_u32, start: u32, count in 0..9_u32) {
        let flags = IrqSetFlags::new(IrqData::Bool, IrqAction::Mask).bits();
        let set = IrqSet {
            argsz: 20.into(),
            flags: flags.into(),
            index: index.into(),
            start: start.into(),
            count: count.into(),
        };
        let data = vec![1; count as usize];
        let decoded = decode(&command(Command::DeviceSetIrqs, &[set.as_bytes(), &data]));
        prop_assert!(decoded.problem.is_none());
        prop_assert_eq!(decoded.fields.number("start"), Some(start.into()));
        prop_assert_eq!(decoded.fields.number("count"), Some(count.into()));
    }

    #[test]
    fn several_writes_keep_their_parts(writes in vec((any::<u64>(), 0..9_u32), 0..6)) {
        let entry = |&(offset, count): &(u64, u32)| WriteMultiEntry {
            offset: offset.into(),
            region: 0.into(),
            count: count.into(),
            data: [7; 8],
        };
        let entries: Vec<_> = writes.iter().map(entry).collect();
        let multi = WriteMulti { count: (entries.len() as u64).into() };
        let message = command(Command::RegionWriteMulti, &[multi.as_bytes(), entries.as_bytes()]);
        let decoded = decode(&message);
        prop_assert!(decoded.problem.is_none());
        let Some(Value::List(found)) = decoded.fields.get("writes") else { panic!() };
        let found = found.iter().map(|entry| {
            let count = entry.number("count").unwrap();
            (entry.number("offset").unwrap(), u32::try_from(count).unwrap())
        });
        prop_assert_eq!(found.collect::<Vec<_>>(), writes);
    }

    #[test]
    fn versions_keep_their_parts(major: u16, minor: u16) {
        let version = Version { major, minor, ..Version::default() };
        let decoded = decode(&command(Command::Version, &[&version.encode()]));
        prop_assert!(decoded.problem.is_none());
        prop_assert_eq!(decoded.fields.number("major"), Some(major.into()));
        prop_assert_eq!(decoded.fields.number("minor"), Some(minor.into()));
    }
}
