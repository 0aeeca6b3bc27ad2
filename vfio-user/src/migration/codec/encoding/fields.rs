//! The fields of structs.

use serde::ser::{Serialize, SerializeStruct, SerializeStructVariant};

use super::super::shape::{ANY, Member, Shape};
use super::super::{ValueError, wire};
use super::{Encoder, Result, Writer};

/// The fields of a struct: 0, and all of them as the shape has them; or their number, the place of
/// each in the shape, and they.
pub(super) struct Fields<'a> {
    out: &'a mut Writer,
    members: &'a [Member],
    /// The members that are still to come, as long as all come in the order of the shape.
    rest: std::slice::Iter<'a, Member>,
    /// The places of all that came, once one did not come in order.
    places: Vec<usize>,
    /// How many fields with names are still to be written.
    untyped: usize,
    /// Behind the number.
    start: usize,
}

impl<'a> Fields<'a> {
    /// Fields of a shape, or so many `untyped` ones.
    #[inline]
    pub(super) fn new(out: &'a mut Writer, members: &'a [Member], untyped: usize) -> Result<Self> {
        out.enter()?;
        let (start, rest, places) = (out.bytes.len(), members.iter(), Vec::new());
        Ok(Fields { out, members, rest, places, untyped, start })
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        let shape = match self.rest.as_slice().first() {
            Some(member) if is_called(member, name) => {
                self.rest.next();
                &member.shape
            }
            _ => self.out_of_order(name)?,
        };
        value.serialize(Encoder { out: self.out, shape })
    }

    #[inline(never)]
    fn out_of_order(&mut self, name: &str) -> Result<&'a Shape> {
        if self.untyped > 0 {
            self.untyped -= 1;
            wire::put_str(&mut self.out.bytes, name);
            return Ok(&ANY);
        }
        self.give_up_order();
        let is_it = |member: &Member| member.name == name;
        let place = self.members.iter().position(is_it).ok_or_else(|| {
            ValueError::new(format!("the field `{name}` of a struct is written and not read"))
        })?;
        if self.places.contains(&place) {
            return Err(ValueError::new(format!("the field `{name}` of a struct comes twice")));
        }
        self.places.push(place);
        Ok(&self.members[place].shape)
    }

    /// From now on, each field is found by its name.
    fn give_up_order(&mut self) {
        if self.places.is_empty() {
            self.places.extend(0..self.members.len() - self.rest.len());
        }
        self.rest = [].iter();
    }

    #[inline]
    fn complete(self) -> Result<()> {
        self.out.leave();
        if self.rest.len() == 0 && self.places.is_empty() && self.untyped == 0 {
            return Ok(());
        }
        self.complete_with_places()
    }

    #[inline(never)]
    fn complete_with_places(mut self) -> Result<()> {
        if self.untyped > 0 {
            return Err(ValueError::said("a struct has other fields than it says"));
        }
        self.give_up_order();
        let members = self.members.iter().enumerate();
        let mut lacks =
            members.filter(|(place, member)| !member.is_optional && !self.places.contains(place));
        if let Some((_, member)) = lacks.next() {
            let text = format!("the field `{}` of a struct is read and not written", member.name);
            return Err(ValueError::new(text));
        }
        let mut head = Vec::new();
        wire::put_len(&mut head, self.places.len() + 1);
        self.places.iter().for_each(|place| wire::put_len(&mut head, *place));
        self.out.bytes.splice(self.start - 1..self.start, head);
        Ok(())
    }
}

/// Whether a field has this name: those of a derived writer and of a derived reader are mostly one
/// and the same text, which need not be compared.
#[inline]
fn is_called(member: &Member, name: &str) -> bool {
    std::ptr::eq(&raw const *member.name, name) || has_name(member, name)
}

#[inline(never)]
fn has_name(member: &Member, name: &str) -> bool {
    member.name == name
}

macro_rules! structs {
    ($($shape:ident)*) => {$(
        impl $shape for Fields<'_> {
            type Ok = ();
            type Error = ValueError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<()> {
                self.field(name, value)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.complete()
            }
        }
    )*};
}

structs!(SerializeStruct SerializeStructVariant);
