//! What comes next in a value: what the shape says, or the value itself.

use super::super::ValueError;
use super::super::shape::{ANY, Members, Plain, Shape, Variant, plain_of, tag};
use super::{Decoder, Result};

pub(super) enum Head<'b> {
    Plain(Plain),
    Option(&'b Shape),
    Seq(&'b Shape),
    Map(&'b Shape, &'b Shape),
    Tuple(Option<&'b [(u32, Shape)]>),
    Struct(Option<&'b Members>),
    Enum(Option<&'b [Variant]>),
}

impl Head<'_> {
    fn name(&self) -> String {
        match self {
            Head::Plain(plain) => format!("`{}`", plain.name()),
            Head::Option(_) => "an option".into(),
            Head::Seq(_) => "a list".into(),
            Head::Map(..) => "a map".into(),
            Head::Tuple(_) => "a tuple".into(),
            Head::Struct(_) => "a struct".into(),
            Head::Enum(_) => "an enum".into(),
        }
    }

    /// Something else is wanted.
    #[cold]
    pub(super) fn differs<T>(&self, wanted: &str) -> Result<T> {
        let text = format!("it is {} in the state and {wanted} in this version", self.name());
        Err(ValueError::new(text))
    }
}

impl<'b> Decoder<'b, '_> {
    #[inline]
    pub(super) fn head(&mut self) -> Result<Head<'b>> {
        Ok(match self.shape {
            Shape::Plain(plain) => Head::Plain(*plain),
            Shape::Option(of) => Head::Option(of),
            Shape::Seq(of, _) => Head::Seq(of),
            Shape::Map(of, _) => Head::Map(&of.0, &of.1),
            Shape::Tuple(runs) => Head::Tuple(Some(runs)),
            Shape::Struct(members) => Head::Struct(Some(members)),
            Shape::Enum(variants) => Head::Enum(Some(variants)),
            Shape::Any => self.head_of_any()?,
            Shape::Partial(of, _) => {
                self.shape = of;
                return self.head();
            }
        })
    }

    fn head_of_any(&mut self) -> Result<Head<'b>> {
        Ok(match self.input.byte()? {
            tag::OPTION => Head::Option(&ANY),
            tag::SEQ => Head::Seq(&ANY),
            tag::MAP => Head::Map(&ANY, &ANY),
            tag::TUPLE => Head::Tuple(None),
            tag::STRUCT => Head::Struct(None),
            tag::ENUM => Head::Enum(None),
            tag => {
                Head::Plain(plain_of(tag).ok_or_else(|| ValueError::said("its type is unknown"))?)
            }
        })
    }

    /// Checks that a value without parts comes next.
    #[inline]
    pub(super) fn expect(self, plain: Plain) -> Result<Self> {
        match self.shape {
            Shape::Plain(given) if *given == plain => {}
            _ => Decoder { input: &mut *self.input, shape: self.shape }.expect_of_any(plain)?,
        }
        Ok(self)
    }

    #[inline(never)]
    fn expect_of_any(mut self, plain: Plain) -> Result<()> {
        match self.head()? {
            Head::Plain(given) if given == plain => Ok(()),
            other => other.differs(&format!("`{}`", plain.name())),
        }
    }
}
