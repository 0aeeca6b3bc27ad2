//! `VFIO_USER_DEVICE_FEATURE`: features beyond regions and interrupts.

use zerocopy::FromBytes;

use super::dirty::sweep_on;
use super::unmap::bitmap_size;
use super::{Handler, Request, migration};
use crate::dma::{Report, ShownPages, Sweep, last_address};
use crate::function::Function;
use crate::protocol::{
    DeviceFeature, DmaLoggingRange, DmaLoggingReport, DmaLoggingStart, Errno, Feature,
    FeatureFlags, PAGE_SIZE,
};
use crate::transport::Reply;

/// Gets or sets a feature; the reply is empty, and receives the head as well.
type Operation = Handler;

/// The operations of a feature.
#[derive(Clone, Copy, Default)]
struct Operations {
    get: Option<Operation>,
    set: Option<Operation>,
}

/// The features that only devices have that migrate.
const MIGRATION: [Feature; 3] = [Feature::Migration, Feature::MigDeviceState, Feature::MigDataSize];

/// Returns the operations of a feature.
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
    let (number, wanted) = FeatureFlags::split(head.flags.get()).ok_or(Errno::EINVAL)?;
    let feature = Feature::try_from(number).map_err(|_| Errno::ENOTTY)?;
    if MIGRATION.contains(&feature) && function.migration_state().is_none() {
        return Err(Errno::ENOTTY);
    }
    // As in the kernel, a feature that the device lacks has another error than an operation that a
    // feature lacks.
    let Operations { get, set } = operations(feature);
    let missing = (wanted.contains(FeatureFlags::GET) && get.is_none())
        || (wanted.contains(FeatureFlags::SET) && set.is_none());
    if missing {
        return Err(Errno::EINVAL);
    }
    // A reply without data repeats the request.
    let is_get = wanted == FeatureFlags::GET;
    let least = if is_get { size_of::<DeviceFeature>() } else { request.payload.len() };
    if (head.argsz.get() as usize) < least {
        return Err(Errno::EINVAL);
    }
    if wanted.contains(FeatureFlags::PROBE) {
        reply.push(request.payload);
        return Ok(());
    }
    let operation = if is_get { get } else { set }.ok_or(Errno::EINVAL)?;
    operation(function, request, reply)
}

/// Starts the log. The log is always of pages of one size, and of all memory, whatever page size
/// and ranges the client requests: logging more than requested is allowed.
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
        function.shown_pages().into_iter().for_each(ShownPages::clear);
        reply.push(&head);
        reply.push(&start);
        reply.push(&ranges[..]);
    };
    if function.dma().is_logging() {
        finish(function, reply);
    } else {
        // The marks of an earlier log.
        let old = function.dma().sweep(0, u64::MAX);
        let blocked = &mut request.blocked;
        sweep_on(old, Sweep::forget, function, blocked, reply, move |_, function, reply| {
            finish(function, reply);
        });
    }
    Ok(())
}

/// Stops the log. Some clients list the logged ranges once more, and the reply repeats them.
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

/// Reports which pages were written, and clears their marks.
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
    let reach = if function.shown_pages().is_some() { report.reach() } else { last };
    let found = (function.dma().sweep(iova, reach), report);
    let step = |(sweep, report): &mut (Sweep, Report)| sweep.report(report);
    let finish = move |found, function: &mut dyn Function, reply: &mut Reply<'_>| {
        let (_, mut report): (Sweep, Report) = found;
        if let Some(shown) = function.shown_pages() {
            shown.complete(iova..=last, &mut report);
        }
        reply.push(&head);
        reply.push(&wanted);
        reply.push(report.bitmap());
    };
    sweep_on(found, step, function, &mut request.blocked, reply, finish);
    Ok(())
}
