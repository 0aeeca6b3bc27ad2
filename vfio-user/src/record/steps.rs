//! The calls of a device and the changes by its client, made again.

use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::recorded::{answer, refusal};
use crate::device::PciDevice;
use crate::dma::{Completed, NewRegion, Rights, Transfers};
use crate::eventfd::EventFd;
use crate::function::{BackgroundWork as _, Function, Migrate as _, PciFunction};
use crate::protocol::{
    Capabilities, Header, IrqAction, IrqIndex, MAX_DATA_XFER_SIZE, MigrationState, RegionFlags,
    RegionIndex,
};
use crate::serving::while_serving;
use crate::tape::{Act, Call, Entry, Outcome, Output, RegionKind};

/// What is wrong with an entry.
type Problem = String;

/// Makes a call, and returns how it ends.
///
/// # Errors
///
/// If no server makes such a call.
pub(super) fn call<D: PciDevice>(
    function: &mut PciFunction<D>,
    call: &Call,
) -> Result<Outcome, Problem> {
    check(function, call)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| while_serving(|| make(function, call))));
    Ok(outcome.unwrap_or(Outcome::Panicked))
}

/// Checks what a server checks.
fn check<D: PciDevice>(function: &PciFunction<D>, call: &Call) -> Result<(), Problem> {
    match call {
        Call::Read { region, offset, len } => {
            check_access(function, *region, *offset, u64::from(*len), RegionFlags::READ)
        }
        Call::Write { region, offset, data } => {
            check_access(function, *region, *offset, data.len() as u64, RegionFlags::WRITE)
        }
        Call::Divides { region, is_write, start, end } => {
            let wanted = if *is_write { RegionFlags::WRITE } else { RegionFlags::READ };
            let len = end.checked_sub(*start).ok_or("its range is reversed")?;
            check_access(function, *region, *start, len, wanted)
        }
        Call::ReadState { len } if *len as usize > MAX_DATA_XFER_SIZE => {
            Err(format!("{len} bytes of state in one read"))
        }
        Call::Migrate { target } => {
            MigrationState::try_from(*target).map(drop).map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}

fn check_access<D: PciDevice>(
    function: &PciFunction<D>,
    region: u32,
    offset: u64,
    len: u64,
    wanted: RegionFlags,
) -> Result<(), Problem> {
    let index = RegionIndex::from(region);
    let region = function.region(index);
    let fits = offset.checked_add(len).is_some_and(|end| end <= region.size);
    if fits && len <= MAX_DATA_XFER_SIZE as u64 && region.flags.contains(wanted) {
        return Ok(());
    }
    Err(format!("{index} has no {len} bytes at {offset:#x} for it"))
}

fn make<D: PciDevice>(function: &mut PciFunction<D>, call: &Call) -> Outcome {
    match call {
        Call::Read { region, offset, len } => {
            let mut data = vec![0; *len as usize];
            let read = function.read(RegionIndex::from(*region), *offset, &mut data);
            read.map_or_else(|errno| refusal::<()>(&Err(errno)), |()| Outcome::Data(data.into()))
        }
        Call::Write { region, offset, data } => {
            refusal(&function.write(RegionIndex::from(*region), *offset, data))
        }
        Call::Divides { region, is_write, start, end } => {
            answer(function.divides(RegionIndex::from(*region), *is_write, *start..*end))
        }
        Call::Migrate { target } => MigrationState::try_from(*target)
            .map_or(Outcome::Done, |target| refusal(&function.migrate(target))),
        Call::ReadState { len } => refusal(&function.read_state(&mut vec![0; *len as usize])),
        Call::WriteState { data } => refusal(&function.write_state(data)),
        Call::ContinueState => answer(function.continue_state()),
        other => {
            make_plain(function, other);
            Outcome::Done
        }
    }
}

/// Makes a call that returns nothing.
fn make_plain<D: PciDevice>(function: &mut PciFunction<D>, call: &Call) {
    match call {
        Call::Reset => function.reset(),
        Call::ResetAsWanted => function.reset_as_wanted(),
        Call::Connected => function.connected(),
        Call::Disconnected => function.disconnected(),
        Call::DmaMapped { first, last } => function.dma_mapped(*first..=*last),
        Call::DmaUnmapped { first, last } => function.dma_unmapped(*first..=*last),
        Call::IrqsChanged => function.irqs_changed(),
        Call::Quiesce => function.quiesce(),
        Call::Stop => function.stop(),
        Call::Resume => function.resume(),
        Call::CancelLoad => function.cancel_load(),
        Call::CatchUp => function.catch_up(),
        Call::Work => function.work(),
        // A removal only logs; the others return something.
        _ => {}
    }
}

/// Makes a change as the client does.
///
/// # Errors
///
/// If no client can make such a change.
pub(super) fn act<D: PciDevice>(function: &mut PciFunction<D>, act: &Act) -> Result<(), Problem> {
    match act {
        Act::Map { first, last, rights, kind } => map(function, (*first, *last), *rights, *kind)?,
        Act::Unmap { first, last } => {
            function.dma().take(*first, *last).map_err(|errno| errno.to_string())?;
            function.interrupts().settle();
        }
        Act::PauseDma => drop(function.dma().pause()),
        Act::UnpauseDma => function.dma().unpause(),
        Act::EndDma => function.dma().end_session(),
        Act::LeaveDma => drop(function.dma().disconnect()),
        Act::Attach { max_data, probes } => {
            let client = Capabilities {
                max_data_xfer_size: *max_data,
                write_multiple: *probes,
                ..Capabilities::default()
            };
            function.dma().transfers().attach(&client);
        }
        Act::Detach => complete(function, Transfers::detach),
        Act::Expire => complete(function, Transfers::expire_all),
        Act::Reply { header, payload } => {
            let header: Header = zerocopy::transmute!(*header);
            complete(function, |transfers| {
                transfers.answer(&header, payload.as_ref().map(|p| &p[..]))
            });
        }
        other => act_on_irqs(function, other)?,
    }
    Ok(())
}

fn map<D: PciDevice>(
    function: &PciFunction<D>,
    range: (u64, u64),
    rights: u8,
    kind: RegionKind,
) -> Result<(), Problem> {
    let rights = Rights::from_bits(rights).filter(|rights| !rights.is_empty());
    let rights = rights.ok_or("the rights of the map are unknown")?;
    let region = NewRegion::replayed(range, rights, kind);
    let added = region.and_then(|region| function.dma().add(region));
    added.map(drop).map_err(|errno| format!("the map fails: {errno}"))
}

fn complete<D: PciDevice, I: IntoIterator<Item = Completed>>(
    function: &PciFunction<D>,
    change: impl FnOnce(&Transfers) -> I,
) {
    let completed: Vec<_> = change(function.dma().transfers()).into_iter().collect();
    while_serving(|| completed.into_iter().for_each(Completed::report));
    function.interrupts().settle();
}

fn act_on_irqs<D: PciDevice>(function: &PciFunction<D>, act: &Act) -> Result<(), Problem> {
    let interrupts = function.interrupts();
    let range = |index: u32, start: u32, count: u32| {
        let index = IrqIndex::try_from(index).map_err(|error| error.to_string())?;
        let fits = start.checked_add(count).is_some_and(|end| end <= interrupts.count(index));
        if fits { Ok(index) } else { Err(format!("{index} has no {count} vectors at {start}")) }
    };
    match act {
        Act::Assign { index, start, count } => {
            let index = range(*index, *start, *count)?;
            assign(function, index, *start, *count).map_err(|error| error.to_string())?;
        }
        Act::Deassign { index, start, count } => {
            interrupts.deassign(range(*index, *start, *count)?, *start, *count);
        }
        Act::DisableIrqs { index } => interrupts.disable(range(*index, 0, 0)?),
        Act::Mask { index, vectors, masked } => {
            let action = if *masked { IrqAction::Mask } else { IrqAction::Unmask };
            interrupts.act(range(*index, 0, 0)?, action, vectors.iter().copied());
        }
        Act::EndIrqs => interrupts.end_session(),
        Act::LeaveIrqs => interrupts.disconnect(),
        _ => {}
    }
    Ok(())
}

fn assign<D: PciDevice>(
    function: &PciFunction<D>,
    index: IrqIndex,
    start: u32,
    count: u32,
) -> Result<(), crate::error::Error> {
    // The signals are compared; no one receives them.
    let eventfd = EventFd::new()?;
    let fds = (0..count).map(|_| eventfd.try_clone().map(OwnedFd::from));
    let fds = fds.collect::<Result<Vec<_>, _>>()?;
    function.interrupts().assign(index, start, fds.into())?;
    Ok(())
}

/// Returns whether an entry is a request to the client, which is sent between calls.
pub(super) fn is_request(entry: &Entry) -> bool {
    matches!(entry, Entry::Output(Output::Request { .. }))
}

/// Sends the next request of a device to no one, and returns it.
pub(super) fn send<D: PciDevice>(function: &PciFunction<D>) -> Option<Output> {
    let mut sent = None;
    function.dma().transfers().send_next(|header, parts| {
        let payload = parts.concat().into();
        sent = Some(Output::Request { command: header.command.get(), payload });
    });
    sent
}
