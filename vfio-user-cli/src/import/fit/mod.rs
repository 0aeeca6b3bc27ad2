//! Makes a PCI device of a register map: BARs, and what can lie in them.
//!
//! What the language cannot express is left out or replaced by what comes closest, with a note.

mod block;
mod field;
mod register;
mod space;

use super::map::{Array, Bar, Group, Map, Node, Pci, Register, Space};
use super::problem::Problem;
pub(super) use block::Block;
pub(super) use register::is_torn;
use space::Taken;

/// A device whose declaration compiles.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) pci: Pci,
    /// Names are Rust's.
    pub(super) is_own: bool,
    pub(super) parts: Vec<Part>,
    /// Which space each BAR is.
    pub(super) spaces: Vec<String>,
    /// What has been left out.
    pub(super) notes: Vec<String>,
    /// How many arrays in arrays may still be repeated.
    repeatable: u64,
}

/// A register or a block, and where it lies.
#[derive(Debug)]
pub(super) struct Part {
    /// The name of the space.
    pub(super) space: String,
    pub(super) place: Place,
    pub(super) item: Item,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Bar(u8),
    Config,
}

#[derive(Debug)]
pub(super) enum Item {
    Register(Register),
    Block(Block),
}

/// Ids of a device that the file does not give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    pub(super) vendor: u32,
    pub(super) device: u32,
    pub(super) class: u32,
}

/// The smallest BAR that is made for a space: a page.
const PAGE: u64 = 0x1000;
/// The largest BAR with 32 bits.
const LARGEST_32: u64 = 1 << 31;

/// Fits a map into a device.
pub(super) fn fit(map: Map, ids: Ids) -> Result<Device, Problem> {
    let is_own = map.pci.is_some();
    let name = match map.spaces.as_slice() {
        [space] if !is_own => space.name.clone(),
        _ => map.name.clone(),
    };
    let places = match &map.pci {
        Some(pci) => exported(&map.spaces, pci)?,
        None => assigned(&map.spaces)?,
    };
    let bars = places.iter().filter_map(|(_, _, bar)| bar.clone()).collect();
    let pci = map.pci.unwrap_or(Pci {
        vendor: ids.vendor.into(),
        device: ids.device.into(),
        class: ids.class.into(),
        revision: 0,
        subsystem: (0, 0),
        is_express: false,
        bars,
        memories: Vec::new(),
        unmodelled: Vec::new(),
    });
    let (parts, spaces, notes) = (Vec::new(), Vec::new(), Vec::new());
    let repeatable = space::REPEATED;
    let mut device = Device { name, doc: map.doc, pci, is_own, parts, spaces, notes, repeatable };
    let mut taken = Vec::<(Place, Taken)>::new();
    for (space, (place, start, _)) in map.spaces.into_iter().zip(places) {
        if !is_own {
            device.describe(&space, place);
        }
        let at = taken.iter().position(|(one, _)| *one == place).unwrap_or_else(|| {
            taken.push((place, Taken::default()));
            taken.len() - 1
        });
        device.space(space, place, start, &mut taken[at].1);
    }
    Ok(device)
}

/// Returns where the spaces of an export lie, from their names: `BAR0`, `BAR2_WINDOW1`, `CONFIG`.
fn exported(spaces: &[Space], pci: &Pci) -> Result<Vec<(Place, u64, Option<Bar>)>, Problem> {
    let one = |space: &Space| {
        if space.name == "CONFIG" {
            return Ok((Place::Config, 0, None));
        }
        let (index, window) = match space.name.split_once("_WINDOW") {
            Some((name, window)) => (name, window.parse::<u32>().ok()),
            None => (space.name.as_str(), Some(0)),
        };
        let index = index.strip_prefix("BAR").and_then(|index| index.parse().ok());
        let bar = pci.bars.iter().find(|bar| Some(bar.index) == index);
        let (Some(bar), Some(window)) = (bar, window) else {
            let message = format!("peripheral `{}` is none of the BARs of the device", space.name);
            return Err(Problem::of_file(message));
        };
        Ok((Place::Bar(bar.index), u64::from(window) << 32, Some(bar.clone())))
    };
    spaces.iter().map(one).collect()
}

/// Makes each space a BAR.
fn assigned(spaces: &[Space]) -> Result<Vec<(Place, u64, Option<Bar>)>, Problem> {
    let (mut places, mut index) = (Vec::new(), 0);
    for space in spaces {
        let size = size(space).max(PAGE).checked_next_power_of_two();
        let size = size
            .filter(|size| *size <= 1 << 40)
            .ok_or_else(|| Problem::of_file(format!("`{}` is larger than 1 TiB", space.name)))?;
        let (kind, width) = if size > LARGEST_32 { ("mem64", 2) } else { ("mem32", 1) };
        if index + width > 6 {
            return Err(Problem::of_file("a PCI function has 6 BARs at most"));
        }
        let bar = Bar { index, kind, size, is_prefetchable: false };
        places.push((Place::Bar(index), 0, Some(bar)));
        index += width;
    }
    Ok(places)
}

/// Returns how far a space reaches.
fn size(space: &Space) -> u64 {
    ends(&space.nodes).max(space.size)
}

