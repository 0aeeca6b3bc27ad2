//! The state of a hosted device: saved as a whole, loaded as a whole or not at all.

mod file;
mod identity;
mod latched;
mod memory;
mod private;
mod stream;
mod timers;
mod watched;

use super::Hosted;
use crate::bus::States;
use crate::device::{PciDevice, Timer};
use crate::interrupt::SavedInterrupts;
use crate::migration::{
    Exchange, MAX_STATE, OldState, Plain, Section, SectionsWriter, Shape, StateError, StateLayout,
    StateReader, StateWriter, sections,
};
use crate::model::{Descriptor, Register, Slot};
use crate::pci::{ConfigSpace, ConfigState, MsixTable};
pub(super) use memory::unsent;
pub(super) use stream::{Loading, Saving};

const DEVICE: &str = "device";
const REGISTERS: &str = "registers";
const FUNCTION: &str = "function";
/// Registers are integers, whatever their width.
const U64: Shape = Shape::Plain(Plain::U64);
/// What the runtime keeps has versions of its own.
const FUNCTION_LAYOUT: StateLayout = StateLayout::new(1, 1, &[]);

/// All that a state holds, decoded and found to be right.
struct Loaded<D> {
    /// Private fields: those of the device, and of each block.
    private: Vec<Exchange<D>>,
    registers: Vec<(Slot, u64)>,
    config: ConfigState,
    msix: MsixTable,
    states: States,
    interrupts: SavedInterrupts,
    /// Of each timer, by its place.
    timers: Vec<Timer>,
    /// Of each watched register, what has been seen of it.
    seen: Vec<u64>,
    /// Fields and sections that are left out: this version does not have them, and does not need to.
    unknown: usize,
}

impl<D: PciDevice> Hosted<D> {
    fn layout(&self) -> Result<&StateLayout, StateError> {
        self.descriptor.state().ok_or(StateError::NotMigratable(self.descriptor.name()))
    }

    pub(super) fn save_state(&self) -> Result<Vec<u8>, StateError> {
        let layout = self.layout()?;
        let mut writer = SectionsWriter::default();
        let mut out = StateWriter::new(&mut writer, DEVICE, layout);
        self.device.save_private(&mut out)?;
        out.finish();
        let mut out = StateWriter::new(&mut writer, REGISTERS, layout);
        for column in columns(self.descriptor.declared_registers(), None) {
            self.save_column(&mut out, &column)?;
        }
        out.finish();
        for (place, block) in self.descriptor.declared_blocks().iter().enumerate() {
            let (id, layout) = (block_id(block.name()), block_layout(&self.descriptor, place)?);
            let mut out = StateWriter::new(&mut writer, &id, layout);
            for column in columns(block.declared_registers(), Some((place, block.count()))) {
                self.save_column(&mut out, &column)?;
            }
            self.device.save_block(place, &mut out)?;
            out.finish();
        }
        let mut out = StateWriter::new(&mut writer, FUNCTION, &FUNCTION_LAYOUT);
        self.save_function(&mut out)?;
        out.finish();
        self.save_timers(&mut writer)?;
        let state = writer.finish();
        let len = state.len();
        if len > MAX_STATE {
            return Err(StateError::TooLarge(len));
        }
        let is_large = len > MAX_STATE / 2;
        if let Some(count) = is_large.then(|| self.migration.large.tell()).flatten() {
            tracing::warn!(
                len,
                count,
                "the state is large: at most {MAX_STATE} bytes can be saved"
            );
        }
        Ok(state)
    }

    fn save_column(&self, out: &mut StateWriter<'_>, column: &Column) -> Result<(), StateError> {
        let register = column.register;
        let name = register.name();
        let bits = |slot| self.device.load(slot) & register.implemented();
        let values: Vec<u64> = column.slots().map(bits).collect();
        if let Some(added) = register.declared_since() {
            let defaults = vec![added.default; values.len()];
            return if column.is_single() {
                out.put_new(name, added.since, &U64, &values[0], &added.default)
            } else {
                out.put_new(name, added.since, &Shape::many(U64), &values[..], &defaults[..])
            };
        }
        if column.is_single() {
            return out.put_as(name, &U64, &values[0]);
        }
        out.put_as(name, &Shape::many(U64), &values[..])
    }

    /// What the runtime keeps.
    fn save_function(&self, out: &mut StateWriter<'_>) -> Result<(), StateError> {
        let config = self.config.save();
        out.put_bytes("config", &config.bytes)?;
        out.put_named("command_used", &config.used)?;
        out.put_bytes("vpd", &config.vpd)?;
        out.put_as("msix_table", &Shape::many(U64), self.msix.quadwords())?;
        out.put_named("msix_table_touched", &self.msix.is_touched())?;
        let interrupts = self.runtime.interrupts.save();
        out.put_named("asserted", &interrupts.asserted)?;
        out.put_named("pending_msi", &interrupts.pending_msi)?;
        out.put_named("pending_msix", &interrupts.pending_msix)?;
        out.put_named("pending_intx", &interrupts.pending_line)?;
        self.save_states(out)?;
        self.save_unseen(out)
    }

