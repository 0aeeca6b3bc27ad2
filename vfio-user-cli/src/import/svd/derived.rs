//! Elements that take what they do not say from others: `derivedFrom`.

use super::super::map::Budget;
use super::super::problem::Problem;
use super::super::xml::Element;

/// An element, and those from which it is derived.
#[derive(Clone, Debug)]
pub(super) struct Derived<'d>(Vec<Element<'d>>);

/// How long a chain may be.
const CHAIN: usize = 16;

impl<'d> Derived<'d> {
    pub(super) fn resolve(element: Element<'d>, budget: &mut Budget) -> Result<Self, Problem> {
        let mut chain = vec![element];
        while let Some(path) = chain[chain.len() - 1].attribute("derivedFrom") {
            let last = chain[chain.len() - 1];
            if chain.len() > CHAIN {
                return Err(last.problem("derived from itself, or through too many elements"));
            }
            chain.push(find(last, path, budget)?);
        }
        Ok(Derived(chain))
    }

    /// The element itself.
    pub(super) fn own(&self) -> Element<'d> {
        self.0[0]
    }

    pub(super) fn name(&self) -> Result<&'d str, Problem> {
        let name = self.own().required("name")?;
        name.text().ok_or_else(|| name.problem("<name> is empty"))
    }

    pub(super) fn child(&self, tag: &str) -> Option<Element<'d>> {
        self.0.iter().find_map(|element| element.child(tag))
    }

    pub(super) fn text(&self, tag: &str) -> Option<&'d str> {
        self.0.iter().find_map(|element| element.text_of(tag))
    }

    pub(super) fn number(&self, tag: &str) -> Result<Option<u64>, Problem> {
        self.child(tag).map(Element::number).transpose()
    }

    pub(super) fn required(&self, tag: &str) -> Result<u64, Problem> {
        let line = self.own();
        self.number(tag)?.ok_or_else(|| line.problem(format!("<{}> lacks <{tag}>", line.tag())))
    }

    /// Returns all children of the first element that has such ones.
    pub(super) fn all(&self, tag: &'static str) -> Vec<Element<'d>> {
        let mut lists = self.0.iter().map(|element| element.named(tag).collect::<Vec<_>>());
        lists.find(|list| !list.is_empty()).unwrap_or_default()
    }
}

/// Finds what a path means: names from a peripheral down, or from any element around this one.
fn find<'d>(from: Element<'d>, path: &str, budget: &mut Budget) -> Result<Element<'d>, Problem> {
    let names: Vec<_> = path.split('.').map(str::trim).collect();
    let mut scope = from.parent();
    while let Some(around) = scope {
        let found = match names.as_slice() {
            [name] if from.tag() == "enumeratedValues" => anywhere(around, from, name, budget)?,
            names => below(around, from, names, budget)?,
        };
        if let Some(found) = found {
            return Ok(found);
        }
        scope = around.parent();
    }
    Err(from.problem(format!("derived from `{path}`, which is no <{}> here", from.tag())))
}

/// Finds a list of values by its name alone, in any field.
fn anywhere<'d>(
    scope: Element<'d>,
    from: Element<'d>,
    name: &str,
    budget: &mut Budget,
) -> Result<Option<Element<'d>>, Problem> {
    for one in scope.descendants() {
        budget.step()?;
        if one.tag() == from.tag() && one.text_of("name") == Some(name) && !one.is(from) {
            return Ok(Some(one));
        }
    }
    Ok(None)
}

/// Follows the names from the elements in `scope`. The last one is of the same kind as `from`.
fn below<'d>(
    scope: Element<'d>,
    from: Element<'d>,
    names: &[&str],
    budget: &mut Budget,
) -> Result<Option<Element<'d>>, Problem> {
    let Some((name, rest)) = names.split_first() else { return Ok(None) };
    for child in scope.children() {
        budget.step()?;
        let is_list = matches!(child.tag(), "peripherals" | "registers" | "fields");
        let found = if is_list {
            below(child, from, names, budget)?
        } else if !child.text_of("name").is_some_and(|own| matches(own, name)) {
            None
        } else if rest.is_empty() {
            Some(child).filter(|child| child.tag() == from.tag() && !child.is(from))
        } else {
            below(child, from, rest, budget)?
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Returns whether a path that says `wanted` means the element `name`. An element of an array has
/// the array's name with its index.
fn matches(name: &str, wanted: &str) -> bool {
    if name == wanted {
        return true;
    }
    let Some((before, behind)) = name.split_once("%s") else { return false };
    let before = before.strip_suffix('[').unwrap_or(before);
    let behind = behind.strip_prefix(']').unwrap_or(behind);
    wanted.len() >= before.len() + behind.len()
        && wanted.starts_with(before)
        && wanted.ends_with(behind)
}
