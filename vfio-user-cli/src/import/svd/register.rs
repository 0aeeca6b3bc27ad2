//! Registers, clusters and fields.

use super::super::map::{Budget, DEPTH, Field, Group, Node, Register};
use super::super::policy::{self, Access, Read, Write};
use super::super::problem::Problem;
use super::super::text;
use super::super::xml::Element;
use super::derived::Derived;
use super::{Properties, access, array, values};

/// The most fields of an array, as many as the bits of a register.
const FIELDS: u64 = 64;

/// Reads what a peripheral contains.
pub(super) struct Reader<'b> {
    /// The file is an export of this project.
    pub(super) is_own: bool,
    pub(super) budget: &'b mut Budget,
}

/// What a register does on accesses, which holds for fields that say nothing else.
#[derive(Clone, Copy)]
struct Effects {
    access: Access,
    write: Write,
    read: Read,
}

impl Reader<'_> {
    pub(super) fn nodes(
        mut self,
        registers: Element<'_>,
        properties: Properties,
        depth: usize,
    ) -> Result<Vec<Node>, Problem> {
        self.inside(registers, properties, depth)
    }

    fn inside(
        &mut self,
        around: Element<'_>,
        properties: Properties,
        depth: usize,
    ) -> Result<Vec<Node>, Problem> {
        if depth > DEPTH {
            return Err(around.problem(format!("more than {DEPTH} clusters inside each other")));
        }
        let mut nodes = Vec::new();
        for child in around.children() {
            let node = match child.tag() {
                "register" => Node::Register(self.register(child, properties)?),
                "cluster" => Node::Group(self.cluster(child, properties, depth)?),
                _ => continue,
            };
            nodes.push(node);
        }
        Ok(nodes)
    }

    fn cluster(
        &mut self,
        element: Element<'_>,
        properties: Properties,
        depth: usize,
    ) -> Result<Group, Problem> {
        self.budget.take()?;
        let cluster = Derived::resolve(element, self.budget)?;
        let properties = properties.of(&cluster)?;
        let contents = cluster.child("register").or_else(|| cluster.child("cluster"));
        let contents = contents.and_then(Element::parent).unwrap_or(element);
        Ok(Group {
            name: plain(cluster.name()?),
            doc: text::doc(cluster.text("description"), self.is_own),
            offset: cluster.required("addressOffset")?,
            array: array(&cluster)?,
            nodes: self.inside(contents, properties, depth + 1)?,
            notes: indices(&cluster),
        })
    }

    fn register(
        &mut self,
        element: Element<'_>,
        properties: Properties,
    ) -> Result<Register, Problem> {
        self.budget.take()?;
        let register = Derived::resolve(element, self.budget)?;
        let properties = properties.of(&register)?;
        let effects = Effects {
            access: properties.access.unwrap_or_default(),
            write: write(&register)?.unwrap_or_default(),
            read: read(&register)?.unwrap_or_default(),
        };
        let mut notes = indices(&register);
        let mut fields = Vec::new();
        if let Some(list) = register.child("fields") {
            for field in list.named("field") {
                self.fields(field, effects, &mut fields)?;
            }
        }
        let (policy, missing) = policy::policy(effects.access, effects.write, effects.read);
        if fields.is_empty() {
            notes.extend(missing);
            notes.extend(constraint(&register, u64::MAX)?);
        }
        let mask = properties.reset_mask.unwrap_or(u64::MAX);
        Ok(Register {
            name: plain(register.name()?),
            doc: text::doc(register.text("description"), self.is_own),
            offset: register.required("addressOffset")?,
            bits: properties.bits.unwrap_or(32),
            array: array(&register)?,
            policy,
            reset: properties.reset.map(|reset| reset & mask),
            fields,
            is_overlaid: false,
            notes,
        })
    }

    fn fields(
        &mut self,
        element: Element<'_>,
        register: Effects,
        all: &mut Vec<Field>,
    ) -> Result<(), Problem> {
        let field = Derived::resolve(element, self.budget)?;
        let array = array(&field)?;
        let (count, stride) = array.map_or((1, 0), |array| (array.count, array.stride));
        if count > FIELDS {
            return Err(element.problem(format!("more than {FIELDS} fields")));
        }
        for index in 0..count {
            self.budget.take()?;
            let mut one = self.field(&field, register)?;
            if array.is_some() {
                one.name = one.name.replace("[%s]", "%s").replace("%s", &index.to_string());
            }
            one.first = one.first.saturating_add(index.saturating_mul(stride));
            all.push(one);
        }
        Ok(())
    }

    fn field(&mut self, field: &Derived<'_>, register: Effects) -> Result<Field, Problem> {
        let (first, width) = bits(field)?;
        let access = access(field)?.unwrap_or(register.access);
        let write = write(field)?.unwrap_or(register.write);
        let read = read(field)?.unwrap_or(register.read);
        let (policy, mut notes) = policy::policy(access, write, read);
        let named = values::read(field, policy, self.is_own, self.budget)?;
        notes.extend(named.notes);
        let largest = u64::MAX >> 64u64.saturating_sub(width).min(63);
        notes.extend(constraint(field, largest)?);
        Ok(Field {
            name: field.name()?.to_owned(),
            doc: text::doc(field.text("description"), self.is_own),
            first,
            width,
            policy,
            values: named.values,
            other: named.other,
            reset: None,
            is_rejecting: is_limited_to_names(field)?,
            notes,
        })
    }
}