    fn decode(&self, state: &[u8]) -> Result<Loaded<D>, StateError> {
        let layout = self.layout()?;
        let mut sections = sections(state)?;
        let old = converted::<D>(&sections, layout)?;
        if let Some(old) = &old {
            sections = old.sections();
        }
        let mut from = StateReader::new(take_section(&mut sections, &[DEVICE])?, layout)?;
        let mut private = vec![D::load_private(&mut from)?];
        let mut unknown = from.finish()?;
        let mut registers = Vec::new();
        let mut from = StateReader::new(take_section(&mut sections, &[REGISTERS])?, layout)?;
        for column in columns(self.descriptor.declared_registers(), None) {
            load_column(&mut from, &column, &mut registers)?;
        }
        unknown += from.finish()?;
        for (place, block) in self.descriptor.declared_blocks().iter().enumerate() {
            let ids: Vec<_> = block.names().map(block_id).collect();
            let section = take_section(&mut sections, &ids)?;
            let mut from = StateReader::new(section, block_layout(&self.descriptor, place)?)?;
            for column in columns(block.declared_registers(), Some((place, block.count()))) {
                load_column(&mut from, &column, &mut registers)?;
            }
            private.push(D::load_block(place, &mut from)?);
            unknown += from.finish()?;
        }
        let mut from =
            StateReader::new(take_section(&mut sections, &[FUNCTION])?, &FUNCTION_LAYOUT)?;
        let config = load_config(&mut from, &self.config)?;
        let msix = load_msix(&mut from, &self.msix)?;
        let interrupts = self.load_interrupts(&mut from, &config, &msix)?;
        let states = latched::load(&mut from, &self.descriptor, layout.removed)?;
        let seen = self.load_unseen(&mut from)?;
        unknown += from.finish()?;
        let timers = self.load_timers(&mut sections, &mut unknown)?;
        unknown += refuse_unknown(&sections, layout.removed)?;
        Ok(Loaded { private, registers, config, msix, states, interrupts, timers, seen, unknown })
    }

    fn load_interrupts(
        &self,
        from: &mut StateReader<'_>,
        config: &ConfigState,
        msix: &MsixTable,
    ) -> Result<SavedInterrupts, StateError> {
        let saved = SavedInterrupts {
            asserted: from.take_named("asserted")?,
            pending_msi: from.take_named("pending_msi")?,
            pending_msix: from.take_named("pending_msix")?,
            pending_line: from.take_named("pending_intx")?,
            controls: self.config.interrupt_controls_of(config),
            masks: msix.masks(),
        };
        match self.runtime.interrupts.lacks(&saved) {
            Some((field, number)) => {
                Err(from.refuse_named(field, format_args!("there is no interrupt {number}")))
            }
            None => Ok(saved),
        }
    }

    /// Exchanges the state of the device and another. Done twice, nothing has happened.
    fn exchange(&mut self, other: &mut Loaded<D>) {
        for exchange in &mut other.private {
            exchange(&mut self.device);
        }
        for (slot, bits) in &mut other.registers {
            let old = self.device.load(*slot);
            self.device.store(*slot, *bits);
            *bits = old;
        }
        for (place, timer) in other.timers.iter_mut().enumerate() {
            self.device.timer_mut(place).into_iter().for_each(|own| std::mem::swap(own, timer));
        }
        self.config.exchange(&mut other.config);
        std::mem::swap(&mut self.msix, &mut other.msix);
        std::mem::swap(&mut self.states, &mut other.states);
        self.watched.exchange_seen(&mut other.seen);
        let interrupts = &self.runtime.interrupts;
        let old = interrupts.save();
        interrupts.restore(&other.interrupts);
        other.interrupts = old;
        self.follow_gates();
        self.composer.adopt(&self.device);
    }
}

/// All elements of a register: of the device, or of all elements of a block.
struct Column {
    register: &'static Register,
    place: usize,
    /// Its place, and how many there are of it.
    block: Option<(usize, u32)>,
}

impl Column {
    fn is_single(&self) -> bool {
        self.block.is_none() && self.register.count() == 1
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let (place, count, block) = (self.place, self.register.count() as usize, self.block);
        let blocks = 0..block.map_or(1, |(_, count)| count as usize);
        blocks.flat_map(move |element| {
            (0..count).map(move |index| match block {
                Some((block, _)) => Slot::new(place, index).in_block(block, element),
                None => Slot::new(place, index),
            })
        })
    }
}

