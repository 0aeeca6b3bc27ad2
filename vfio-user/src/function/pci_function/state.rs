//! The state of a function device, which is saved as a whole, and loaded as a whole or not at all.

mod columns;
mod file;
mod identity;
mod initial;
mod memory;
mod private;
mod register_state;
mod stream;
mod timers;
mod unmodelled;
mod watched;

use super::PciFunction;
use crate::bus::{RegisterStates, UnmodelledBytes};
use crate::device::{PciDevice, Timer};
use crate::interrupt::SavedInterrupts;
use crate::migration::{
    Exchange, Field, MAX_STATE, OldState, Plain, Section, SectionsWriter, Shape, StateError,
    StateLayout, StateReader, StateWriter, ValueProblem, is_removed, sections,
};
use crate::model::{Block, Register, Slot};
use crate::pci::{ConfigSpace, ConfigState, MsixTable};
use columns::{BlockPart, Column, block_parts, own_columns};
pub(super) use initial::Initial;
pub(super) use memory::{MemoryRestore, unsent};
pub(super) use stream::{Loading, Saving};

const DEVICE: &str = "device";
const REGISTERS: &str = "registers";
const FUNCTION: &str = "function";
/// Registers are integers, of any width.
const U64: Shape = Shape::Plain(Plain::U64);
/// The state of the runtime has versions of its own.
const FUNCTION_LAYOUT: StateLayout = StateLayout::new(1, 1, &[]);

/// A decoded and checked state.
struct Loaded<D> {
    /// Private fields: those of the device, and of each block.
    private: Vec<Exchange<D>>,
    registers: Vec<(Slot, u64)>,
    config: ConfigState,
    msix: MsixTable,
    register_states: RegisterStates,
    unmodelled: UnmodelledBytes,
    interrupts: SavedInterrupts,
    timers: Vec<(Slot, Timer)>,
    /// The value last seen of each watched register.
    seen: Vec<u64>,
    /// The number of fields and sections that are left out, because this version lacks them and
    /// does not need them.
    unknown: usize,
}

impl<D: PciDevice> PciFunction<D> {
    fn layout(&self) -> Result<&StateLayout, StateError> {
        self.descriptor.state().ok_or(StateError::NotMigratable(self.descriptor.name()))
    }

    pub(super) fn save_state(&self) -> Result<Vec<u8>, StateError> {
        let layout = self.layout()?;
        let mut writer = SectionsWriter::default();
        self.save_declared(&mut writer, layout, true)?;
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
        if let Some(count) = is_large.then(|| self.migration.large.hit()).flatten() {
            tracing::warn!(
                len,
                count,
                "the state is large: at most {MAX_STATE} bytes can be saved"
            );
        }
        Ok(state)
    }

    /// Saves private fields, registers and blocks. Compares the lengths of collections with their
    /// `max_len` if `has_limits`.
    fn save_declared(
        &self,
        writer: &mut SectionsWriter,
        layout: &StateLayout,
        has_limits: bool,
    ) -> Result<(), StateError> {
        let mut out = self.section_writer(writer, DEVICE, layout).limited(has_limits);
        self.device.save_private(&mut out)?;
        out.finish();
        let mut out = self.section_writer(writer, REGISTERS, layout);
        save_columns(&self.device, &mut out, own_columns(&self.descriptor, Register::migrates))?;
        out.finish();
        for part in block_parts(&self.descriptor) {
            let (id, layout) = (part.id(), block_layout(part.block)?);
            let mut out = self.section_writer(writer, &id, layout).limited(has_limits);
            save_columns(
                &self.device,
                &mut out,
                part.columns(&self.descriptor, Register::migrates),
            )?;
            self.device.save_block(part.block_index, part.part.elements(), &mut out)?;
            self.save_block_timers(&part, &mut out)?;
            out.finish();
            if let Some(initial) = self.initial.section(&id).filter(|_| part.is_new()) {
                writer.relax_last(&initial);
            }
        }
        Ok(())
    }

