//! Shapes as text: for schemas, and for people.

use std::fmt;

use super::{Member, Members, Order, PLAIN, Plain, Samples, Shape, Variant, skip};

/// What separates a shape and the values that are refused.
const BUT: &str = " but ";

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Any => f.write_str("any"),
            Shape::Plain(plain) => f.write_str(plain.name()),
            Shape::Partial(of, refused) => write!(f, "{of}{BUT}{}", refused.text(of)),
            Shape::Option(of) => write!(f, "Option<{of}>"),
            Shape::Seq(of, _) if **of == Shape::Plain(Plain::U8) => f.write_str("bytes"),
            Shape::Seq(of, _) => write!(f, "[{of}]"),
            Shape::Map(of, _) => write!(f, "Map<{}, {}>", of.0, of.1),
            Shape::Tuple(runs) => match &runs[..] {
                [] => f.write_str("[]"),
                [(1, shape)] => write!(f, "({shape},)"),
                [(count, shape)] => write!(f, "[{shape}; {count}]"),
                _ => {
                    f.write_str("(")?;
                    list(f, ", ", runs.iter(), |f, (count, shape)| match count {
                        1 => write!(f, "{shape}"),
                        count => write!(f, "{shape}; {count}"),
                    })?;
                    f.write_str(")")
                }
            },
            Shape::Struct(members) => {
                f.write_str("{")?;
                list(f, ", ", members.list.iter(), |f, member| {
                    let Member { name, is_optional, is_alias, shape } = member;
                    match (is_alias, is_optional) {
                        (true, _) => write!(f, "or {}: {shape}", quoted(name)),
                        (false, true) => write!(f, "{}?: {shape}", quoted(name)),
                        (false, false) => write!(f, "{}: {shape}", quoted(name)),
                    }
                })?;
                f.write_str("}")
            }
            Shape::Enum(variants) => {
                f.write_str("<")?;
                list(f, " | ", variants.iter(), |f, Variant { name, shape }| {
                    let name = quoted(name);
                    match shape {
                        Shape::Plain(Plain::Unit) => f.write_str(&name),
                        Shape::Tuple(_) | Shape::Struct(_) => write!(f, "{name}{shape}"),
                        shape => write!(f, "{name}({shape})"),
                    }
                })?;
                f.write_str(">")
            }
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    separator: &str,
    items: impl Iterator<Item = T>,
    mut show: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (place, item) in items.enumerate() {
        if place > 0 {
            f.write_str(separator)?;
        }
        show(f, item)?;
    }
    Ok(())
}

fn is_identifier(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// A name; one that is no identifier as a string of JSON.
fn quoted(name: &str) -> String {
    if !name.is_empty() && name.chars().all(is_identifier) {
        return name.to_owned();
    }
    serde_json::Value::from(name).to_string()
}

impl Shape {
    /// Reads what [`Display`](fmt::Display) has written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let shape = parse(&mut rest)?;
        rest.is_empty().then_some(shape)
    }
}

fn parse(rest: &mut &str) -> Option<Shape> {
    let shape = parse_whole(rest)?;
    if !skip(rest, BUT) {
        return Some(shape);
    }
    let refused = Samples::parse(rest, &shape)?;
    Some(shape.but(refused))
}

fn parse_whole(rest: &mut &str) -> Option<Shape> {
    if skip(rest, "[]") {
        return Some(Shape::Tuple(Vec::new()));
    }
    if skip(rest, "[") {
        let of = parse(rest)?;
        let shape = if skip(rest, "; ") {
            Shape::Tuple(vec![(number(rest)?, of)])
        } else {
            Shape::many(of)
        };
        return skip(rest, "]").then_some(shape);
    }
    if skip(rest, "Option<") {
        let of = parse(rest)?;
        return skip(rest, ">").then(|| Shape::Option(Box::new(of)));
    }
    if skip(rest, "Map<") {
        let key = parse(rest)?;
        let value = skip(rest, ", ").then(|| parse(rest))??;
        let map = Shape::Map(Box::new((key, value)), Order::Sorted);
        return skip(rest, ">").then_some(map);
    }
    if skip(rest, "any") {
        return Some(Shape::Any);
    }
    // The longest first: none of them begins another one but `()`, which is also a tuple's start.
    if let Some((plain, _)) = PLAIN.iter().find(|(_, name)| skip(rest, name)) {
        return Some(Shape::Plain(*plain));
    }
    match rest.chars().next()? {
        '(' => elements(rest).map(|(runs, _)| Shape::Tuple(runs)),
        '{' => members(rest),
        '<' => variants(rest),
        _ => None,
    }
}

/// What is between parentheses, and whether a comma ends it, as in a tuple of one.
fn elements(rest: &mut &str) -> Option<(Vec<(u32, Shape)>, bool)> {
    let mut runs = Vec::new();
    let mut next = "(";
    while skip(rest, next) {
        let of = parse(rest)?;
        runs.push((if skip(rest, "; ") { number(rest)? } else { 1 }, of));
        next = ", ";
    }
    let is_one = skip(rest, ",");
    skip(rest, ")").then_some((runs, is_one))
}

fn members(rest: &mut &str) -> Option<Shape> {
    let mut list = Vec::new();
    skip(rest, "{");
    while !skip(rest, "}") {
        if !list.is_empty() && !skip(rest, ", ") {
            return None;
        }
        let is_alias = skip(rest, "or ");
        let name = name(rest)?.into();
        let is_optional = skip(rest, "?") || is_alias;
        let shape = skip(rest, ": ").then(|| parse(rest))??;
        list.push(Member { name, is_optional, is_alias, shape });
    }
    Some(Shape::Struct(Members::new(list)))
}

fn variants(rest: &mut &str) -> Option<Shape> {
    let mut list = Vec::new();
    skip(rest, "<");
    while !skip(rest, ">") {
        if !list.is_empty() && !skip(rest, " | ") {
            return None;
        }
        let name = name(rest)?.into();
        let shape = match rest.chars().next()? {
            '(' => match elements(rest)? {
                (mut runs, false) if runs.len() == 1 && runs[0].0 == 1 => runs.remove(0).1,
                (runs, _) => Shape::Tuple(runs),
            },
            '[' | '{' => parse(rest)?,
            _ => Shape::Plain(Plain::Unit),
        };
        list.push(Variant { name, shape });
    }
    Some(Shape::Enum(list))
}

fn number(rest: &mut &str) -> Option<u32> {
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    digits.parse().ok()
}

fn name(rest: &mut &str) -> Option<String> {
    if rest.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let name = values.next()?.ok()?;
        *rest = &rest[values.byte_offset()..];
        return Some(name);
    }
    let end = rest.find(|letter| !is_identifier(letter)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after;
    (!name.is_empty()).then(|| name.to_owned())
}
