//! A description of a device in CMSIS-SVD, for tools that know register maps.
//!
//! `docs/describe.md` lists what the format expresses and what it does not.

mod access;
mod register;
mod xml;

use std::collections::BTreeMap;
use std::io::Result;

use quick_xml::events::{BytesDecl, Event};

use super::phrases;
use crate::layout::{BarKind, CONFIG};
use crate::model::{Bar, Block, Descriptor, Register, UnmodelledRange};
use xml::Xml;

/// The reach of an offset, which has 32 bits.
const WINDOW: u64 = 1 << 32;

/// A BAR, or configuration space.
struct Space<'a> {
    name: String,
    description: String,
    base: u64,
    size: u64,
    parts: Vec<Part<'a>>,
}

/// What lies in a space.
#[derive(Clone, Copy)]
enum Part<'a> {
    Register(&'a Register),
    Block(&'a Block),
}

pub(super) fn render(descriptor: &Descriptor) -> String {
    let mut xml = Xml::new_with_indent(Vec::new(), b' ', 2);
    document(&mut xml, descriptor).expect("memory takes all that is written");
    let mut text = String::from_utf8(xml.into_inner()).expect("it is made of strings");
    text.push('\n');
    text
}

fn document(xml: &mut Xml, descriptor: &Descriptor) -> Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let attributes = [
        ("schemaVersion", "1.3"),
        ("xmlns:xs", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xs:noNamespaceSchemaLocation", "CMSIS-SVD.xsd"),
    ];
    let device = xml.create_element("device").with_attributes(attributes);
    device.write_inner_content(|xml| contents(xml, descriptor))?;
    Ok(())
}

fn contents(xml: &mut Xml, descriptor: &Descriptor) -> Result<()> {
    let ids = descriptor.ids();
    let doc = descriptor.doc();
    let or_ids = format!("PCI device {:04x}:{:04x}", ids.vendor, ids.device);
    xml::text(xml, "name", descriptor.name())?;
    xml::text(xml, "version", &ids.revision.to_string())?;
    xml::text(xml, "description", if doc.is_empty() { &or_ids } else { doc })?;
    xml::number(xml, "addressUnitBits", 8)?;
    xml::number(xml, "width", 32)?;
    let spaces = spaces(descriptor);
    xml::inside(xml, "peripherals", |xml| {
        spaces.iter().try_for_each(|one| one.write(xml, descriptor))
    })?;
    xml::inside(xml, "vendorExtensions", |xml| pci(xml, descriptor))
}

/// Returns the BARs, one behind the other as firmware could place them, and configuration space.
fn spaces(descriptor: &Descriptor) -> Vec<Space<'static>> {
    let (mut spaces, mut end) = (Vec::new(), 0);
    for (index, bar) in (0..).zip(descriptor.bars()) {
        let Some(bar) = bar else { continue };
        let base = u64::next_multiple_of(end, bar.size());
        end = base.saturating_add(bar.size());
        let description = format!("BAR {index}: {}", phrases::bar(bar));
        let name = format!("BAR{index}");
        spaces.extend(
            Space { name, description, base, size: bar.size(), parts: Vec::new() }
                .windows(parts(descriptor, index)),
        );
    }
    if super::has_config(descriptor) {
        let (name, description) = ("CONFIG".to_owned(), "Configuration space".to_owned());
        let size = if descriptor.is_express() { 0x1000 } else { 0x100 };
        let base = u64::next_multiple_of(end, size);
        spaces.push(Space { name, description, base, size, parts: parts(descriptor, CONFIG) });
    }
    spaces
}

fn parts(descriptor: &Descriptor, index: u8) -> Vec<Part<'static>> {
    let registers = super::registers(descriptor, index).into_iter().map(Part::Register);
    registers.chain(super::blocks(descriptor, index).into_iter().map(Part::Block)).collect()
}

