//! A description of a device in CMSIS-SVD, for tools that know register maps.
//!
//! `docs/describe.md` lists what the format expresses and what it does not.

mod access;
mod pci;
mod register;
mod xml;

use std::collections::BTreeMap;
use std::io::Result;
use std::iter;
use std::ops::Range;

use quick_xml::events::{BytesDecl, Event};

use super::phrases;
use crate::layout::CONFIG;
use crate::model::{Block, Descriptor, Register};
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
    /// The bytes of memory, in order.
    memories: Vec<Range<u64>>,
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
    xml::inside(xml, "vendorExtensions", |xml| pci::pci(xml, descriptor))
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
        let memories = super::memories(descriptor, index).into_iter();
        let memories = memories.map(|memory| memory.start()..memory.end()).collect();
        let (size, parts) = (bar.size(), parts(descriptor, index));
        spaces.extend(Space { name, description, base, size, parts, memories }.windows());
    }
    if super::has_config(descriptor) {
        let (name, description) = ("CONFIG".to_owned(), "Configuration space".to_owned());
        let size = if descriptor.is_express() { 0x1000 } else { 0x100 };
        let base = u64::next_multiple_of(end, size);
        let (parts, memories) = (parts(descriptor, CONFIG), Vec::new());
        spaces.push(Space { name, description, base, size, parts, memories });
    }
    spaces
}

fn parts(descriptor: &Descriptor, index: u8) -> Vec<Part<'static>> {
    let registers = super::registers(descriptor, index).into_iter().map(Part::Register);
    registers.chain(super::blocks(descriptor, index).into_iter().map(Part::Block)).collect()
}

impl<'a> Space<'a> {
    /// Splits a space that is larger than an offset can express: the first 4 GiB, and each further
    /// 4 GiB that contain registers or memory.
    fn windows(self) -> Vec<Space<'a>> {
        let mut windows = BTreeMap::from([(0, Vec::new())]);
        for memory in &self.memories {
            for number in memory.start / WINDOW..memory.end.div_ceil(WINDOW) {
                windows.entry(number).or_default();
            }
        }
        for part in self.parts {
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
            let inside = |memory: &Range<u64>| {
                memory.start.saturating_sub(start)..memory.end.saturating_sub(start).min(size)
            };
            let memories = self.memories.iter().map(inside).filter(|memory| !memory.is_empty());
            let (base, memories) = (self.base.saturating_add(start), memories.collect());
            Space { name, description, base, size, parts, memories }
        };
        windows.into_iter().map(window).collect()
    }

    /// Returns the bytes of the memories and those between them, in order, each with its usage.
    fn address_blocks(&self) -> impl Iterator<Item = (Range<u64>, &'static str)> {
        let ends = self.memories.iter().map(|memory| memory.end);
        let starts = self.memories.iter().map(|memory| memory.start).chain([self.size]);
        let between = iter::once(0).chain(ends).zip(starts).map(|(end, start)| end..start);
        let buffers = self.memories.iter().map(|memory| (memory.clone(), "buffer"));
        let buffers = buffers.map(Some).chain([None]);
        let all = between.zip(buffers).flat_map(|(gap, buffer)| [Some((gap, "registers")), buffer]);
        all.flatten().filter(|(bytes, _)| !bytes.is_empty())
    }

    fn write(&self, xml: &mut Xml, descriptor: &Descriptor) -> Result<()> {
        xml::inside(xml, "peripheral", |xml| {
            xml::text(xml, "name", &self.name)?;
            xml::text(xml, "description", &self.description)?;
            xml::hex(xml, "baseAddress", self.base)?;
            self.address_blocks().try_for_each(|(bytes, usage)| {
                xml::inside(xml, "addressBlock", |xml| {
                    xml::hex(xml, "offset", bytes.start)?;
                    xml::hex(xml, "size", bytes.end - bytes.start)?;
                    xml::text(xml, "usage", usage)
                })
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
