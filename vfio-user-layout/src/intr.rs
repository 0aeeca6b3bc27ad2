//! The rules of interrupts that are composed from registers.

use super::{Check, LayoutError};

/// I01: an enable or mask register has a bit for every bit of the status.
pub const fn intr_width<'a>(
    register: &'a str,
    width: u64,
    status: &'a str,
    status_width: u64,
) -> Check<'a> {
    if width == status_width {
        return Ok(());
    }
    Err(LayoutError::IntrWidth { register, width, status, status_width })
}

/// I02: software can clear the bits of an event interrupt.
pub const fn intr_event(status: &str, is_clearable: bool) -> Check<'_> {
    if is_clearable { Ok(()) } else { Err(LayoutError::IntrEvent { status }) }
}

/// I02: only the device changes the bits of a level interrupt.
pub const fn intr_level(status: &str, writable: u64) -> Check<'_> {
    if writable == 0 { Ok(()) } else { Err(LayoutError::IntrLevel { status }) }
}

/// I03, X07: the device has an interrupt of this number.
pub const fn intr_vector(status: &str, vector: u64, sources: u64) -> Check<'_> {
    if sources == 0 {
        return Err(LayoutError::IntrNowhere { status });
    }
    if vector < sources { Ok(()) } else { Err(LayoutError::IntrVector { vector, sources }) }
}
