//! The payload of each command.

use vfio_user::protocol::{
    Command, DeviceFlags, DeviceInfo, DirtyBitmap, DmaAccess, DmaMap, DmaMapFlags, DmaUnmap,
    DmaUnmapFlags, IoFd, IoFdFlags, IoFdType, IrqIndex, IrqInfo, IrqInfoFlags, IrqSet, IrqSetFlags,
    MessageType, MigData, RegionAccess, RegionCapabilities, RegionFlags, RegionIndex, RegionInfo,
    RegionIoFds, Version, WriteMulti, WriteMultiEntry,
};
use vfio_user::zerocopy::FromBytes;

use super::value::{Fields, Value};
use super::{Problem, feature};

/// Decodes the payload of a command, or of a reply that reports success.
pub(super) fn decode(
    command: Command,
    kind: MessageType,
    payload: &[u8],
) -> (Fields, Option<Problem>) {
    let mut reader = Reader { payload, rest: payload, fields: Fields::default() };
    let read = match kind {
        MessageType::Reply => reply(command, &mut reader),
        MessageType::Command => request(command, &mut reader),
    };
    let problem = read.and_then(|()| reader.end()).err();
    (reader.fields, problem)
}

fn request(command: Command, reader: &mut Reader<'_>) -> Result<(), Problem> {
    match command {
        Command::Version => version(reader),
        Command::DmaMap => dma_map(reader),
        Command::DmaUnmap => dma_unmap(reader, MessageType::Command),
        Command::DeviceGetInfo
        | Command::DeviceGetRegionInfo
        | Command::DeviceGetRegionIoFds
        | Command::DeviceGetIrqInfo => question(command, reader),
        Command::DeviceSetIrqs => set_irqs(reader),
        Command::RegionRead => region_access(reader).map(drop),
        Command::RegionWrite => {
            let count = region_access(reader)?;
            reader.data(count)
        }
        Command::DmaRead => dma_access(reader).map(drop),
        Command::DmaWrite => {
            let count = dma_access(reader)?;
            reader.data(count)
        }
        Command::RegionWriteMulti => write_multi(reader),
        Command::DeviceFeature => feature::decode(reader, MessageType::Command),
        Command::MigDataRead => migration_data(reader).map(drop),
        Command::MigDataWrite => {
            let size = migration_data(reader)?;
            reader.data(size)
        }
        _ => Ok(()),
    }
}

/// A request for a description: what it is of, and the room for it.
fn question(command: Command, reader: &mut Reader<'_>) -> Result<(), Problem> {
    match command {
        Command::DeviceGetInfo => {
            let info: DeviceInfo = reader.take()?;
            reader.count("argsz", info.argsz.get());
        }
        Command::DeviceGetRegionInfo => {
            let info: RegionInfo = reader.take()?;
            reader.count("argsz", info.argsz.get());
            reader.region(info.index.get());
        }
        Command::DeviceGetRegionIoFds => {
            let io_fds: RegionIoFds = reader.take()?;
            reader.count("argsz", io_fds.argsz.get());
            reader.region(io_fds.index.get());
        }
        _ => {
            let info: IrqInfo = reader.take()?;
            reader.irq(info.index.get());
        }
    }
    Ok(())
}

fn reply(command: Command, reader: &mut Reader<'_>) -> Result<(), Problem> {
    match command {
        Command::Version => version(reader),
        Command::DmaUnmap => dma_unmap(reader, MessageType::Reply),
        Command::DeviceGetInfo => device_info(reader),
        Command::DeviceGetRegionInfo => region_info(reader),
        Command::DeviceGetRegionIoFds => region_io_fds(reader),
        Command::DeviceGetIrqInfo => irq_info(reader),
        Command::RegionRead => {
            let count = region_access(reader)?;
            reader.data(count)
        }
        Command::RegionWrite => region_access(reader).map(drop),
        Command::DmaRead => {
            let count = dma_access(reader)?;
            reader.data(count)
        }
        // QEMU 10 replies with the header alone.
        Command::DmaWrite if reader.rest.is_empty() => Ok(()),
        Command::DmaWrite => dma_access(reader).map(drop),
        Command::RegionWriteMulti => {
            let multi: WriteMulti = reader.take()?;
            reader.number("count", multi.count.get());
            Ok(())
        }
        Command::DeviceFeature => feature::decode(reader, MessageType::Reply),
        Command::MigDataRead => {
            migration_data(reader)?;
            reader.remaining("data");
            Ok(())
        }
        _ => Ok(()),
    }
}

