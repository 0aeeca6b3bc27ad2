//! What makes registers a PCI function, in elements of this project's own.

use std::io::Result;

use super::super::phrases;
use super::xml::{self, Xml};
use crate::layout::BarKind;
use crate::model::{Bar, Descriptor, MemoryRange, UnmodelledRange};

pub(super) fn pci(xml: &mut Xml, descriptor: &Descriptor) -> Result<()> {
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
        descriptor.memories().iter().try_for_each(|range| memory(xml, range))?;
        descriptor.unmodelled().iter().try_for_each(|place| unmodelled(xml, place))
    })?;
    Ok(())
}

fn memory(xml: &mut Xml, memory: &MemoryRange) -> Result<()> {
    let attributes = [
        ("bar", memory.bar().to_string()),
        ("name", memory.name().to_owned()),
        ("start", format!("{:#x}", memory.start())),
        ("end", format!("{:#x}", memory.end())),
        ("reset", phrases::memory_reset(memory.reset()).to_owned()),
    ];
    let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str()));
    let element = xml.create_element("memory").with_attributes(attributes);
    if memory.doc().is_empty() {
        element.write_empty()?;
    } else {
        element.write_inner_content(|xml| xml::text(xml, "description", memory.doc()))?;
    }
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