    fn section_writer<'w>(
        &'w self,
        writer: &'w mut SectionsWriter,
        id: &'w str,
        layout: &StateLayout,
    ) -> StateWriter<'w> {
        StateWriter::new(writer, id, layout).with_initial(self.initial.section(id))
    }

    /// Saves the state of the runtime.
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
        self.save_register_states(out)?;
        self.save_unseen(out)?;
        self.save_unmodelled(out)
    }

    fn decode(&self, state: &[u8]) -> Result<Loaded<D>, StateError> {
        let layout = self.layout()?;
        let mut sections = sections(state)?;
        let old = converted::<D>(&sections, layout)?;
        if let Some(old) = &old {
            sections = old.sections();
        }
        let mut from =
            self.section_reader(take_section(&mut sections, &[DEVICE])?, DEVICE, layout)?;
        let mut private = vec![self.device.read_private(&mut from)?];
        let mut unknown = from.finish()?;
        let (mut registers, mut timers) = (Vec::new(), Vec::new());
        let mut from =
            self.section_reader(take_section(&mut sections, &[REGISTERS])?, REGISTERS, layout)?;
        load_columns(&mut from, own_columns(&self.descriptor, Register::migrates), &mut registers)?;
        unknown += from.finish()?;
        for part in block_parts(&self.descriptor) {
            let section = self.take_block(&mut sections, &part)?;
            let mut from = self.section_reader(section, &part.id(), block_layout(part.block)?)?;
            load_columns(
                &mut from,
                part.columns(&self.descriptor, Register::migrates),
                &mut registers,
            )?;
            let elements = part.part.elements();
            private.push(self.device.read_block(part.block_index, elements, &mut from)?);
            self.load_block_timers(&part, &mut from, &mut timers)?;
            unknown += from.finish()?;
        }
        let mut from =
            StateReader::new(take_section(&mut sections, &[FUNCTION])?, &FUNCTION_LAYOUT)?;
        let config = load_config(&mut from, &self.config)?;
        let msix = load_msix(&mut from, &self.msix)?;
        let interrupts = self.load_interrupts(&mut from, &config, &msix)?;
        let register_states = register_state::load(&mut from, &self.descriptor, layout.removed)?;
        let seen = self.load_unseen(&mut from)?;
        let unmodelled = self.load_unmodelled(&mut from, &mut unknown)?;
        unknown += from.finish()?;
        timers.extend(self.load_timers(&mut sections, &mut unknown)?);
        unknown += refuse_unknown(&sections, layout.removed)?;
        Ok(Loaded {
            private,
            registers,
            config,
            msix,
            register_states,
            unmodelled,
            interrupts,
            timers,
            seen,
            unknown,
        })
    }

    /// Returns a reader of a section, which may have an older name than `id`.
    fn section_reader<'a>(
        &'a self,
        section: Section<'a>,
        id: &str,
        layout: &StateLayout,
    ) -> Result<StateReader<'a>, StateError> {
        let initial = self.initial.section(id);
        Ok(StateReader::new(section, layout)?.with_initial(initial))
    }

    /// Takes the section of a block. A new block that the state lacks stays as it was constructed.
    fn take_block<'a>(
        &'a self,
        sections: &mut Vec<Section<'a>>,
        part: &BlockPart,
    ) -> Result<Section<'a>, StateError> {
        let initial = || self.initial.section(&part.id()).filter(|_| part.is_new());
        take_section(sections, &part.ids()).or_else(|error| initial().ok_or(error))
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

    /// Exchanges the state of the device with another. A second exchange restores it.
    fn exchange(&mut self, other: &mut Loaded<D>) {
        for exchange in &mut other.private {
            exchange(&mut self.device);
        }
        for (slot, bits) in &mut other.registers {
            let old = self.device.load(*slot);
            self.device.store(*slot, *bits);
            *bits = old;
        }
        for (slot, timer) in &mut other.timers {
            self.device.timer_mut(*slot).into_iter().for_each(|own| std::mem::swap(own, timer));
        }
        self.config.exchange(&mut other.config);
        std::mem::swap(&mut self.msix, &mut other.msix);
        std::mem::swap(&mut self.register_states, &mut other.register_states);
        std::mem::swap(&mut self.unmodelled, &mut other.unmodelled);
        self.watched.exchange_seen(&mut other.seen);
        let interrupts = &self.runtime.interrupts;
        let old = interrupts.save();
        interrupts.restore(&other.interrupts);
        other.interrupts = old;
        self.follow_enables();
        self.composer.adopt(&self.device);
    }
}

fn save_columns<D: PciDevice>(
    device: &D,
    out: &mut StateWriter<'_>,
    columns: impl Iterator<Item = Column>,
) -> Result<(), StateError> {
    for column in columns {
        let (register, name) = (column.register, column.name());
        let bits = |slot| device.load(slot) & register.implemented();
        if let Some(slot) = column.single() {
            let added = register.since().map(|added| (added.since, added.default));
            out.put_number(&name, bits(slot), added)?;
        } else {
            let values: Vec<_> = column.slots().map(bits).collect();
            save_list(&column, &name, &values, out)?;
        }
    }
    Ok(())
}

