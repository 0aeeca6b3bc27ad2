//! Reads IP-XACT, of IEEE 1685-2009, -2014 and -2022.

use super::map::{Array, Budget, DEPTH, Field, Group, Map, Node, Register, Space, Value};
use super::policy::{self, Access, Read, Write};
use super::problem::Problem;
use super::text;
use super::xml::Element;

/// Reads the address blocks with one of these names, or all.
pub(super) fn read(component: Element<'_>, wanted: &[String]) -> Result<Map, Problem> {
    let mut budget = Budget::new();
    let mut spaces = Vec::new();
    for map in component.required("memoryMaps")?.named("memoryMap") {
        if let Some(unit) = map.child("addressUnitBits").filter(|unit| unit.text() != Some("8")) {
            return Err(unit.problem("addresses do not count bytes"));
        }
        for block in map.named("addressBlock") {
            let name = name(block)?;
            if wanted.is_empty() || wanted.contains(&name) {
                spaces.push(Space {
                    name,
                    doc: doc(block),
                    size: block.number_of("range")?.unwrap_or(0),
                    nodes: nodes(block, access(block)?, 0, &mut budget)?,
                });
            }
        }
    }
    let (name, doc) = (name(component)?, doc(component));
    Ok(Map { name, doc, spaces, pci: None })
}

/// Returns the names of all address blocks.
pub(super) fn blocks(component: Element<'_>) -> Result<Vec<String>, Problem> {
    let maps = component.required("memoryMaps")?.named("memoryMap");
    maps.flat_map(|map| map.named("addressBlock")).map(name).collect()
}

fn name(element: Element<'_>) -> Result<String, Problem> {
    let name = element.required("name")?;
    Ok(name.text().ok_or_else(|| name.problem("<name> is empty"))?.to_owned())
}

fn doc(element: Element<'_>) -> String {
    text::doc(element.text_of("description"), false)
}

fn nodes(
    around: Element<'_>,
    access: Option<Access>,
    depth: usize,
    budget: &mut Budget,
) -> Result<Vec<Node>, Problem> {
    if depth > DEPTH {
        return Err(around.problem(format!("more than {DEPTH} register files inside each other")));
    }
    let mut nodes = Vec::new();
    for child in around.children() {
        let node = match child.tag() {
            "register" => Node::Register(register(child, access, budget)?),
            "registerFile" => Node::Group(group(child, access, depth, budget)?),
            _ => continue,
        };
        nodes.push(node);
    }
    Ok(nodes)
}

fn group(
    element: Element<'_>,
    outer: Option<Access>,
    depth: usize,
    budget: &mut Budget,
) -> Result<Group, Problem> {
    budget.take()?;
    let range = element.number_of("range")?.unwrap_or(0);
    Ok(Group {
        name: name(element)?,
        doc: doc(element),
        offset: element.required("addressOffset")?.number()?,
        array: array(element, range)?,
        nodes: nodes(element, access(element)?.or(outer), depth + 1, budget)?,
        notes: Vec::new(),
    })
}

fn register(
    element: Element<'_>,
    outer: Option<Access>,
    budget: &mut Budget,
) -> Result<Register, Problem> {
    budget.take()?;
    let bits = element.required("size")?.number()?;
    let access = access(element)?.or(outer);
    let mut fields = Vec::new();
    let mut reset = reset(element)?;
    for field in element.named("field") {
        budget.take()?;
        let one = self::field(field, access)?;
        if let Some(value) = self::reset(field)? {
            let bits = value.checked_shl(u32::try_from(one.first).unwrap_or(64)).unwrap_or(0);
            reset = Some(reset.unwrap_or(0) | bits);
        }
        fields.push(one);
    }
    let alternates = element.child("alternateRegisters").is_some();
    let notes = alternates.then(|| "the register has alternates, which are left out".to_owned());
    let (policy, _) = policy::policy(access.unwrap_or_default(), Write::Stores, Read::Nothing);
    Ok(Register {
        name: name(element)?,
        doc: doc(element),
        offset: element.required("addressOffset")?.number()?,
        bits,
        array: array(element, bits.div_ceil(8))?,
        policy,
        reset,
        fields,
        is_overlaid: false,
        notes: notes.into_iter().collect(),
    })
}

