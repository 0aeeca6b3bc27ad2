//! Places in a device: `bar0+0x10`, `config+4`, or the name of a register.

use std::str::FromStr;

use vfio_user::protocol::RegionIndex;

/// A place, as a command line has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    At(Offset),
    /// A register, an element of one, or a register of a block: `status`, `data[3]`,
    /// `queues[2].tail`.
    Named(String),
}

/// A byte of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Offset {
    pub(crate) region: RegionIndex,
    pub(crate) offset: u64,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (region, offset) = text.split_once('+').unwrap_or((text, "0"));
        match self::region(region) {
            Some(region) => Ok(Place::At(Offset { region, offset: number(offset)? })),
            None if text.contains('+') => Err(format!("`{region}` is no region; {REGIONS}")),
            None if text.is_empty() => Err("a place is missing".into()),
            None => Ok(Place::Named(text.into())),
        }
    }
}

const REGIONS: &str = "accepted are bar0 to bar5, rom, config, vga and region9 onwards";

/// Returns the region of a name such as `bar0`.
pub(crate) fn region(name: &str) -> Option<RegionIndex> {
    match name {
        "rom" => return Some(RegionIndex::Rom),
        "config" => return Some(RegionIndex::Config),
        "vga" => return Some(RegionIndex::Vga),
        _ => {}
    }
    let bar = name.strip_prefix("bar").map(|index| (index, 0..6));
    let any = name.strip_prefix("region").map(|index| (index, 9..u32::MAX));
    let (index, accepted) = bar.or(any)?;
    let index = index.parse::<u32>().ok().filter(|index| accepted.contains(index))?;
    Some(index.into())
}

/// Parses a name of a region.
pub(crate) fn parse_region(name: &str) -> Result<RegionIndex, String> {
    region(name).ok_or_else(|| format!("`{name}` is no region; {REGIONS}"))
}

/// Parses a number, decimal or hexadecimal.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is not a number such as 16 or 0x10"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_regions_with_offsets_or_names() {
        let at = |region, offset| Ok(Place::At(Offset { region, offset }));
        assert_eq!("bar0+0x10".parse(), at(RegionIndex::Bar0, 16));
        assert_eq!("bar5".parse(), at(RegionIndex::Bar5, 0));
        assert_eq!("config+4".parse(), at(RegionIndex::Config, 4));
        assert_eq!("region9+1".parse(), at(RegionIndex::Specific(0), 1));
        assert_eq!("queues[2].tail".parse(), Ok(Place::Named("queues[2].tail".into())));
        assert_eq!("bar6".parse(), Ok(Place::Named("bar6".into())));
        for wrong in ["", "bar6+0", "bar0+", "bar0+x", "bar0+0x1_0", "status+4"] {
            wrong.parse::<Place>().unwrap_err();
        }
    }
}