fn save_list(
    column: &Column,
    name: &str,
    values: &[u64],
    out: &mut StateWriter<'_>,
) -> Result<(), StateError> {
    let (shape, added) = (Shape::many(U64), column.register.since());
    let defaults = added.map(|added| vec![added.default; values.len()]);
    match (&defaults, added) {
        _ if column.is_grown() => {
            let since = added.map(|added| added.since);
            out.put_grown(name, since, &shape, values, defaults.as_deref())
        }
        (Some(defaults), Some(added)) => {
            out.put_new(name, added.since, &shape, values, &defaults[..])
        }
        _ => out.put_as(name, &shape, values),
    }
}

fn load_columns(
    from: &mut StateReader<'_>,
    columns: impl Iterator<Item = Column>,
    loaded: &mut Vec<(Slot, u64)>,
) -> Result<(), StateError> {
    // Whether the first elements of the register are in the state.
    let mut is_there = true;
    for column in columns {
        let name = column.name();
        let value = from.find_by(|name| column.is_named(name));
        if !column.is_grown() {
            is_there = value.is_some();
        }
        let value = value.or_else(|| from.initial(&name).filter(|_| column.is_grown() && is_there));
        load_column(from, &column, &name, value, loaded)?;
    }
    Ok(())
}

fn load_column(
    from: &StateReader<'_>,
    column: &Column,
    name: &str,
    value: Option<Field<'_>>,
    loaded: &mut Vec<(Slot, u64)>,
) -> Result<(), StateError> {
    let register = column.register;
    let Some(value) = value else {
        let added = register.since().ok_or_else(|| from.missing(name))?;
        loaded.extend(column.slots().map(|slot| (slot, added.default)));
        return Ok(());
    };
    let checked = |slot, bits| match check_bits(register, bits) {
        Some(problem) => Err(from.refuse_value(name, problem)),
        None => Ok((slot, bits)),
    };
    if let Some(slot) = column.single() {
        loaded.push(checked(slot, from.decoded_as(name, &value, &U64)?)?);
        return Ok(());
    }
    let values: Vec<u64> = from.decoded_as(name, &value, &Shape::many(U64))?;
    let wanted = column.slots().count();
    if values.len() != wanted {
        return Err(from.wrong_count(name, values.len(), wanted));
    }
    for (slot, bits) in column.slots().zip(values) {
        loaded.push(checked(slot, bits)?);
    }
    Ok(())
}

/// Returns the reason why a register cannot have these bits.
fn check_bits(register: &Register, bits: u64) -> Option<ValueProblem> {
    if bits & !register.implemented() != 0 {
        return Some(ValueProblem::ReservedBits(bits));
    }
    (register.rejected(bits) != 0).then_some(ValueProblem::UnknownBits(bits))
}

/// Loads configuration space: the bits that may change come from the stream, all others have to be
/// equal.
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
        let problem = format_args!("it differs in bits that software cannot write");
        return Err(from.refuse_named("vpd", problem));
    }
    Ok(ConfigState { bytes: bytes.into_vec().into(), used, vpd: vpd.into_vec().into() })
}

fn load_msix(from: &mut StateReader<'_>, table: &MsixTable) -> Result<MsixTable, StateError> {
    let quadwords: Vec<u64> = from.take_named("msix_table")?;
    let touched = from.take_named("msix_table_touched")?;
    let loaded = table.with(&quadwords, touched);
    loaded.ok_or_else(|| from.refuse_named("msix_table", "a guest cannot have written this table"))
}

fn block_layout(block: &Block) -> Result<&StateLayout, StateError> {
    block.state().ok_or(StateError::NotMigratable(block.name()))
}

/// Returns the state of an older version, converted by its author's function.
fn converted<D: PciDevice>(
    sections: &[Section<'_>],
    layout: &StateLayout,
) -> Result<Option<OldState>, StateError> {
    let device = sections.iter().find(|section| section.id == DEVICE);
    let Some(version) = device.map(|device| device.version).filter(|old| *old < layout.version)
    else {
        return Ok(None);
    };
    // A state that is too old is refused without conversion.
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

/// Returns how many sections are left out.
fn refuse_unknown(sections: &[Section<'_>], removed: &[&str]) -> Result<usize, StateError> {
    let unknown = sections.iter().filter(|section| !is_removed(removed, section.id));
    match unknown.clone().find(|section| section.is_critical) {
        Some(section) => Err(StateError::UnknownSection(section.id.to_owned())),
        None => Ok(unknown.count()),
    }
}