/// The registers that migrate.
fn columns(
    registers: &'static [Register],
    block: Option<(usize, u32)>,
) -> impl Iterator<Item = Column> {
    let registers = registers.iter().enumerate();
    let migrating = registers.filter(|(_, register)| register.migrates());
    migrating.map(move |(place, register)| Column { register, place, block })
}

fn load_column(
    from: &mut StateReader<'_>,
    column: &Column,
    loaded: &mut Vec<(Slot, u64)>,
) -> Result<(), StateError> {
    let (register, name) = (column.register, column.register.name());
    let value = from.find(name, register.declared_old_names());
    let Some(value) = value else {
        let added = register.declared_since().ok_or_else(|| from.missing(name))?;
        loaded.extend(column.slots().map(|slot| (slot, added.default)));
        return Ok(());
    };
    let values: Vec<u64> = if column.is_single() {
        vec![from.decoded(name, &value)?]
    } else {
        from.decoded(name, &value)?
    };
    let wanted = column.slots().count();
    if values.len() != wanted {
        let problem = format_args!("it has {} elements; this version has {wanted}", values.len());
        return Err(from.refuse_named(name, problem));
    }
    for (slot, bits) in column.slots().zip(values) {
        let (reserved, rejected) = (bits & !register.implemented(), register.rejected(bits));
        if reserved | rejected != 0 {
            let why = if reserved != 0 { "has reserved bits" } else { "is no value of its type" };
            return Err(from.refuse_named(name, format_args!("{bits:#x} {why}")));
        }
        loaded.push((slot, bits));
    }
    Ok(())
}

/// The bits that may change are those of the stream, all others have to be the same.
fn load_config(
    from: &mut StateReader<'_>,
    config: &ConfigSpace,
) -> Result<ConfigState, StateError> {
    let bytes: serde_bytes::ByteBuf = from.take_named("config")?;
    if let Some(offset) = config.cannot_be(&bytes) {
        let problem = format_args!("the byte at {offset:#x} cannot change");
        return Err(from.refuse_named("config", problem));
    }
    let used = from.take_named("command_used")?;
    let vpd: serde_bytes::ByteBuf = from.take_named("vpd")?;
    if !config.can_have_vpd(&vpd) {
        let problem = format_args!("it differs where software cannot write");
        return Err(from.refuse_named("vpd", problem));
    }
    Ok(ConfigState { bytes: bytes.into_vec().into(), used, vpd: vpd.into_vec().into() })
}

fn load_msix(from: &mut StateReader<'_>, table: &MsixTable) -> Result<MsixTable, StateError> {
    let quadwords: Vec<u64> = from.take_named("msix_table")?;
    let touched = from.take_named("msix_table_touched")?;
    let loaded = table.with(&quadwords, touched);
    loaded.ok_or_else(|| from.refuse_named("msix_table", "it is not what a guest can have written"))
}

fn block_id(name: &str) -> String {
    format!("block.{name}")
}

fn block_layout(descriptor: &Descriptor, place: usize) -> Result<&StateLayout, StateError> {
    let block = &descriptor.declared_blocks()[place];
    block.declared_state().ok_or(StateError::NotMigratable(block.name()))
}

/// The state of an older version, once its author has converted it.
fn converted<D: PciDevice>(
    sections: &[Section<'_>],
    layout: &StateLayout,
) -> Result<Option<OldState>, StateError> {
    let device = sections.iter().find(|section| section.id == DEVICE);
    let Some(version) = device.map(|device| device.version).filter(|old| *old < layout.version)
    else {
        return Ok(None);
    };
    // What is too old is refused as it is.
    if version < layout.min {
        return Ok(None);
    }
    let mut old = OldState::new(version, sections);
    D::convert_state(&mut old)?;
    Ok(Some(old))
}

/// Takes a section, by any of its ids.
fn take_section<'a, I: AsRef<str>>(
    sections: &mut Vec<Section<'a>>,
    ids: &[I],
) -> Result<Section<'a>, StateError> {
    let is_it = |section: &Section<'_>| ids.iter().any(|id| id.as_ref() == section.id);
    let place = sections.iter().position(is_it);
    let missing = || StateError::MissingSection(ids[0].as_ref().to_owned());
    place.map(|place| sections.remove(place)).ok_or_else(missing)
}

/// How many sections are left out.
fn refuse_unknown(sections: &[Section<'_>], removed: &[&str]) -> Result<usize, StateError> {
    let unknown = sections.iter().filter(|section| !removed.contains(&section.id));
    match unknown.clone().find(|section| section.is_critical) {
        Some(section) => Err(StateError::UnknownSection(section.id.to_owned())),
        None => Ok(unknown.count()),
    }
}
