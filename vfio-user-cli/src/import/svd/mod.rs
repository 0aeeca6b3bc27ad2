//! Reads CMSIS-SVD.

mod derived;
mod pci;
mod register;
mod values;

use super::map::{Array, Budget, Map, Node, Space};
use super::policy::Access;
use super::problem::Problem;
use super::text;
use super::xml::Element;
use derived::Derived;

/// What registers have that say nothing else.
#[derive(Clone, Copy, Debug, Default)]
struct Properties {
    bits: Option<u64>,
    access: Option<Access>,
    reset: Option<u64>,
    reset_mask: Option<u64>,
}

/// The most peripherals of an array.
const PERIPHERALS: u64 = 256;

/// Reads the peripherals with one of these names, or all.
pub(super) fn read(device: Element<'_>, wanted: &[String]) -> Result<Map, Problem> {
    let mut budget = Budget::new();
    let properties = Properties::default().of(&Derived::resolve(device, &mut budget)?)?;
    let pci = pci::read(device)?;
    let is_own = pci.is_some();
    let mut spaces = Vec::new();
    for element in device.required("peripherals")?.named("peripheral") {
        let peripheral = Derived::resolve(element, &mut budget)?;
        let names = names(&peripheral)?;
        let names = names.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name));
        for name in names {
            budget.take()?;
            spaces.push(space(&peripheral, name, properties, is_own, &mut budget)?);
        }
    }
    let name = device.text_of("name").unwrap_or("device").to_owned();
    let doc = text::doc(device.text_of("description"), is_own);
    Ok(Map { name, doc, spaces, pci })
}

/// Returns the names of all peripherals of a file.
pub(super) fn peripherals(device: Element<'_>) -> Result<Vec<String>, Problem> {
    let mut budget = Budget::new();
    let mut all = Vec::new();
    for element in device.required("peripherals")?.named("peripheral") {
        all.extend(names(&Derived::resolve(element, &mut budget)?)?);
    }
    Ok(all)
}

/// Returns the names of the peripherals that an element declares.
fn names(peripheral: &Derived<'_>) -> Result<Vec<String>, Problem> {
    let name = peripheral.name()?;
    let Some(Array { count, .. }) = array(peripheral)? else { return Ok(vec![name.to_owned()]) };
    if count > PERIPHERALS {
        return Err(peripheral.own().problem(format!("more than {PERIPHERALS} peripherals")));
    }
    let name = name.replace("[%s]", "%s");
    Ok((0..count).map(|index| name.replace("%s", &index.to_string())).collect())
}

fn space(
    peripheral: &Derived<'_>,
    name: String,
    properties: Properties,
    is_own: bool,
    budget: &mut Budget,
) -> Result<Space, Problem> {
    let properties = properties.of(peripheral)?;
    let mut size = 0u64;
    for block in peripheral.all("addressBlock") {
        let (offset, length) = (block.number_of("offset")?, block.number_of("size")?);
        size = size.max(offset.unwrap_or(0).saturating_add(length.unwrap_or(0)));
    }
    let reader = register::Reader { is_own, budget };
    let nodes = match peripheral.child("registers") {
        Some(registers) => reader.nodes(registers, properties, 0)?,
        None => Vec::<Node>::new(),
    };
    let doc = text::doc(peripheral.text("description"), is_own);
    Ok(Space { name, doc, size, nodes })
}

/// Returns the array that an element is, if its name says so.
fn array(element: &Derived<'_>) -> Result<Option<Array>, Problem> {
    if !element.name()?.contains("%s") {
        return Ok(None);
    }
    let (count, stride) = (element.required("dim")?, element.required("dimIncrement")?);
    if count == 0 {
        return Err(element.own().problem("<dim> is 0"));
    }
    Ok(Some(Array { count, stride }))
}

impl Properties {
    /// Returns what holds inside an element.
    fn of(self, element: &Derived<'_>) -> Result<Self, Problem> {
        Ok(Properties {
            bits: element.number("size")?.or(self.bits),
            access: access(element)?.or(self.access),
            reset: element.number("resetValue")?.or(self.reset),
            reset_mask: element.number("resetMask")?.or(self.reset_mask),
        })
    }
}

fn access(element: &Derived<'_>) -> Result<Option<Access>, Problem> {
    let Some(access) = element.child("access") else { return Ok(None) };
    // Vendors differ in the case of `once`, and leave out `only`.
    Ok(Some(match access.text().unwrap_or_default().to_ascii_lowercase().as_str() {
        "read-only" | "read" => Access::ReadOnly,
        "write-only" | "write" => Access::WriteOnly,
        "read-write" => Access::ReadWrite,
        "writeonce" => Access::WriteOnce,
        "read-writeonce" => Access::ReadWriteOnce,
        other => {
            return Err(access.problem(format!(
                "<access> is `{other}`, which is none of `read-only`, `write-only`, `read-write`, \
                 `writeOnce`, `read-writeOnce`"
            )));
        }
    }))
}
