//! The fields of structs.

use serde::ser::{Serialize, SerializeStruct, SerializeStructVariant};

use super::super::shape::{ANY, Member, Shape};
use super::super::{ValueError, wire};
use super::{Encoder, Result};

/// The fields of a struct: 0, and all of them as the shape has them; or their number, the place of
/// each in the shape, and they.
pub(in super::super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    /// Empty if each field has its name in front of it.
    members: &'a [Member],
    /// Behind the number.
    start: usize,
    /// How many came in the order of the shape, or the place behind the last one.
    next: usize,
    /// The places of all that came, if they are others than the shape has.
    order: Vec<usize>,
    /// How many fields with names are still to be written.
    left: usize,
    depth: u8,
}

impl<'a> Fields<'a> {
    /// The fields of a shape.
    #[inline]
    pub(super) fn of_members(out: &'a mut Vec<u8>, members: &'a [Member], depth: u8) -> Self {
        let start = out.len();
        Fields { out, members, start, next: 0, order: Vec::new(), left: 0, depth }
    }

    /// Fields that are written with their names.
    pub(super) fn of_any(out: &'a mut Vec<u8>, left: usize, depth: u8) -> Self {
        let start = out.len();
        Fields { out, members: &[], start, next: 0, order: Vec::new(), left, depth }
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        let shape = match self.members.get(self.next) {
            Some(member) if is_called(member, name) && self.order.is_empty() => {
                self.next += 1;
                &member.shape
            }
            _ => self.out_of_order(name)?,
        };
        value.serialize(Encoder { out: self.out, shape, depth: self.depth })
    }

    #[inline(never)]
    fn out_of_order(&mut self, name: &str) -> Result<&'a Shape> {
        if self.left > 0 {
            self.left -= 1;
            wire::put_str(self.out, name);
            return Ok(&ANY);
        }
        let is_it = |member: &Member| member.name == name && !member.is_alias;
        let place = self.members.iter().position(is_it).ok_or_else(|| {
            ValueError::new(format!("the field `{name}` of a struct is written and not read"))
        })?;
        if self.order.is_empty() {
            self.order = (0..self.next).collect();
        }
        if self.order.contains(&place) {
            return Err(ValueError::new(format!("the field `{name}` of a struct comes twice")));
        }
        self.order.push(place);
        self.next = place + 1;
        Ok(&self.members[place].shape)
    }

    #[inline]
    fn complete(self) -> Result<()> {
        // Other names of fields come last.
        let is_whole = self.members.get(self.next).is_none_or(|member| member.is_alias);
        if is_whole && self.order.is_empty() && self.left == 0 {
            return Ok(());
        }
        self.complete_with_places()
    }

    fn complete_with_places(mut self) -> Result<()> {
        if self.left > 0 {
            return Err(ValueError::said("a struct has other fields than it says"));
        }
        if self.order.is_empty() {
            self.order = (0..self.next).collect();
        }
        let own = self.members.iter().take_while(|member| !member.is_alias).enumerate();
        let mut lacks =
            own.filter(|(place, member)| !member.is_optional && !self.order.contains(place));
        if let Some((_, member)) = lacks.next() {
            let text = format!("the field `{}` of a struct is read and not written", member.name);
            return Err(ValueError::new(text));
        }
        let mut head = Vec::new();
        wire::put_len(&mut head, self.order.len() + 1);
        self.order.iter().for_each(|place| wire::put_len(&mut head, *place));
        self.out.splice(self.start - 1..self.start, head);
        Ok(())
    }
}

/// Whether a field has this name: those of a derived writer and of a derived reader are mostly one
/// and the same text, which need not be compared.
#[inline]
fn is_called(member: &Member, name: &str) -> bool {
    let is_same = std::ptr::eq(&raw const *member.name, name) || member.name == name;
    is_same && !member.is_alias
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
