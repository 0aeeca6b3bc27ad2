//! Messages as they are on the wire, each decoded and built again.

use std::fmt::Debug;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::*;

/// What the payload of a message starts with.
trait Body: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + PartialEq + Debug {}

impl<T> Body for T where
    T: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + PartialEq + Debug
{
}

const NO_BODY: [u8; 0] = [];

/// Bytes of hexadecimal digits; `|` only separates.
fn hex(text: &str) -> Vec<u8> {
    let bytes = text.split_whitespace().filter(|word| *word != "|");
    bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Decodes `message` into a header, `body` and `data`, and builds it again with `header`.
fn check<T: Body>(message: &[u8], kind: MessageType, header: Header, body: &T, data: &[u8]) {
    let (decoded, payload) = Header::read_from_prefix(message).unwrap();
    assert_eq!(decoded.total_size(), message.len());
    assert_eq!(decoded.payload_size(), Some(payload.len()));
    assert_eq!(decoded.message_type(), Some(kind));
    assert_eq!(decoded.errno(), None);
    let (decoded_body, decoded_data) = T::read_from_prefix(payload).unwrap();
    assert_eq!(&decoded_body, body);
    assert_eq!(decoded_data, data);
    assert_eq!([header.as_bytes(), body.as_bytes(), data].concat(), message);
}

fn check_request<T: Body>(
    message: &str,
    (id, command): (u16, Command),
    no_reply: bool,
    (body, data): (&T, &[u8]),
) -> Header {
    let message = hex(message);
    let header = Header::request(id, command, size_of::<T>() + data.len(), no_reply);
    assert_eq!((header.message_id.get(), header.command()), (id, Ok(command)));
    assert_eq!(header.no_reply(), no_reply);
    check(&message, MessageType::Command, header, body, data);
    header
}

/// Checks a command that is answered.
fn request<T: Body>(id: u16, command: Command, message: &str, body: &T, data: &[u8]) -> Header {
    check_request(message, (id, command), false, (body, data))
}

/// Checks a command that is not answered.
fn posted<T: Body>(id: u16, command: Command, message: &str, body: &T, data: &[u8]) {
    check_request(message, (id, command), true, (body, data));
}

/// Checks the reply to a command.
fn reply<T: Body>(request: Header, message: &str, body: &T, data: &[u8]) {
    let header = request.reply(size_of::<T>() + data.len());
    check(&hex(message), MessageType::Reply, header, body, data);
}

#[test]
fn version_of_qemu() {
    let json: &[u8] = br#"{"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, "migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}}"#;
    let head = hex("00 00 01 00 d6 00 00 00 00 00 00 00 00 00 00 00 | 00 00 00 00");
    let message = [&head, json, b"\0"].concat();
    let (header, payload) = Header::read_from_prefix(&message).unwrap();
    assert_eq!(header.payload_size(), Some(payload.len()));
    assert_eq!(header, Header::request(0, Command::Version, payload.len(), false));
    let version = Version::decode(payload).unwrap();
    let capabilities = Capabilities {
        write_multiple: true,
        migration: Some(MigrationCapability { pgsize: 4096, max_bitmap_size: Some(1 << 28) }),
        ..Capabilities::ours()
    };
    assert_eq!(version, Version { major: 0, minor: 0, capabilities });
    // Its spaces and order are not ours, so what is built again is another text of the same sense.
    assert_eq!(Version::decode(&version.encode()).unwrap(), version);
}

#[test]
fn dma_map_of_ram() {
    let message = "01 00 02 00 30 00 00 00 00 00 00 00 00 00 00 00 |
        20 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 10 00 00 00 00";
    let body = DmaMap {
        argsz: 32.into(),
        flags: (DmaMapFlags::READ | DmaMapFlags::WRITE).bits().into(),
        offset: 0.into(),
        address: 0.into(),
        size: (256 << 20).into(),
    };
    let header = request(1, Command::DmaMap, message, &body, &[]);
    reply(header, "01 00 02 00 10 00 00 00 01 00 00 00 00 00 00 00", &NO_BODY, &[]);
}

#[test]
fn dma_unmap_of_ram() {
    let message = "31 00 03 00 28 00 00 00 00 00 00 00 00 00 00 00 |
        18 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 10 00 00 00 00";
    let answer = "31 00 03 00 28 00 00 00 01 00 00 00 00 00 00 00 |
        18 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 10 00 00 00 00";
    let body = DmaUnmap {
        argsz: 24.into(),
        flags: DmaUnmapFlags::empty().bits().into(),
        address: 0.into(),
        size: (256 << 20).into(),
    };
    let header = request(0x31, Command::DmaUnmap, message, &body, &[]);
    reply(header, answer, &body, &[]);
}

#[test]
fn device_info() {
    let message = "03 00 04 00 20 00 00 00 00 00 00 00 00 00 00 00 |
        10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
    let answer = "03 00 04 00 20 00 00 00 01 00 00 00 00 00 00 00 |
        10 00 00 00 03 00 00 00 09 00 00 00 05 00 00 00";
    let asked = DeviceInfo { argsz: 16.into(), ..DeviceInfo::default() };
    let header = request(3, Command::DeviceGetInfo, message, &asked, &[]);
    let info = DeviceInfo {
        argsz: 16.into(),
        flags: (DeviceFlags::RESET | DeviceFlags::PCI).bits().into(),
        num_regions: 9.into(),
        num_irqs: 5.into(),
    };
    assert_eq!((RegionIndex::COUNT, IrqIndex::COUNT), (9, 5));
    reply(header, answer, &info, &[]);
}

#[test]
fn region_info_without_room_for_capabilities() {
    let message = "04 00 05 00 30 00 00 00 00 00 00 00 00 00 00 00 |
        20 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00";
    let answer = "04 00 05 00 30 00 00 00 01 00 00 00 00 00 00 00 |
        40 00 00 00 07 00 00 00 00 00 00 00 00 00 00 00 00 40 00 00 00 00 00 00
        00 00 00 00 00 00 00 00";
    let asked = RegionInfo { argsz: 32.into(), ..RegionInfo::default() };
    let header = request(4, Command::DeviceGetRegionInfo, message, &asked, &[]);
    let info = RegionInfo {
        argsz: 64.into(),
        flags: (RegionFlags::READ | RegionFlags::WRITE | RegionFlags::MMAP).bits().into(),
        index: u32::from(RegionIndex::Bar0).into(),
        cap_offset: 0.into(),
        size: 0x4000.into(),
        offset: 0.into(),
    };
    reply(header, answer, &info, &[]);
}

#[test]
fn region_info_with_a_sparse_area() {
    let answer = "05 00 05 00 50 00 00 00 01 00 00 00 00 00 00 00 |
        40 00 00 00 0f 00 00 00 00 00 00 00 20 00 00 00 00 40 00 00 00 00 00 00
        00 00 00 00 00 00 00 00
        01 00 01 00 00 00 00 00 01 00 00 00 00 00 00 00
        00 10 00 00 00 00 00 00 00 10 00 00 00 00 00 00";
    let areas = vec![SparseArea { offset: 0x1000.into(), size: 0x1000.into() }];
    let body = RegionInfo {
        argsz: 64.into(),
        flags: RegionFlags::all().bits().into(),
        index: u32::from(RegionIndex::Bar0).into(),
        cap_offset: 32.into(),
        size: 0x4000.into(),
        offset: 0.into(),
    };
    let header = Header::request(5, Command::DeviceGetRegionInfo, 32, false);
    let capabilities = RegionCapabilities { sparse: Some(areas), type_: None };
    reply(header, answer, &body, &capabilities.encode());

    let payload = &hex(answer)[HEADER_SIZE..];
    assert_eq!(RegionCapabilities::parse(payload, body.cap_offset.get()), Ok(capabilities));
}

#[test]
fn irq_info_of_msix() {
    let message = "16 00 07 00 20 00 00 00 00 00 00 00 00 00 00 00 |
        10 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00";
    let answer = "16 00 07 00 20 00 00 00 01 00 00 00 00 00 00 00 |
        10 00 00 00 09 00 00 00 02 00 00 00 08 00 00 00";
    let index = u32::from(IrqIndex::Msix).into();
    let asked = IrqInfo { argsz: 16.into(), index, ..IrqInfo::default() };
    let header = request(0x16, Command::DeviceGetIrqInfo, message, &asked, &[]);
    let flags = (IrqInfoFlags::EVENTFD | IrqInfoFlags::NORESIZE).bits().into();
    reply(header, answer, &IrqInfo { flags, count: 8.into(), ..asked }, &[]);
}

#[test]
fn set_irqs_assigns_an_eventfd() {
    let message = "1a 00 08 00 24 00 00 00 00 00 00 00 00 00 00 00 |
        14 00 00 00 24 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00";
    let body = IrqSet {
        argsz: 20.into(),
        flags: IrqSetFlags::new(IrqData::Eventfd, IrqAction::Trigger).bits().into(),
        index: u32::from(IrqIndex::Intx).into(),
        start: 0.into(),
        count: 1.into(),
    };
    request(0x1a, Command::DeviceSetIrqs, message, &body, &[]);
    let flags = IrqSetFlags::from_bits(body.flags.get()).unwrap();
    assert_eq!(flags.split(), Some((IrqData::Eventfd, IrqAction::Trigger)));
}

#[test]
fn set_irqs_disables_an_index() {
    let message = "21 00 08 00 24 00 00 00 00 00 00 00 00 00 00 00 |
        14 00 00 00 21 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
    let body = IrqSet {
        argsz: 20.into(),
        flags: IrqSetFlags::new(IrqData::None, IrqAction::Trigger).bits().into(),
        index: u32::from(IrqIndex::Intx).into(),
        start: 0.into(),
        count: 0.into(),
    };
    request(0x21, Command::DeviceSetIrqs, message, &body, &[]);
    let flags = IrqSetFlags::from_bits(body.flags.get()).unwrap();
    assert_eq!(flags.split(), Some((IrqData::None, IrqAction::Trigger)));
}

fn access(region: RegionIndex, offset: u64, count: u32) -> RegionAccess {
    RegionAccess { offset: offset.into(), region: u32::from(region).into(), count: count.into() }
}

#[test]
fn region_read_of_a_bar_register() {
    let message = "12 00 09 00 20 00 00 00 00 00 00 00 00 00 00 00 |
        10 00 00 00 00 00 00 00 07 00 00 00 04 00 00 00";
    let answer = "12 00 09 00 24 00 00 00 01 00 00 00 00 00 00 00 |
        10 00 00 00 00 00 00 00 07 00 00 00 04 00 00 00 04 00 00 00";
    let body = access(RegionIndex::Config, 0x10, 4);
    let header = request(0x12, Command::RegionRead, message, &body, &[]);
    reply(header, answer, &body, &4_u32.to_le_bytes());
}

#[test]
fn region_write_that_is_posted() {
    let message = "71 00 0a 00 24 00 00 00 10 00 00 00 00 00 00 00 |
        00 10 00 00 00 00 00 00 00 00 00 00 04 00 00 00 01 00 00 00";
    let body = access(RegionIndex::Bar0, 0x1000, 4);
    posted(0x71, Command::RegionWrite, message, &body, &1_u32.to_le_bytes());
}

#[test]
fn region_write_of_the_command_register() {
    let message = "23 00 0a 00 22 00 00 00 00 00 00 00 00 00 00 00 |
        04 00 00 00 00 00 00 00 07 00 00 00 02 00 00 00 06 00";
    let answer = "23 00 0a 00 20 00 00 00 01 00 00 00 00 00 00 00 |
        04 00 00 00 00 00 00 00 07 00 00 00 02 00 00 00";
    let body = access(RegionIndex::Config, 4, 2);
    let header = request(0x23, Command::RegionWrite, message, &body, &6_u16.to_le_bytes());
    reply(header, answer, &body, &[]);
}

#[test]
fn device_reset() {
    let message = "25 00 0d 00 10 00 00 00 00 00 00 00 00 00 00 00";
    let answer = "25 00 0d 00 10 00 00 00 01 00 00 00 00 00 00 00";
    let header = request(0x25, Command::DeviceReset, message, &NO_BODY, &[]);
    reply(header, answer, &NO_BODY, &[]);
}

#[test]
fn error_reply_to_a_region_read() {
    let message = hex("26 00 09 00 10 00 00 00 21 00 00 00 16 00 00 00");
    let header = Header::read_from_bytes(&message).unwrap();
    assert_eq!(header.message_type(), Some(MessageType::Reply));
    assert_eq!(header.message_id.get(), 0x26);
    assert_eq!(header.command(), Ok(Command::RegionRead));
    assert_eq!(header.payload_size(), Some(0));
    assert_eq!(header.errno(), Some(Errno::EINVAL));

    let request = Header::request(0x26, Command::RegionRead, size_of::<RegionAccess>(), false);
    assert_eq!(request.error_reply(Errno::EINVAL).as_bytes(), message);
}

#[test]
fn dma_read() {
    let message = "01 90 0b 00 20 00 00 00 00 00 00 00 00 00 00 00 |
        00 00 02 00 00 00 00 00 04 00 00 00 00 00 00 00";
    let answer = "01 90 0b 00 24 00 00 00 01 00 00 00 00 00 00 00 |
        00 00 02 00 00 00 00 00 04 00 00 00 00 00 00 00 11 22 33 44";
    let body = DmaAccess { address: 0x20000.into(), count: 4.into() };
    let header = request(0x9001, Command::DmaRead, message, &body, &[]);
    reply(header, answer, &body, &[0x11, 0x22, 0x33, 0x44]);
}

#[test]
fn dma_write() {
    let message = "02 90 0c 00 24 00 00 00 00 00 00 00 00 00 00 00 |
        00 00 02 00 00 00 00 00 04 00 00 00 00 00 00 00 11 22 33 44";
    let answer = "02 90 0c 00 20 00 00 00 01 00 00 00 00 00 00 00 |
        00 00 02 00 00 00 00 00 04 00 00 00 00 00 00 00";
    let body = DmaAccess { address: 0x20000.into(), count: 4.into() };
    let header = request(0x9002, Command::DmaWrite, message, &body, &[0x11, 0x22, 0x33, 0x44]);
    reply(header, answer, &body, &[]);
}

#[test]
fn region_write_multi() {
    let message = "00 02 0f 00 48 00 00 00 10 00 00 00 00 00 00 00 |
        02 00 00 00 00 00 00 00
        00 10 00 00 00 00 00 00 00 00 00 00 04 00 00 00 01 00 00 00 00 00 00 00
        08 10 00 00 00 00 00 00 00 00 00 00 02 00 00 00 ef be 00 00 00 00 00 00";
    let entry = |offset: u64, count: u32, data: u64| WriteMultiEntry {
        offset: offset.into(),
        region: u32::from(RegionIndex::Bar0).into(),
        count: count.into(),
        data: data.to_le_bytes(),
    };
    let entries = [entry(0x1000, 4, 1), entry(0x1008, 2, 0xbeef)];
    let body = WriteMulti { count: 2.into() };
    posted(0x200, Command::RegionWriteMulti, message, &body, entries.as_bytes());

    let decoded = &hex(message)[HEADER_SIZE + size_of::<WriteMulti>()..];
    assert_eq!(<[WriteMultiEntry]>::ref_from_bytes(decoded).unwrap(), entries);
}

/// The head of a feature message, and its flags taken apart.
fn feature(argsz: u32, feature: Feature, operation: FeatureFlags) -> DeviceFeature {
    let flags = operation.with(feature);
    assert_eq!(FeatureFlags::split(flags), Some((feature.into(), operation)));
    DeviceFeature { argsz: argsz.into(), flags: flags.into() }
}

#[test]
fn feature_get_migration() {
    let message = "07 00 10 00 18 00 00 00 00 00 00 00 00 00 00 00 | 10 00 00 00 01 00 01 00";
    let answer = "07 00 10 00 20 00 00 00 01 00 00 00 00 00 00 00 |
        10 00 00 00 01 00 01 00 05 00 00 00 00 00 00 00";
    let body = feature(16, Feature::Migration, FeatureFlags::GET);
    let header = request(7, Command::DeviceFeature, message, &body, &[]);
    let flags = MigrationFlags::STOP_COPY | MigrationFlags::PRE_COPY;
    let info = MigrationInfo { flags: flags.bits().into() };
    reply(header, answer, &body, info.as_bytes());
}

#[test]
fn feature_set_migration_state() {
    let message = "08 00 10 00 20 00 00 00 00 00 00 00 00 00 00 00 |
        10 00 00 00 02 00 02 00 06 00 00 00 00 00 00 00";
    let body = feature(16, Feature::MigDeviceState, FeatureFlags::SET);
    let state = MigDeviceState {
        device_state: u32::from(MigrationState::PreCopy).into(),
        data_fd: 0.into(),
    };
    let header = request(8, Command::DeviceFeature, message, &body, state.as_bytes());
    let answer = "08 00 10 00 20 00 00 00 01 00 00 00 00 00 00 00 |
        10 00 00 00 02 00 02 00 06 00 00 00 00 00 00 00";
    reply(header, answer, &body, state.as_bytes());
    assert_eq!(state.device_state.get().try_into(), Ok(MigrationState::PreCopy));
}

#[test]
fn feature_start_dma_logging() {
    let message = "09 00 10 00 28 00 00 00 00 00 00 00 00 00 00 00 |
        18 00 00 00 06 00 02 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
    let body = feature(24, Feature::DmaLoggingStart, FeatureFlags::SET);
    let start =
        DmaLoggingStart { page_size: PAGE_SIZE.into(), num_ranges: 0.into(), reserved: 0.into() };
    request(9, Command::DeviceFeature, message, &body, start.as_bytes());
}

#[test]
fn feature_report_dma_logging() {
    let message = "0a 00 10 00 30 00 00 00 00 00 00 00 00 00 00 00 |
        28 00 00 00 08 00 01 00
        00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 10 00 00 00 00 00 00";
    let answer = "0a 00 10 00 38 00 00 00 01 00 00 00 00 00 00 00 |
        28 00 00 00 08 00 01 00
        00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 10 00 00 00 00 00 00
        01 80 00 00 00 00 00 00";
    let body = feature(40, Feature::DmaLoggingReport, FeatureFlags::GET);
    let report =
        DmaLoggingReport { iova: 0.into(), length: 0x10000.into(), page_size: PAGE_SIZE.into() };
    let header = request(10, Command::DeviceFeature, message, &body, report.as_bytes());
    let bitmap: u64 = 1 << 0 | 1 << 15;
    let data = [report.as_bytes(), &bitmap.to_le_bytes()].concat();
    reply(header, answer, &body, &data);
}

#[test]
fn migration_data_read() {
    let message = "0b 00 11 00 18 00 00 00 00 00 00 00 00 00 00 00 | 08 00 01 00 00 00 01 00";
    let answer = "0b 00 11 00 1b 00 00 00 01 00 00 00 00 00 00 00 |
        0b 00 00 00 03 00 00 00 61 62 63";
    let wanted = MigData { argsz: (8 + 65536).into(), size: 65536.into() };
    let header = request(11, Command::MigDataRead, message, &wanted, &[]);
    reply(header, answer, &MigData { argsz: 11.into(), size: 3.into() }, b"abc");
}

#[test]
fn migration_data_write() {
    let message = "0c 00 12 00 1b 00 00 00 00 00 00 00 00 00 00 00 |
        0b 00 00 00 03 00 00 00 61 62 63";
    let body = MigData { argsz: 11.into(), size: 3.into() };
    let header = request(12, Command::MigDataWrite, message, &body, b"abc");
    reply(header, "0c 00 12 00 10 00 00 00 01 00 00 00 00 00 00 00", &NO_BODY, &[]);
}
