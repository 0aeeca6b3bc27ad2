//! The rules for what registers do besides holding a value, and for the accesses that a BAR
//! accepts.

use super::text::Arg::{Dec, Hex, Str};
use super::text::Text;
use super::{Check, LayoutError};

/// A wide register has 64 bits, which guests write in halves.
pub const fn wide(register: &str, width: u64) -> Check<'_> {
    if width == 8 { Ok(()) } else { Err(LayoutError::WideWidth { register, width }) }
}

/// A read of half a register does not change the other half.
pub const fn not_torn(register: &str, is_torn: bool) -> Check<'_> {
    if is_torn { Err(LayoutError::TornByRead { register }) } else { Ok(()) }
}

/// A07: a command that clears itself is clear from the start.
pub const fn pulse_reset(register: &str, reset: u64) -> Check<'_> {
    if reset == 0 { Ok(()) } else { Err(LayoutError::PulseReset { register, reset }) }
}

/// The number of domains of soft resets.
pub const SOFT_DOMAINS: u8 = 8;

/// A soft reset has the number of a domain.
///
/// # Errors
///
/// [`LayoutError::SoftDomain`].
pub const fn soft_domain(domain: u64) -> Check<'static> {
    if domain < SOFT_DOMAINS as u64 { Ok(()) } else { Err(LayoutError::SoftDomain { domain }) }
}

/// A grown array had fewer elements in older versions.
///
/// # Errors
///
/// [`LayoutError::Growth`].
pub const fn growth(name: &str, from: u64, count: u64) -> Check<'_> {
    if from < count { Ok(()) } else { Err(LayoutError::Growth { name, from, count }) }
}

/// A doorbell matches values that fit its register.
pub const fn doorbell_value(register: &str, width: u64, value: u64) -> Check<'_> {
    if value & !super::width_mask(width) == 0 {
        return Ok(());
    }
    Err(LayoutError::DoorbellTooWide { register, value, width })
}

/// A09: an array has one lock for all elements, or one for each.
pub const fn lock_elements<'a>(
    register: &'a str,
    count: u64,
    lock: &'a str,
    locks: u64,
) -> Check<'a> {
    if locks == 1 || locks == count {
        return Ok(());
    }
    Err(LayoutError::LockElements { register, count, lock, locks })
}

/// Access sizes are sizes that a bus supports, the smaller one first.
pub const fn access_sizes(bar: u8, smallest: u8, largest: u8) -> Check<'static> {
    if !matches!(smallest, 1 | 2 | 4 | 8) {
        return Err(LayoutError::AccessSize { bar, size: smallest as u64 });
    }
    if !matches!(largest, 1 | 2 | 4 | 8) {
        return Err(LayoutError::AccessSize { bar, size: largest as u64 });
    }
    if smallest > largest {
        return Err(LayoutError::AccessSizes { bar, smallest, largest });
    }
    Ok(())
}

/// A part of a BAR is not empty and lies inside the BAR's `size` bytes.
pub const fn access_range(bar: u8, range: (u64, u64), size: u64) -> Check<'static> {
    let (start, end) = range;
    if start >= end {
        return Err(LayoutError::AccessRangeEmpty { start, end });
    }
    if end > size {
        return Err(LayoutError::AccessRangeOutside { start, end, bar, size });
    }
    Ok(())
}

/// No byte has two sets of access sizes.
pub const fn access_apart(bar: u8, one: (u64, u64), other: (u64, u64)) -> Check<'static> {
    if one.1 <= other.0 || other.1 <= one.0 {
        return Ok(());
    }
    Err(LayoutError::AccessRangesOverlap { bar, one, other })
}

impl LayoutError<'_> {
    pub(super) const fn behaviour_text(&self) -> Text {
        match *self {
            Self::WideWidth { register, width } => Text::format(
                "`wide` needs a 64-bit register; `{}` has {} bits",
                &[Str(register), Dec(width * 8)],
            ),
            Self::TornByRead { register } => Text::format(
                "a read of half of 64-bit register `{}` would change the other half; add `wide`, \
                 which fixes the other half until it is read",
                &[Str(register)],
            ),
            Self::PulseReset { register, reset } => Text::format(
                "singlepulse register `{}` must reset to 0, not {}",
                &[Str(register), Hex(reset)],
            ),
            Self::SoftDomain { domain } => {
                Text::format("there is no soft reset domain {}; domains are 0 to 7", &[Dec(domain)])
            }
            Self::DoorbellTooWide { register, value, width } => Text::format(
                "ioeventfd value {} does not fit in the {}-bit register `{}`",
                &[Hex(value), Dec(width * 8), Str(register)],
            ),
            Self::Growth { name, from, count } => Text::format(
                "`{}` has {} elements, so it has not grown from {}",
                &[Str(name), Dec(count), Dec(from)],
            ),
            Self::LockTarget { register } => {
                Text::format("the lock of register `{}` is no register", &[Str(register)])
            }
            Self::LockField { target } => Text::format(
                "lock target `{}` does not exist: the register has no such field",
                &[Str(target)],
            ),
            Self::LockElements { register, count, lock, locks } => Text::format(
                "lock target `{}` has {} elements, but `{}` has {}",
                &[Str(lock), Dec(locks), Str(register), Dec(count)],
            ),
            _ => self.access_text(),
        }
    }

    const fn access_text(&self) -> Text {
        match *self {
            Self::AccessSize { bar, size } => Text::format(
                "BAR {} cannot accept accesses of {} bytes; sizes are 1, 2, 4 and 8",
                &[Dec(bar as u64), Dec(size)],
            ),
            Self::AccessSizes { bar, smallest, largest } => Text::format(
                "BAR {} would accept nothing: sizes {}..={} are empty; write {}..={}",
                &[
                    Dec(bar as u64),
                    Dec(smallest as u64),
                    Dec(largest as u64),
                    Dec(largest as u64),
                    Dec(smallest as u64),
                ],
            ),
            Self::AccessRangeEmpty { start, end } => {
                Text::format("access range {}..{} is empty", &[Hex(start), Hex(end)])
            }
            Self::AccessRangeOutside { start, end, bar, size } => Text::format(
                "access range {}..{} does not fit in BAR {} (size {})",
                &[Hex(start), Hex(end), Dec(bar as u64), Hex(size)],
            ),
            Self::AccessRangesOverlap { bar, one, other } => Text::format(
                "access range {}..{} of BAR {} overlaps {}..{}",
                &[Hex(one.0), Hex(one.1), Dec(bar as u64), Hex(other.0), Hex(other.1)],
            ),
            Self::NotAlone { register, offset, bar } => Text::format(
                "BAR {} accepts no access that reaches `{}` at {} alone; leave it out of the \
                 driver: `driver = skip`",
                &[Dec(bar as u64), Str(register), Hex(offset)],
            ),
            _ => self.memory_text(),
        }
    }
}