fn version(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let decoded = Version::decode(reader.payload);
    let numbers: [u8; 4] = reader.take()?;
    let [major_0, major_1, minor_0, minor_1] = numbers;
    reader.count("major", u16::from_le_bytes([major_0, major_1]).into());
    reader.count("minor", u16::from_le_bytes([minor_0, minor_1]).into());
    let text = reader.rest.strip_suffix(&[0]).unwrap_or(reader.rest);
    match serde_json::from_slice(text) {
        Ok(json) => reader.fields.push("capabilities", Value::Json(inner(json))),
        Err(_) if text.is_empty() => {}
        Err(_) => reader.fields.push("data", Value::Data(text.to_vec())),
    }
    reader.rest = &[];
    decoded.map(drop).map_err(Problem::Version)
}

/// Returns the capabilities of the text of a version, where it has nothing else.
fn inner(mut json: serde_json::Value) -> serde_json::Value {
    match json.as_object_mut() {
        Some(members) if members.len() == 1 => members.remove("capabilities").unwrap_or(json),
        _ => json,
    }
}

fn dma_map(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let map: DmaMap = reader.take()?;
    reader.hex("address", map.address.get());
    reader.hex("size", map.size.get());
    reader.hex("offset", map.offset.get());
    reader.name("flags", flags!(DmaMapFlags, map.flags.get()));
    Ok(())
}

fn dma_unmap(reader: &mut Reader<'_>, kind: MessageType) -> Result<(), Problem> {
    let unmap: DmaUnmap = reader.take()?;
    reader.hex("address", unmap.address.get());
    reader.hex("size", unmap.size.get());
    reader.name("flags", flags!(DmaUnmapFlags, unmap.flags.get()));
    let bitmap = DmaUnmapFlags::GET_DIRTY_BITMAP.bits();
    if unmap.flags.get() & bitmap == 0 {
        return Ok(());
    }
    let head: DirtyBitmap = reader.take()?;
    reader.hex("page_size", head.page_size.get());
    reader.hex("bitmap_size", head.size.get());
    if kind == MessageType::Reply { reader.data(head.size.get()) } else { Ok(()) }
}

fn device_info(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let info: DeviceInfo = reader.take()?;
    reader.name("flags", flags!(DeviceFlags, info.flags.get()));
    reader.count("regions", info.num_regions.get());
    reader.count("irqs", info.num_irqs.get());
    // A kernel's reply may have capabilities.
    reader.rest = &[];
    Ok(())
}

fn region_info(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let info: RegionInfo = reader.take()?;
    reader.count("argsz", info.argsz.get());
    reader.region(info.index.get());
    reader.name("flags", flags!(RegionFlags, info.flags.get()));
    reader.hex("size", info.size.get());
    reader.hex("offset", info.offset.get());
    let has_chain = info.flags.get() & RegionFlags::CAPS.bits() != 0 && !reader.rest.is_empty();
    reader.rest = &[];
    if !has_chain {
        return Ok(());
    }
    let found = RegionCapabilities::parse(reader.payload, info.cap_offset.get())
        .map_err(Problem::Capability)?;
    if let Some(areas) = found.sparse {
        let area = |area: &vfio_user::protocol::SparseArea| {
            let mut fields = Fields::default();
            fields.push("offset", Value::Hex(area.offset.get()));
            fields.push("size", Value::Hex(area.size.get()));
            fields
        };
        reader.fields.push("areas", Value::List(areas.iter().map(area).collect()));
    }
    if let Some(type_) = found.type_ {
        reader.hex("type", type_.type_.get().into());
        reader.hex("subtype", type_.subtype.get().into());
    }
    Ok(())
}

fn region_io_fds(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let io_fds: RegionIoFds = reader.take()?;
    reader.count("argsz", io_fds.argsz.get());
    reader.region(io_fds.index.get());
    reader.count("count", io_fds.count.get());
    let mut entries = Vec::new();
    while reader.rest.len() >= size_of::<IoFd>() {
        entries.push(io_fd(&reader.take()?));
    }
    reader.fields.push("entries", Value::List(entries));
    Ok(())
}

fn io_fd(entry: &IoFd) -> Fields {
    let mut fields = Fields::default();
    let type_ = match IoFdType::try_from(entry.type_.get()) {
        Ok(IoFdType::Ioeventfd) => "IOEVENTFD".to_owned(),
        Ok(IoFdType::Ioregionfd) => "IOREGIONFD".to_owned(),
        _ => entry.type_.get().to_string(),
    };
    fields.push("type", Value::Name(type_));
    fields.push("offset", Value::Hex(entry.offset.get()));
    fields.push("size", Value::Number(entry.size.get()));
    fields.push("fd_index", Value::Number(entry.fd_index.get().into()));
    fields.push("flags", Value::Name(flags!(IoFdFlags, entry.flags.get())));
    fields.push("datamatch", Value::Hex(entry.datamatch.get()));
    fields
}

fn irq_info(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let info: IrqInfo = reader.take()?;
    reader.irq(info.index.get());
    reader.name("flags", flags!(IrqInfoFlags, info.flags.get()));
    reader.count("count", info.count.get());
    reader.rest = &[];
    Ok(())
}

