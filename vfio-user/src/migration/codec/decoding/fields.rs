//! The fields of structs, by their names and without them.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::super::shape::{ANY, Member, Members, Memo, Shape};
use super::super::{ValueError, wire};
use super::input::Input;
use super::{Decoder, Result};

impl<'b, 'de> Decoder<'b, 'de> {
    #[inline]
    pub(super) fn fields<V: Visitor<'de>>(
        self,
        members: Option<&'b Members>,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value> {
        let count = wire::take_u64(&mut self.input.bytes)?;
        self.input.within(|input| match (members, count, known) {
            (Some(members), 0, Some(known)) if is_positional::<V>(members, known) => {
                visitor.visit_seq(InOrder { input, members: members.list.iter() })
            }
            _ => visitor.visit_map(Fields::new(input, members, count, known)?),
        })
    }
}

/// The fields of a struct without their names.
struct InOrder<'b, 'de> {
    input: &'b mut Input<'de>,
    members: std::slice::Iter<'b, Member>,
}

impl<'de> SeqAccess<'de> for InOrder<'_, 'de> {
    type Error = ValueError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(member) = self.members.next() else { return Ok(None) };
        let element = Decoder { input: self.input, shape: &member.shape };
        seed.deserialize(element).map(Some)
    }
}

/// Which fields of a struct there are.
enum Order<'b> {
    All(std::slice::Iter<'b, Member>),
    Given(&'b [Member], std::vec::IntoIter<usize>),
    /// Each has its name in front of it.
    Named,
}

/// The fields of a struct by their names.
struct Fields<'b, 'de> {
    input: &'b mut Input<'de>,
    order: Order<'b>,
    /// Those that the reader has, if it says so.
    known: Option<&'static [&'static str]>,
    left: usize,
    /// Of the field whose name has been read.
    shape: &'b Shape,
}

impl<'b, 'de> Fields<'b, 'de> {
    fn new(
        input: &'b mut Input<'de>,
        members: Option<&'b Members>,
        count: u64,
        known: Option<&'static [&'static str]>,
    ) -> Result<Self> {
        let (order, left) = match members {
            None => {
                let left = usize::try_from(count).ok().filter(|count| *count <= input.bytes.len());
                let wrong = || ValueError::said("it holds more elements than bytes");
                (Order::Named, left.ok_or_else(wrong)?)
            }
            Some(Members { list, .. }) if count > 0 => {
                let places = places(&mut input.bytes, count - 1, list)?;
                let left = places.len();
                (Order::Given(list, places.into_iter()), left)
            }
            Some(Members { list, .. }) => (Order::All(list.iter()), list.len()),
        };
        if known.is_none() {
            input.spend(left as u64)?;
        }
        Ok(Fields { input, order, known, left, shape: &ANY })
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let member = match &mut self.order {
            Order::All(members) => members.next(),
            Order::Given(members, places) => places.next().map(|place| &members[place]),
            Order::Named => {
                let name = wire::take_str(&mut self.input.bytes)?;
                check_field(name, self.known)?;
                return seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some);
            }
        };
        let Some(Member { name, shape, .. }) = member else { return Ok(None) };
        self.shape = shape;
        check_field(name, self.known)?;
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(Decoder { input: self.input, shape: self.shape })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A derived reader skips what it does not know, and that would be lost.
fn check_field(name: &str, known: Option<&'static [&'static str]>) -> Result<()> {
    match known {
        Some(known) if !known.contains(&name) => Err(ValueError::unknown_field(name, known)),
        _ => Ok(()),
    }
}

/// Whether a visitor takes the fields without their names: that of a derive does, if they are all
/// there, in its order. What was found once is remembered.
#[inline]
fn is_positional<V>(members: &Members, known: &'static [&'static str]) -> bool {
    is_derived::<V>(&members.derived) && is_same(members, known)
}

/// Whether a visitor is that of serde's derive, which takes fields by name or in their order.
/// Another one may have been given the same names, and need not take them in their order.
#[inline]
fn is_derived<V>(memo: &Memo) -> bool {
    // A name is at one address: what was found there once holds for all that are there.
    let name = std::any::type_name::<V>();
    let address = name.as_ptr().addr();
    if memo.get() == address {
        return true;
    }
    let is_derived = name.contains("::__Visitor");
    if is_derived {
        memo.set(address);
    }
    is_derived
}

#[inline]
fn is_same(members: &Members, known: &'static [&'static str]) -> bool {
    if known.len() != members.list.len() {
        return false;
    }
    let address = known.as_ptr().addr();
    if members.same_as.get() == address && !known.is_empty() {
        return true;
    }
    let mut pairs = members.list.iter().zip(known);
    let is_same = pairs.all(|(member, name)| member.name == *name);
    if is_same {
        members.same_as.set(address);
    }
    is_same
}

/// The places of the fields that are there.
fn places(bytes: &mut &[u8], count: u64, members: &[Member]) -> Result<Vec<usize>> {
    let wrong = || ValueError::said("a struct has fields that its type does not have");
    if count > members.len() as u64 {
        return Err(wrong());
    }
    let mut places = Vec::new();
    for _ in 0..count {
        let place = usize::try_from(wire::take_u64(bytes)?).map_err(|_| wrong())?;
        if place >= members.len() {
            return Err(wrong());
        }
        places.push(place);
    }
    // Most are in their order.
    if !places.is_sorted_by(|one, next| one < next) {
        let mut sorted = places.clone();
        sorted.sort_unstable();
        if !sorted.is_sorted_by(|one, next| one < next) {
            return Err(wrong());
        }
    }
    Ok(places)
}
