//! The rules of PCI Express: links, payloads, and what conventional functions alone have.

use super::text::Arg::{Dec, Str};
use super::text::Text;
use super::{Check, LayoutError};

/// C06: the generation of a link, from 1 for 2.5 GT/s to 6 for 64 GT/s.
pub const fn link_speed(generation: u64) -> Check<'static> {
    match generation {
        1..=6 => Ok(()),
        _ => Err(LayoutError::LinkSpeed { generation }),
    }
}

/// C06: the number of lanes of a link.
pub const fn link_width(lanes: u64) -> Check<'static> {
    match lanes {
        1 | 2 | 4 | 8 | 12 | 16 | 32 => Ok(()),
        _ => Err(LayoutError::LinkWidth { lanes }),
    }
}

/// C06: the bytes of data that a packet may carry.
pub const fn max_payload(bytes: u64) -> Check<'static> {
    match bytes {
        128 | 256 | 512 | 1024 | 2048 | 4096 => Ok(()),
        _ => Err(LayoutError::MaxPayload { bytes }),
    }
}

/// C06: a property of a link belongs to a function that has one.
pub const fn link_exists(option: &str, is_integrated: bool) -> Check<'_> {
    if is_integrated { Err(LayoutError::NoLink { option }) } else { Ok(()) }
}

/// P11: latencies on a parallel bus belong to a function that is on one.
pub const fn on_parallel_bus(option: &str, is_express: bool) -> Check<'_> {
    if is_express { Err(LayoutError::LatencyOfExpress { option }) } else { Ok(()) }
}

impl LayoutError<'_> {
    pub(super) const fn express_text(&self) -> Text {
        match *self {
            Self::LinkSpeed { generation } => Text::format(
                "the speed of a link is its generation, 1 (2.5 GT/s) to 6 (64 GT/s); {} is none",
                &[Dec(generation)],
            ),
            Self::LinkWidth { lanes } => {
                Text::format("a link has 1, 2, 4, 8, 12, 16 or 32 lanes, not {}", &[Dec(lanes)])
            }
            Self::MaxPayload { bytes } => Text::format(
                "the payload of a packet is limited to 128, 256, 512, 1024, 2048 or 4096 bytes, \
                 not {}",
                &[Dec(bytes)],
            ),
            Self::NoLink { option } => {
                Text::format("an integrated endpoint has no link; drop `{}`", &[Str(option)])
            }
            Self::LatencyOfExpress { option } => Text::format(
                "`{}` is of conventional functions; it reads zero in a PCI Express function",
                &[Str(option)],
            ),
            _ => self.region_text(),
        }
    }
}
