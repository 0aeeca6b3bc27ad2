//! Whether a value of one shape can be read as another.

use super::super::ValueError;
use super::{Member, Members, Plain, Shape, total};

impl Shape {
    /// Whether a value of the shape that a stream gives can be read as this one. What is in the
    /// value may still be refused: a variant, or a field that may be left out, that this one does
    /// not have.
    ///
    /// # Errors
    ///
    /// What differs, with both types.
    pub(crate) fn accepts(&self, given: &Shape) -> Result<(), ValueError> {
        Comparison { is_strict: false, path: Vec::new() }.run(self, given)
    }

    /// Whether every value of a shape can be read as this one.
    ///
    /// # Errors
    ///
    /// What differs.
    pub(crate) fn always_accepts(&self, given: &Shape) -> Result<(), ValueError> {
        Comparison { is_strict: true, path: Vec::new() }.run(self, given)
    }
}

struct Comparison<'a> {
    /// Whether it counts what a value need not hold.
    is_strict: bool,
    path: Vec<&'a str>,
}

impl<'a> Comparison<'a> {
    fn run(mut self, own: &'a Shape, given: &'a Shape) -> Result<(), ValueError> {
        self.compare(own, given).map_err(|problem| match self.path.as_slice() {
            [] => ValueError::new(format!("it {problem}")),
            path => {
                let path: Vec<_> = path.iter().rev().copied().collect();
                ValueError::new(format!("`{}` in it {problem}", path.join(".")))
            }
        })
    }

    fn compare(&mut self, own: &'a Shape, given: &'a Shape) -> Result<(), String> {
        match (own, given) {
            (Shape::Any, Shape::Any) => Ok(()),
            (Shape::Any, _) | (_, Shape::Any) if !self.is_strict => Ok(()),
            (Shape::Partial(own, refused), given) => {
                self.compare(own, given)?;
                let lost = refused.without(given.refused());
                if lost.is_empty() || !self.is_strict {
                    return Ok(());
                }
                Err(format!("may be {}", lost.text(own)))
            }
            (own, Shape::Partial(given, _)) => self.compare(own, given),
            (Shape::Plain(own), Shape::Plain(given)) if own == given => Ok(()),
            (Shape::Plain(Plain::Bytes), Shape::Seq(of, _))
            | (Shape::Seq(of, _), Shape::Plain(Plain::Bytes))
                if *of.whole() == BYTE =>
            {
                if self.is_strict {
                    self.compare(own.element(), given.element())
                } else {
                    Ok(())
                }
            }
            (Shape::Option(own), Shape::Option(given))
            | (Shape::Seq(own, _), Shape::Seq(given, _)) => self.compare(own, given),
            (Shape::Map(own, _), Shape::Map(given, _)) => {
                self.compare(&own.0, &given.0)?;
                self.compare(&own.1, &given.1)
            }
            (Shape::Tuple(own), Shape::Tuple(given)) if total(own) == total(given) => {
                pairs(own, given).try_for_each(|(own, given)| self.compare(own, given))
            }
            (Shape::Struct(own), Shape::Struct(given)) => self.members(own, given),
            (Shape::Enum(own), Shape::Enum(given)) => {
                given.iter().try_for_each(|variant| {
                    match own.iter().find(|own| own.name == variant.name) {
                        Some(own) => {
                            let accepted = self.compare(&own.shape, &variant.shape);
                            self.within(&variant.name, accepted)
                        }
                        None if self.is_strict => Err(format!("may be `{}`", variant.name)),
                        None => Ok(()),
                    }
                })
            }
            (own, given) => Err(format!("is `{given}` in the state and `{own}` in this version")),
        }
    }

    fn within<T>(&mut self, name: &'a str, result: Result<T, String>) -> Result<T, String> {
        result.inspect_err(|_| self.path.push(name))
    }

    fn members(&mut self, own: &'a Members, given: &'a Members) -> Result<(), String> {
        // Other names are never written.
        for Member { name, is_optional, shape, .. } in given.own() {
            match own.list.iter().find(|own| own.name == *name) {
                // Another name of a field whose type has not been seen.
                Some(Member { shape: Shape::Any, is_alias: true, .. }) => {}
                Some(own) => {
                    let accepted = self.compare(&own.shape, shape);
                    self.within(name, accepted)?;
                }
                None if *is_optional && !self.is_strict => {}
                None => {
                    return Err(format!("has a field that this version does not have: `{name}`"));
                }
            }
        }
        let has = |own: &Member| given.own().iter().find(|given| given.name == own.name);
        let by_alias = own.list.iter().any(|own| own.is_alias && has(own).is_some());
        for own in own.list.iter().filter(|own| !own.is_optional && !by_alias) {
            if has(own).is_none() {
                return Err(format!("lacks the field `{}`", own.name));
            }
        }
        Ok(())
    }
}

static BYTE: Shape = Shape::Plain(Plain::U8);

impl Shape {
    fn whole(&self) -> &Shape {
        if let Shape::Partial(of, _) = self { of } else { self }
    }

    /// The shape of the elements of a list, or of bytes.
    fn element(&self) -> &Shape {
        if let Shape::Seq(of, _) = self { of } else { &BYTE }
    }
}

/// The shapes of elements that are at the same places, each pair once.
fn pairs<'a>(
    own: &'a [(u32, Shape)],
    given: &'a [(u32, Shape)],
) -> impl Iterator<Item = (&'a Shape, &'a Shape)> {
    let ends = |runs: &'a [(u32, Shape)]| {
        let mut end = 0;
        runs.iter().map(move |(count, shape)| {
            end += u64::from(*count);
            (end, shape)
        })
    };
    let (mut own, mut given) = (ends(own).peekable(), ends(given).peekable());
    std::iter::from_fn(move || {
        let ((own_end, own_shape), (given_end, given_shape)) = (*own.peek()?, *given.peek()?);
        if own_end <= given_end {
            own.next();
        }
        if given_end <= own_end {
            given.next();
        }
        Some((own_shape, given_shape))
    })
}
