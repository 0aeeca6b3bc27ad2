//! The device's driver at work.

use std::time::Duration;

use vfio_user::client::{DmaBuffer, PciView, Vectors};

use crate::device::{COPIED, COPY, CopierDriver, Status};
use crate::screen::{call, line};
use crate::{Result, expect};

type Driver<'a> = CopierDriver<&'a PciView>;

/// A register that identifies the device, and one that stores.
pub(crate) fn registers(copier: &mut Driver<'_>) -> Result<()> {
    let id = copier.id()?;
    let text: String = id.to_be_bytes().map(char::from).iter().collect();
    call("copier.id()", format_args!("{id:#x}, {text:?}"));
    copier.set_scratch(0x1234_5678)?;
    copier.update_scratch(|scratch| *scratch |= 0xff00)?;
    let scratch = copier.scratch()?;
    call("copier.update_scratch(|s| *s |= ..)", format_args!("now {scratch:#x}"));
    expect(id == COPY && scratch == 0x1234_ff78, "registers have their values")
}

/// Puts work into memory, starts the device, and waits for the interrupt.
pub(crate) fn copy(copier: &mut Driver<'_>, memory: &DmaBuffer, vectors: &Vectors) -> Result<()> {
    const WORK: &[u8] = b"bytes that the device has to copy";
    memory.write(0, WORK)?;
    let (source, target) = (memory.iova(), memory.iova() + 0x1000);
    copier.set_source(source)?;
    copier.set_target(target)?;
    copier.set_length(u32::try_from(WORK.len())?)?;
    copier.set_start(1)?;
    let count = vectors[COPIED].wait(Duration::from_secs(30))?.ok_or("no interrupt came")?;
    call("copier.set_start(1)", format_args!("{count} interrupt"));

    let status = copier.status()?;
    call("copier.status()", format_args!("{status:?}"));
    let mut copy = vec![0; WORK.len()];
    memory.read(0x1000, &mut copy)?;
    line(format_args!("our memory at {target:#x}: {:?}", String::from_utf8_lossy(&copy)));
    expect(copy == WORK && status == Status { done: true, failed: false }, "the device copies")?;

    copier.clear_status(status)?;
    let status = copier.status()?;
    call("copier.clear_status(status)", format_args!("{status:?}"));
    expect(status == Status::default(), "ones clear the status")
}