fn set_irqs(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let set: IrqSet = reader.take()?;
    let bits = set.flags.get();
    reader.irq(set.index.get());
    reader.name("flags", flags!(IrqSetFlags, bits));
    reader.count("start", set.start.get());
    reader.count("count", set.count.get());
    if bits & IrqSetFlags::DATA_BOOL.bits() != 0 {
        reader.data(set.count.get().into())?;
    }
    match IrqSetFlags::from_bits_retain(bits).split() {
        Some(_) => Ok(()),
        None => Err(Problem::Flags(bits)),
    }
}

fn region_access(reader: &mut Reader<'_>) -> Result<u64, Problem> {
    let access: RegionAccess = reader.take()?;
    reader.region(access.region.get());
    reader.hex("offset", access.offset.get());
    reader.count("count", access.count.get());
    Ok(access.count.get().into())
}

fn dma_access(reader: &mut Reader<'_>) -> Result<u64, Problem> {
    let access: DmaAccess = reader.take()?;
    reader.hex("address", access.address.get());
    reader.number("count", access.count.get());
    Ok(access.count.get())
}

fn write_multi(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let multi: WriteMulti = reader.take()?;
    reader.number("count", multi.count.get());
    let mut entries = Vec::new();
    while reader.rest.len() >= size_of::<WriteMultiEntry>() {
        let entry: WriteMultiEntry = reader.take()?;
        let mut fields = Fields::default();
        let count = entry.count.get();
        fields.push("region", Value::Name(region_name(entry.region.get())));
        fields.push("offset", Value::Hex(entry.offset.get()));
        fields.push("count", Value::Number(count.into()));
        let data = entry.data.get(..count as usize).unwrap_or(&entry.data);
        fields.push("data", Value::Data(data.to_vec()));
        entries.push(fields);
    }
    let (has, says) = (entries.len(), multi.count.get());
    reader.fields.push("writes", Value::List(entries));
    if has as u64 == says { Ok(()) } else { Err(Problem::Data { has: has * 24, says }) }
}

fn migration_data(reader: &mut Reader<'_>) -> Result<u64, Problem> {
    let data: MigData = reader.take()?;
    reader.count("argsz", data.argsz.get());
    reader.count("size", data.size.get());
    Ok(data.size.get().into())
}

/// Returns the name of a region, such as `bar0`.
pub(super) fn region_name(index: u32) -> String {
    match RegionIndex::from(index) {
        RegionIndex::Rom => "rom".into(),
        RegionIndex::Config => "config".into(),
        RegionIndex::Vga => "vga".into(),
        RegionIndex::Specific(_) => format!("region{index}"),
        _ => format!("bar{index}"),
    }
}

/// Reads a payload from its front, and collects fields.
pub(super) struct Reader<'a> {
    payload: &'a [u8],
    pub(super) rest: &'a [u8],
    pub(super) fields: Fields,
}

impl Reader<'_> {
    /// Reads a structure.
    pub(super) fn take<T: FromBytes>(&mut self) -> Result<T, Problem> {
        let has = self.payload.len();
        let needs = has - self.rest.len() + size_of::<T>();
        let Ok((value, rest)) = T::read_from_prefix(self.rest) else {
            self.remaining("rest");
            return Err(Problem::TooShort { has, needs });
        };
        self.rest = rest;
        Ok(value)
    }

    pub(super) fn count(&mut self, name: &'static str, count: u32) {
        self.number(name, count.into());
    }

    pub(super) fn number(&mut self, name: &'static str, number: u64) {
        self.fields.push(name, Value::Number(number));
    }

    pub(super) fn hex(&mut self, name: &'static str, number: u64) {
        self.fields.push(name, Value::Hex(number));
    }

    pub(super) fn name(&mut self, field: &'static str, name: String) {
        self.fields.push(field, Value::Name(name));
    }

    fn region(&mut self, index: u32) {
        self.name("region", region_name(index));
    }

    fn irq(&mut self, index: u32) {
        let name = IrqIndex::try_from(index).map_or(index.to_string(), |index| index.to_string());
        self.name("irq", name);
    }

    /// Takes what is left as data.
    pub(super) fn remaining(&mut self, name: &'static str) {
        if !self.rest.is_empty() {
            self.fields.push(name, Value::Data(self.rest.to_vec()));
        }
        self.rest = &[];
    }

    /// Takes what is left as data, which has to be of this size.
    pub(super) fn data(&mut self, says: u64) -> Result<(), Problem> {
        let has = self.rest.len();
        self.remaining("data");
        if has as u64 == says { Ok(()) } else { Err(Problem::Data { has, says }) }
    }

    fn end(&mut self) -> Result<(), Problem> {
        let surplus = self.rest.len();
        self.remaining("rest");
        if surplus == 0 { Ok(()) } else { Err(Problem::Surplus(surplus)) }
    }
}