/// Returns a name without the place of an index.
fn plain(name: &str) -> String {
    name.replace("[%s]", "").replace("%s", "")
}

/// A note of indices that do not count from zero.
fn indices(element: &Derived<'_>) -> Vec<String> {
    let Some(index) = element.text("dimIndex") else { return Vec::new() };
    let is_usual = index.starts_with("0-") || index.replace(' ', "").starts_with("0,1");
    if is_usual { Vec::new() } else { vec![format!("the elements are called {index}")] }
}

/// Returns the lowest bit and the width of a field, from one of three forms.
fn bits(field: &Derived<'_>) -> Result<(u64, u64), Problem> {
    let wrong =
        || field.own().problem("<field> has no valid <bitRange>, <lsb> and <msb>, or <bitOffset>");
    let (first, last) = if let Some(range) = field.text("bitRange") {
        let range = range.strip_prefix('[').and_then(|range| range.strip_suffix(']'));
        let (last, first) = range.and_then(|range| range.split_once(':')).ok_or_else(wrong)?;
        let number = |text: &str| super::super::number::parse(text).ok_or_else(wrong);
        (number(first)?, number(last)?)
    } else if let (Some(first), Some(last)) = (field.number("lsb")?, field.number("msb")?) {
        (first, last)
    } else {
        let first = field.number("bitOffset")?.ok_or_else(wrong)?;
        let width = field.number("bitWidth")?.unwrap_or(1);
        (first, first.saturating_add(width).checked_sub(1).ok_or_else(wrong)?)
    };
    if first > last || last >= 64 {
        return Err(field.own().problem(format!("a field has the bits {last} to {first}")));
    }
    Ok((first, last - first + 1))
}

fn write(element: &Derived<'_>) -> Result<Option<Write>, Problem> {
    let Some(effect) = element.child("modifiedWriteValues") else { return Ok(None) };
    Ok(Some(match effect.text().unwrap_or_default() {
        "oneToClear" => Write::OnesClear,
        "oneToSet" => Write::OnesSet,
        "oneToToggle" => Write::OnesToggle,
        "zeroToClear" => Write::ZerosClear,
        "zeroToSet" => Write::ZerosSet,
        "zeroToToggle" => Write::ZerosToggle,
        "clear" => Write::Clears,
        "set" => Write::Sets,
        // The default of the format.
        "modify" => Write::Stores,
        other => return Err(effect.problem(format!("<modifiedWriteValues> is `{other}`"))),
    }))
}

fn read(element: &Derived<'_>) -> Result<Option<Read>, Problem> {
    let Some(effect) = element.child("readAction") else { return Ok(None) };
    Ok(Some(match effect.text().unwrap_or_default() {
        "clear" => Read::Clears,
        "set" => Read::Sets,
        "modify" | "modifyExternal" => Read::Modifies,
        other => return Err(effect.problem(format!("<readAction> is `{other}`"))),
    }))
}

/// A note of the values that may be written, unless these are all up to `largest`.
fn constraint(element: &Derived<'_>, largest: u64) -> Result<Option<String>, Problem> {
    let Some(constraint) = element.child("writeConstraint") else { return Ok(None) };
    if let Some(as_read) = constraint.child("writeAsRead") {
        return Ok(as_read.boolean()?.then(|| "only what was read is written".to_owned()));
    }
    let Some(range) = constraint.child("range") else { return Ok(None) };
    let first = range.number_of("minimum")?.unwrap_or(0);
    let last = range.number_of("maximum")?.unwrap_or(largest);
    let is_limit = first > 0 || last < largest;
    Ok(is_limit.then(|| format!("only {first:#x} to {last:#x} are written")))
}

fn is_limited_to_names(field: &Derived<'_>) -> Result<bool, Problem> {
    let constraint = field.child("writeConstraint");
    let only = constraint.and_then(|constraint| constraint.child("useEnumeratedValues"));
    only.map_or(Ok(false), Element::boolean)
}
