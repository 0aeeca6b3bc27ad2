//! The payload of `VFIO_USER_DEVICE_FEATURE`.

use vfio_user::protocol::{
    DeviceFeature, DmaLoggingRange, DmaLoggingReport, DmaLoggingStart, Feature, FeatureFlags,
    MessageType, MigDataSize, MigDeviceState, MigrationFlags, MigrationInfo, MigrationState,
};

use super::Problem;
use super::body::Reader;
use super::value::{Fields, Value};

pub(super) fn decode(reader: &mut Reader<'_>, kind: MessageType) -> Result<(), Problem> {
    let head: DeviceFeature = reader.take()?;
    let flags = head.flags.get();
    let number = u16::try_from(flags & 0xffff).unwrap_or_default();
    reader.count("argsz", head.argsz.get());
    reader.name("feature", name(number));
    reader.name("flags", flags!(FeatureFlags, flags & !0xffff));
    let Some((_, operation)) = FeatureFlags::split(flags) else {
        reader.remaining("data");
        return Err(Problem::Flags(flags));
    };
    // What a request to get has is the data that says of what, or nothing.
    let has_data = operation == FeatureFlags::SET || kind == MessageType::Reply;
    match Feature::try_from(number) {
        Ok(Feature::DmaLoggingReport) if !reader.rest.is_empty() => report(reader),
        Ok(feature) if has_data && !reader.rest.is_empty() => data(feature, reader),
        _ => {
            reader.remaining("data");
            Ok(())
        }
    }
}

fn name(number: u16) -> String {
    let name = match Feature::try_from(number) {
        Ok(Feature::Migration) => "MIGRATION",
        Ok(Feature::MigDeviceState) => "MIG_DEVICE_STATE",
        Ok(Feature::DmaLoggingStart) => "DMA_LOGGING_START",
        Ok(Feature::DmaLoggingStop) => "DMA_LOGGING_STOP",
        Ok(Feature::DmaLoggingReport) => "DMA_LOGGING_REPORT",
        Ok(Feature::MigDataSize) => "MIG_DATA_SIZE",
        _ => return number.to_string(),
    };
    name.to_owned()
}

fn data(feature: Feature, reader: &mut Reader<'_>) -> Result<(), Problem> {
    match feature {
        Feature::Migration => {
            let info: MigrationInfo = reader.take()?;
            reader.name("states", flags!(MigrationFlags, info.flags.get()));
        }
        Feature::MigDeviceState => {
            let state: MigDeviceState = reader.take()?;
            reader.name("state", state_name(state.device_state.get()));
        }
        Feature::DmaLoggingStart => return start(reader),
        Feature::MigDataSize => {
            let size: MigDataSize = reader.take()?;
            reader.hex("stop_copy_length", size.stop_copy_length.get());
        }
        _ => reader.remaining("data"),
    }
    Ok(())
}

fn state_name(number: u32) -> String {
    let name = match MigrationState::try_from(number) {
        Ok(MigrationState::Error) => "ERROR",
        Ok(MigrationState::Stop) => "STOP",
        Ok(MigrationState::Running) => "RUNNING",
        Ok(MigrationState::StopCopy) => "STOP_COPY",
        Ok(MigrationState::Resuming) => "RESUMING",
        Ok(MigrationState::RunningP2p) => "RUNNING_P2P",
        Ok(MigrationState::PreCopy) => "PRE_COPY",
        Ok(MigrationState::PreCopyP2p) => "PRE_COPY_P2P",
        _ => return number.to_string(),
    };
    name.to_owned()
}

fn start(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let start: DmaLoggingStart = reader.take()?;
    reader.hex("page_size", start.page_size.get());
    let mut ranges = Vec::new();
    while reader.rest.len() >= size_of::<DmaLoggingRange>() {
        let range: DmaLoggingRange = reader.take()?;
        let mut fields = Fields::default();
        fields.push("address", Value::Hex(range.iova.get()));
        fields.push("size", Value::Hex(range.length.get()));
        ranges.push(fields);
    }
    let (has, says) = (ranges.len() * size_of::<DmaLoggingRange>(), start.num_ranges.get());
    reader.fields.push("ranges", Value::List(ranges));
    if has == says as usize * size_of::<DmaLoggingRange>() {
        Ok(())
    } else {
        Err(Problem::Data { has, says: u64::from(says) * size_of::<DmaLoggingRange>() as u64 })
    }
}

fn report(reader: &mut Reader<'_>) -> Result<(), Problem> {
    let report: DmaLoggingReport = reader.take()?;
    reader.hex("address", report.iova.get());
    reader.hex("size", report.length.get());
    reader.hex("page_size", report.page_size.get());
    reader.remaining("data");
    Ok(())
}