fn ends(nodes: &[Node]) -> u64 {
    let end = |node: &Node| {
        let (array, size) = match node {
            Node::Register(register) => {
                (register.array, register.bits.div_ceil(8).next_power_of_two())
            }
            Node::Group(group) => (group.array, ends(&group.nodes)),
        };
        let steps = array
            .map_or(0, |Array { count, stride }| count.saturating_sub(1).saturating_mul(stride));
        node.offset().saturating_add(steps).saturating_add(size)
    };
    nodes.iter().map(end).max().unwrap_or(0)
}

impl Device {
    /// Returns all that the declaration does not express, with the names of what it is about.
    pub(super) fn all_notes(&self) -> Vec<String> {
        let mut all = self.notes.clone();
        for part in &self.parts {
            match &part.item {
                Item::Register(register) => of_register(register, "", &mut all),
                Item::Block(block) => of_block(block, "", &mut all),
            }
        }
        all
    }

    /// Notes which space a BAR is.
    fn describe(&mut self, space: &Space, place: Place) {
        if let Place::Bar(index) = place {
            let doc = space.doc.replace('\n', " ");
            let doc = if doc.is_empty() { String::new() } else { format!(": {doc}") };
            self.spaces.push(format!("BAR {index} is {}{doc}", space.name));
        }
    }

    fn space(&mut self, space: Space, place: Place, start: u64, taken: &mut Taken) {
        let name = space.name;
        for mut node in space.nodes {
            match &mut node {
                Node::Register(register) => register.offset = register.offset.saturating_add(start),
                Node::Group(group) => group.offset = group.offset.saturating_add(start),
            }
            match node {
                Node::Register(register) => self.register(register, place, taken, &name),
                Node::Group(group) => self.group(group, place, taken, &name),
            }
        }
    }

    fn register(&mut self, register: Register, place: Place, taken: &mut Taken, around: &str) {
        let name = register.name.clone();
        let fitted = register::fit(register, self.is_own);
        let fitted = match fitted {
            Ok(register) if self.overlay(&register, place) => {
                let item = Item::Register(Register { is_overlaid: true, ..register });
                return self.push(around, place, item);
            }
            fitted => fitted,
        };
        match fitted.and_then(|register| taken.register(&register).map(|()| register)) {
            Ok(register) => self.push(around, place, Item::Register(register)),
            Err(reason) => self.notes.push(format!("left out {around}.{name}: {reason}")),
        }
    }

    /// Lets a register share the place of another one, if that is only read and this one only
    /// written, or the other way round. Returns whether it does.
    fn overlay(&mut self, register: &Register, place: Place) -> bool {
        let Some(direction) = register::direction(register) else { return false };
        let parts = self.parts.iter_mut().filter(|part| part.place == place);
        let mut registers = parts.filter_map(|part| match &mut part.item {
            Item::Register(other) => Some(other),
            Item::Block(_) => None,
        });
        let extent = |one: &Register| (one.offset, one.bits, one.array);
        let other = registers.find(|other| extent(other) == extent(register));
        let other = other
            .filter(|other| !other.is_overlaid && register::direction(other) == Some(!direction));
        let Some(other) = other else { return false };
        other.is_overlaid = true;
        true
    }

    fn push(&mut self, space: &str, place: Place, item: Item) {
        self.parts.push(Part { space: space.to_owned(), place, item });
    }

    /// Adds a group as a block, or else its registers one by one.
    fn group(&mut self, group: Group, place: Place, taken: &mut Taken, around: &str) {
        if let Some(block) = Block::new(&group, self.is_own, 0)
            && taken.block(&block).is_ok()
        {
            self.push(around, place, Item::Block(block));
            return;
        }
        let name = format!("{around}.{}", group.name);
        self.notes.extend(group.notes.iter().map(|note| format!("{name}: {note}")));
        if group.nodes.is_empty() {
            self.notes.push(format!("left out {name}: it contains no register"));
            return;
        }
        self.notes.push(format!(
            "{name} cannot be a block, because it shares its bytes, or contains more than {} levels \
             of groups: its registers are declared one by one",
            block::MOST_AROUND
        ));
        for node in space::flatten(group, &mut self.repeatable) {
            match node {
                Node::Register(register) => self.register(register, place, taken, around),
                Node::Group(group) => self.notes.push(format!(
                    "left out {around}.{}: an array in an array, of too many elements",
                    group.name
                )),
            }
        }
    }
}

fn of_block(block: &Block, around: &str, all: &mut Vec<String>) {
    let name = format!("{around}{}", block.name);
    all.extend(block.notes.iter().map(|note| format!("{name}: {note}")));
    let around = format!("{name}.");
    block.registers.iter().for_each(|register| of_register(register, &around, all));
    block.blocks.iter().for_each(|inner| of_block(inner, &around, all));
}

fn of_register(register: &Register, around: &str, all: &mut Vec<String>) {
    let name = format!("{around}{}", register.name);
    all.extend(register.notes.iter().map(|note| format!("{name}: {note}")));
    for field in &register.fields {
        all.extend(field.notes.iter().map(|note| format!("{name}.{}: {note}", field.name)));
    }
}
