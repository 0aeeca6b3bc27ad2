//! Registers, their fields and their blocks.

use std::io::Result;

use quick_xml::events::{BytesText, Event};

use super::super::{blocks_in, phrases, registers_in};
use super::WINDOW;
use super::access::{access, read_effect, write_effect};
use super::xml::{self, Xml};
use crate::layout::{self, Extent};
use crate::model::{Block, Descriptor, Field, Register};

/// Writes a register. One that shares bytes with an `earlier` register says so, or a reader would
/// take it for a mistake.
pub(super) fn register(xml: &mut Xml, register: &Register, earlier: Option<&str>) -> Result<()> {
    let extent = register.extent();
    let Some(place) = Place::of(&extent) else { return too_far(xml, &extent) };
    let policy = register.policy();
    xml::inside(xml, "register", |xml| {
        place.write(xml, register.doc(), earlier)?;
        xml::number(xml, "size", u64::from(register.width()) * 8)?;
        access(xml, policy)?;
        if let Some(reset) = register.reset() {
            xml::hex(xml, "resetValue", reset)?;
        }
        let fields = register.fields();
        if fields.is_empty() {
            write_effect(xml, policy)?;
            return read_effect(xml, policy);
        }
        // Each field has its own effects: it could not take back one of the register.
        let one = |xml: &mut Xml, one| field(xml, one, register);
        xml::inside(xml, "fields", |xml| fields.iter().try_for_each(|field| one(xml, field)))
    })
}

pub(super) fn cluster(xml: &mut Xml, descriptor: &Descriptor, block: &Block) -> Result<()> {
    let extent = block.extent();
    let Some(place) = Place::of(&extent) else { return too_far(xml, &extent) };
    xml::inside(xml, "cluster", |xml| {
        place.write(xml, block.doc(), None)?;
        let registers = registers_in(descriptor, block);
        let all = || registers.iter().copied();
        all().try_for_each(|one| register(xml, one, earlier(all(), one)))?;
        let inner = blocks_in(descriptor, block);
        inner.into_iter().try_for_each(|inner| cluster(xml, descriptor, inner))
    })
}

/// Returns the name of the first of `registers` that shares bytes with one behind it.
pub(super) fn earlier<'a>(
    registers: impl Iterator<Item = &'a Register>,
    register: &Register,
) -> Option<&'a str> {
    if !register.is_conditional() {
        return None;
    }
    let mut before = registers.take_while(|other| !std::ptr::eq(*other, register));
    let own = register.extent();
    let other = before.find(|other| layout::disjoint(&own, &other.extent()).is_err())?;
    Some(other.name())
}

fn field(xml: &mut Xml, field: &Field, register: &Register) -> Result<()> {
    let policy = field.policy.unwrap_or(register.policy());
    let values = field.values.names();
    xml::inside(xml, "field", |xml| {
        xml::text(xml, "name", field.name)?;
        xml::optional(xml, "description", field.doc)?;
        xml::text(xml, "bitRange", &format!("[{}:{}]", phrases::last_bit(field), field.shift))?;
        access(xml, policy)?;
        write_effect(xml, policy)?;
        if field.is_rejecting {
            let only = |xml: &mut Xml| xml::text(xml, "useEnumeratedValues", "true");
            xml::inside(xml, "writeConstraint", only)?;
        }
        read_effect(xml, policy)?;
        if values.is_empty() {
            return Ok(());
        }
        xml::inside(xml, "enumeratedValues", |xml| {
            values.iter().try_for_each(|(bits, name)| value(xml, *bits, name))
        })
    })
}

fn value(xml: &mut Xml, value: u64, name: &str) -> Result<()> {
    xml::inside(xml, "enumeratedValue", |xml| {
        xml::text(xml, "name", name)?;
        xml::hex(xml, "value", value)
    })
}

/// The place of a register or a cluster, and how often it occurs.
struct Place<'a> {
    name: &'a str,
    /// From the start of the window.
    offset: u64,
    count: u64,
    stride: u64,
}

impl<'a> Place<'a> {
    /// Returns nothing for elements that lie in several windows.
    fn of(extent: &Extent<'a>) -> Option<Self> {
        let Extent { name, offset, count, stride, .. } = *extent;
        let last = offset.checked_add(count.saturating_sub(1).checked_mul(stride)?)?;
        let is_inside = offset / WINDOW == last / WINDOW;
        is_inside.then_some(Place { name, offset: offset % WINDOW, count, stride })
    }

    fn write(&self, xml: &mut Xml, doc: &str, earlier: Option<&str>) -> Result<()> {
        if self.count == 1 {
            xml::text(xml, "name", self.name)?;
        } else {
            xml::number(xml, "dim", self.count)?;
            xml::hex(xml, "dimIncrement", self.stride)?;
            xml::text(xml, "name", &format!("{}[%s]", self.name))?;
        }
        xml::optional(xml, "description", doc)?;
        xml::optional(xml, "alternateRegister", earlier.unwrap_or_default())?;
        xml::hex(xml, "addressOffset", self.offset)
    }
}

fn too_far(xml: &mut Xml, extent: &Extent<'_>) -> Result<()> {
    let reason =
        format!(" {}: its elements are too far apart for offsets of 32 bits ", extent.name);
    xml.write_event(Event::Comment(BytesText::from_escaped(reason)))
}