impl<'a> Space<'a> {
    /// Splits a space that is larger than an offset can express: the first 4 GiB, and each further
    /// 4 GiB that contain registers.
    fn windows(self, parts: Vec<Part<'a>>) -> Vec<Space<'a>> {
        let mut windows = BTreeMap::from([(0, Vec::new())]);
        for part in parts {
            windows.entry(part.offset() / WINDOW).or_insert_with(Vec::new).push(part);
        }
        let window = |(number, parts): (u64, Vec<_>)| {
            let start = number * WINDOW;
            let name = match number {
                0 => self.name.clone(),
                number => format!("{}_WINDOW{number}", self.name),
            };
            let description = match number {
                0 => self.description.clone(),
                _ => format!("{}, from {start:#x}", self.description),
            };
            let size = self.size.saturating_sub(start).min(WINDOW - 1);
            Space { name, description, base: self.base.saturating_add(start), size, parts }
        };
        windows.into_iter().map(window).collect()
    }

    fn write(&self, xml: &mut Xml, descriptor: &Descriptor) -> Result<()> {
        xml::inside(xml, "peripheral", |xml| {
            xml::text(xml, "name", &self.name)?;
            xml::text(xml, "description", &self.description)?;
            xml::hex(xml, "baseAddress", self.base)?;
            xml::inside(xml, "addressBlock", |xml| {
                xml::hex(xml, "offset", 0)?;
                xml::hex(xml, "size", self.size)?;
                xml::text(xml, "usage", "registers")
            })?;
            if self.parts.is_empty() {
                return Ok(());
            }
            xml::inside(xml, "registers", |xml| {
                let registers = || self.parts.iter().filter_map(|part| part.register());
                self.parts.iter().try_for_each(|part| match part {
                    Part::Register(one) => {
                        register::register(xml, one, register::earlier(registers(), one))
                    }
                    Part::Block(block) => register::cluster(xml, descriptor, block),
                })
            })
        })
    }
}

impl<'a> Part<'a> {
    fn offset(self) -> u64 {
        match self {
            Part::Register(register) => register.extent().offset,
            Part::Block(block) => block.extent().offset,
        }
    }

    fn register(self) -> Option<&'a Register> {
        match self {
            Part::Register(register) => Some(register),
            Part::Block(_) => None,
        }
    }
}

/// Writes what makes the registers a PCI function, in elements of this project's own.
fn pci(xml: &mut Xml, descriptor: &Descriptor) -> Result<()> {
    let ids = descriptor.ids();
    let attributes = [
        ("vendor", format!("{:#06x}", ids.vendor)),
        ("device", format!("{:#06x}", ids.device)),
        ("class", format!("{:#08x}", ids.class)),
        ("revision", format!("{:#04x}", ids.revision)),
        ("subsystemVendor", format!("{:#06x}", ids.subsystem_vendor)),
        ("subsystem", format!("{:#06x}", ids.subsystem)),
        ("express", descriptor.is_express().to_string()),
    ];
    let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str()));
    xml.create_element("pci").with_attributes(attributes).write_inner_content(|xml| {
        (0..).zip(descriptor.bars()).try_for_each(|(index, one)| match one {
            Some(one) => bar(xml, index, one),
            None => Ok(()),
        })?;
        descriptor.unmodelled().iter().try_for_each(|place| unmodelled(xml, place))
    })?;
    Ok(())
}

fn unmodelled(xml: &mut Xml, place: &UnmodelledRange) -> Result<()> {
    let attributes = [
        ("bar", place.bar().to_string()),
        ("name", place.name().to_owned()),
        ("start", format!("{:#x}", place.start())),
        ("end", format!("{:#x}", place.end())),
        ("stored", place.is_stored().to_string()),
    ];
    let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str()));
    xml.create_element("unmodelled").with_attributes(attributes).write_empty()?;
    Ok(())
}

fn bar(xml: &mut Xml, index: u8, bar: &Bar) -> Result<()> {
    let kind = match bar.kind() {
        BarKind::Mem32 => "mem32",
        BarKind::Mem64 => "mem64",
        BarKind::Io => "io",
    };
    let (index, size) = (index.to_string(), format!("{:#x}", bar.size()));
    let prefetchable = bar.is_prefetchable().to_string();
    let attributes = [
        ("index", index.as_str()),
        ("kind", kind),
        ("size", size.as_str()),
        ("prefetchable", prefetchable.as_str()),
    ];
    xml.create_element("bar").with_attributes(attributes).write_empty()?;
    Ok(())
}
