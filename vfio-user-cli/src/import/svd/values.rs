//! Values of fields that have names.

use super::super::map::{Budget, Value};
use super::super::number;
use super::super::policy;
use super::super::problem::Problem;
use super::super::text;
use super::super::xml::Element;
use super::derived::Derived;

#[derive(Default)]
pub(super) struct Named {
    pub(super) values: Vec<Value>,
    /// The name of all others.
    pub(super) other: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Reads the values of a field. Of two lists, one for reads and one for writes, the one counts that
/// says what the field holds.
pub(super) fn read(
    field: &Derived<'_>,
    policy: &str,
    is_own: bool,
    budget: &mut Budget,
) -> Result<Named, Problem> {
    let mut lists = Vec::new();
    for list in field.all("enumeratedValues") {
        let list = Derived::resolve(list, budget)?;
        lists.push((list.text("usage").unwrap_or("read-write"), list));
    }
    let other_use = if policy::is_readable(policy) { "write" } else { "read" };
    let main = lists.iter().position(|(usage, _)| *usage != other_use).unwrap_or(0);
    let mut named = Named::default();
    for (at, (usage, list)) in lists.iter().enumerate() {
        if at == main {
            values(list, is_own, &mut named, budget)?;
        } else {
            named.notes.push(summary(usage, list));
        }
    }
    Ok(named)
}

fn values(
    list: &Derived<'_>,
    is_own: bool,
    named: &mut Named,
    budget: &mut Budget,
) -> Result<(), Problem> {
    for element in list.all("enumeratedValue") {
        budget.step()?;
        // A value without a name has its number's.
        let text = element.text_of("value");
        let name = element.text_of("name").or(text);
        let Some(name) = name else { return Err(element.problem("a value has no name")) };
        let doc = text::doc(element.text_of("description"), is_own);
        if element.child("isDefault").is_some_and(|one| one.boolean().unwrap_or(false)) {
            named.other = Some(name.to_owned());
            continue;
        }
        let Some(text) = text else {
            return Err(element.problem("<enumeratedValue> lacks <value>"));
        };
        match number::parse(text) {
            Some(value) => named.values.push(Value { name: name.to_owned(), doc, value }),
            None if is_pattern(text) => {
                named.notes.push(format!("all values {text} are called {name}"));
            }
            None => return Err(element.problem(format!("`{text}` is not a number of 64 bits"))),
        }
    }
    Ok(())
}

/// Returns whether a binary number has bits that may be both.
fn is_pattern(text: &str) -> bool {
    let digits = text.strip_prefix('#').or_else(|| text.strip_prefix("0b")).unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|digit| matches!(digit, '0' | '1' | 'x' | 'X'))
}

/// `written: 1 = CLEAR`.
fn summary(usage: &str, list: &Derived<'_>) -> String {
    let one = |element: Element<'_>| {
        let name = element.text_of("name").unwrap_or_default();
        format!("{} = {name}", element.text_of("value").unwrap_or("others"))
    };
    let all: Vec<_> = list.all("enumeratedValue").into_iter().map(one).collect();
    let usage = if usage == "read" { "read" } else { "written" };
    format!("when {usage}: {}", all.join(", "))
}