fn field(element: Element<'_>, outer: Option<Access>) -> Result<Field, Problem> {
    let access = access(element)?.or(outer).unwrap_or_default();
    let (policy, notes) = policy::policy(access, write(element)?, read_effect(element)?);
    let first = element.required("bitOffset")?.number()?;
    let width = element.required("bitWidth")?.number()?;
    if width == 0 || first.saturating_add(width) > 64 {
        return Err(element.problem(format!("a field has {width} bits from bit {first} on")));
    }
    let constraint = policies(element, "writeValueConstraint");
    let only = constraint.and_then(|constraint| constraint.child("useEnumeratedValues"));
    Ok(Field {
        name: name(element)?,
        doc: doc(element),
        first,
        width,
        policy,
        values: values(element)?,
        other: None,
        reset: None,
        is_rejecting: only.map_or(Ok(false), Element::boolean)?,
        notes,
    })
}

fn values(field: Element<'_>) -> Result<Vec<Value>, Problem> {
    let all = field.named("enumeratedValues").flat_map(|list| list.named("enumeratedValue"));
    let value = |one: Element<'_>| {
        let value = one.required("value")?.number()?;
        Ok(Value { name: name(one)?, doc: doc(one), value })
    };
    all.map(value).collect()
}

/// Returns what an element says itself, or since 2022 in a list of policies.
fn policies<'d>(element: Element<'d>, tag: &str) -> Option<Element<'d>> {
    let of_field =
        element.child("fieldAccessPolicies").and_then(|all| all.child("fieldAccessPolicy"));
    let of_others = element.child("accessPolicies").and_then(|all| all.child("accessPolicy"));
    let places = [Some(element), of_field, of_others];
    places.into_iter().flatten().find_map(|place| place.child(tag))
}

fn access(element: Element<'_>) -> Result<Option<Access>, Problem> {
    let Some(access) = policies(element, "access") else { return Ok(None) };
    Ok(Some(match access.text().unwrap_or_default() {
        // It reads as zero then, if at all.
        "read-only" | "no-access" => Access::ReadOnly,
        "write-only" => Access::WriteOnly,
        "read-write" => Access::ReadWrite,
        "writeOnce" => Access::WriteOnce,
        "read-writeOnce" => Access::ReadWriteOnce,
        other => return Err(access.problem(format!("<access> is `{other}`"))),
    }))
}

fn write(element: Element<'_>) -> Result<Write, Problem> {
    let Some(effect) = policies(element, "modifiedWriteValue") else { return Ok(Write::Stores) };
    Ok(match effect.text().unwrap_or_default() {
        "oneToClear" => Write::OnesClear,
        "oneToSet" => Write::OnesSet,
        "oneToToggle" => Write::OnesToggle,
        "zeroToClear" => Write::ZerosClear,
        "zeroToSet" => Write::ZerosSet,
        "zeroToToggle" => Write::ZerosToggle,
        "clear" => Write::Clears,
        "set" => Write::Sets,
        "modify" => Write::Modifies,
        other => return Err(effect.problem(format!("<modifiedWriteValue> is `{other}`"))),
    })
}

fn read_effect(element: Element<'_>) -> Result<Read, Problem> {
    let Some(effect) = policies(element, "readAction") else { return Ok(Read::Nothing) };
    Ok(match effect.text().unwrap_or_default() {
        "clear" => Read::Clears,
        "set" => Read::Sets,
        "modify" => Read::Modifies,
        other => return Err(effect.problem(format!("<readAction> is `{other}`"))),
    })
}

/// Returns the reset value of a register or of a field.
fn reset(element: Element<'_>) -> Result<Option<u64>, Problem> {
    let resets = element.child("resets").unwrap_or(element);
    let Some(reset) = resets.child("reset") else { return Ok(None) };
    reset.required("value")?.number().map(Some)
}

/// Returns the array that an element is: of dimensions, which are laid out one behind the other.
fn array(element: Element<'_>, size: u64) -> Result<Option<Array>, Problem> {
    let array = element.child("array");
    let (mut count, mut is_array) = (1u64, false);
    for dim in array.unwrap_or(element).named("dim") {
        (count, is_array) = (count.saturating_mul(dim.number()?), true);
    }
    if count == 0 {
        return Err(element.problem("<dim> is 0"));
    }
    let stride = array.map_or(Ok(None), |array| array.number_of("stride"))?.unwrap_or(size);
    Ok(is_array.then_some(Array { count, stride }))
}
