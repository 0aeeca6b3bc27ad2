//! `VFIO_USER_DEVICE_FEATURE`: what devices can do beyond regions and interrupts.

use zerocopy::FromBytes;

use super::dirty::{collect, forget};
use super::dma::bitmap_size;
use super::{Handler, Request, migration};
use crate::dma::{Report, last_address};
use crate::function::Function;
use crate::protocol::{
    DeviceFeature, DmaLoggingRange, DmaLoggingReport, DmaLoggingStart, Errno, Feature,
    FeatureFlags, PAGE_SIZE,
};
use crate::transport::Reply;

/// Gets or sets a feature; the reply is empty, and gets the head as well.
type Operation = Handler;

/// What can be done with a feature.
#[derive(Clone, Copy, Default)]
struct Operations {
    get: Option<Operation>,
    set: Option<Operation>,
}

/// What only devices have that migrate.
const MIGRATION: [Feature; 3] = [Feature::Migration, Feature::MigDeviceState, Feature::MigDataSize];

/// What there is of a feature.
fn operations(feature: Feature) -> Operations {
    let operations = Operations::default();
    match feature {
        Feature::Migration => Operations { get: Some(migration::info), ..operations },
        Feature::MigDeviceState => {
            Operations { get: Some(migration::state), set: Some(migration::set_state) }
        }
        Feature::MigDataSize => Operations { get: Some(migration::size), ..operations },
        Feature::DmaLoggingStart => Operations { set: Some(start), ..operations },
        Feature::DmaLoggingStop => Operations { set: Some(stop), ..operations },
        Feature::DmaLoggingReport => Operations { get: Some(report), ..operations },
    }
}

/// `VFIO_USER_DEVICE_FEATURE`.
pub(super) fn feature(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (head, _) = request.feature()?;
    let (number, asked) = FeatureFlags::split(head.flags.get()).ok_or(Errno::EINVAL)?;
    let feature = Feature::try_from(number).map_err(|_| Errno::ENOTTY)?;
    if MIGRATION.contains(&feature) && function.migration_state().is_none() {
        return Err(Errno::ENOTTY);
    }
    // As the kernel: a feature that the device lacks is not the same as a method that a feature lacks.
    let Operations { get, set } = operations(feature);
    let missing = (asked.contains(FeatureFlags::GET) && get.is_none())
        || (asked.contains(FeatureFlags::SET) && set.is_none());
    if missing {
        return Err(Errno::EINVAL);
    }
    // What is not got is repeated.
    let is_get = asked == FeatureFlags::GET;
    let least = if is_get { size_of::<DeviceFeature>() } else { request.payload.len() };
    if (head.argsz.get() as usize) < least {
        return Err(Errno::EINVAL);
    }
    if asked.contains(FeatureFlags::PROBE) {
        reply.push(request.payload);
        return Ok(());
    }
    let operation = if is_get { get } else { set }.ok_or(Errno::EINVAL)?;
    operation(function, request, reply)
}

/// Logs from now on. The log is of pages, whatever size of them is wished, and of all memory, whatever
/// ranges are named: to have logged more than asked is no mistake.
fn start(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (head, data) = request.feature()?;
    let (start, ranges) = DmaLoggingStart::ref_from_prefix(data).map_err(|_| Errno::EINVAL)?;
    let count = start.num_ranges.get() as usize;
    let parsed = <[DmaLoggingRange]>::ref_from_bytes(ranges).map_err(|_| Errno::EINVAL)?;
    let is_range =
        |range: &DmaLoggingRange| last_address(range.iova.get(), range.length.get()).is_ok();
    let valid = start.page_size.get().is_power_of_two()
        && parsed.len() == count
        && parsed.iter().all(is_range);
    if !valid {
        return Err(Errno::EINVAL);
    }
    let (head, start) = (*head, DmaLoggingStart { page_size: PAGE_SIZE.into(), ..*start });
    let ranges = ranges.to_vec();
    let finish = move |function: &mut dyn Function, reply: &mut Reply<'_>| {
        function.dma().start_logging();
        reply.push(&head);
        reply.push(&start);
        reply.push(&ranges[..]);
    };
    if function.dma().is_logging() {
        finish(function, reply);
    } else {
        // What is left from the last time.
        let old = function.dma().sweep(0, u64::MAX);
        forget(old, function, &mut request.wait, reply, finish);
    }
    Ok(())
}

/// Some clients say once more what was logged: it is repeated.
fn stop(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    let (head, data) = request.feature()?;
    function.dma().stop_logging();
    reply.push(head);
    reply.push(data);
    Ok(())
}

/// Tells which pages were written, and forgets them.
fn report(
    function: &mut dyn Function,
    request: &mut Request<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Errno> {
    const HEAD: usize = size_of::<DeviceFeature>() + size_of::<DmaLoggingReport>();
    let (head, data) = request.feature()?;
    let (wanted, rest) = DmaLoggingReport::ref_from_prefix(data).map_err(|_| Errno::EINVAL)?;
    let (iova, length, page_size) =
        (wanted.iova.get(), wanted.length.get(), wanted.page_size.get());
    let last = last_address(iova, length)?;
    if !rest.is_empty() || !function.dma().is_logging() {
        return Err(Errno::EINVAL);
    }
    let size = bitmap_size(length, page_size)?;
    let argsz = u32::try_from(HEAD + size).map_err(|_| Errno::E2BIG)?;
    if head.argsz.get() < argsz {
        return Err(Errno::EINVAL);
    }
    let (head, wanted) = (DeviceFeature { argsz: argsz.into(), ..*head }, *wanted);
    let report = Report::new(iova, page_size, size);
    let sweep = function.dma().sweep(iova, last);
    collect(sweep, report, &mut request.wait, reply, move |reply, report| {
        reply.push(&head);
        reply.push(&wanted);
        reply.push(report.bitmap());
    });
    Ok(())
}
