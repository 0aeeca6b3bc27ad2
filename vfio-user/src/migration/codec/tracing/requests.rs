//! What a type requests of its reader.

use serde::de::{Deserializer, Visitor};

use super::super::alike::alike;
use super::super::shape::{Order, Plain};
use super::super::{MAX_DEPTH, ValueError};
use super::Result;
use super::access::{Chosen, Fields, Parts};
use super::probe::Probe;
use super::trace::{BYTES, Field, LENGTHS, TEXTS, TraceKind};

impl Probe<'_> {
    pub(super) fn fields<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| {
            probe.parts(fields.len(), |nodes| {
                let field = |(name, node): (&&'static str, usize)| Field {
                    name,
                    node,
                    is_alias: false,
                    is_optional: false,
                };
                TraceKind::Struct(fields.iter().zip(nodes).map(field).collect())
            });
            visitor.visit_map(Fields { probe, next: 0 })
        })
    }

    pub(super) fn tuple<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        let parts = self.parts(len, TraceKind::Tuple);
        if parts.len() != len {
            return self.give_up();
        }
        visitor.visit_seq(Parts { probe: self, parts: parts.into_iter() })
    }
}

macro_rules! numbers {
    ($($method:ident = $plain:ident, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.number(Plain::$plain).into())
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = ValueError;

    numbers! {
        deserialize_u8 = U8, visit_u8;
        deserialize_u16 = U16, visit_u16;
        deserialize_u32 = U32, visit_u32;
        deserialize_u64 = U64, visit_u64;
        deserialize_u128 = U128, visit_u128;
        deserialize_i16 = I16, visit_i16;
        deserialize_i32 = I32, visit_i32;
        deserialize_i64 = I64, visit_i64;
        deserialize_i128 = I128, visit_i128;
        deserialize_f32 = F32, visit_f32;
        deserialize_f64 = F64, visit_f64;
        deserialize_char = Char, visit_char;
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_i8(self.number(Plain::I8).cast_signed())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.attempt(Plain::Bool) == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(TEXTS[self.attempt(Plain::Str).min(TEXTS.len() - 1)])
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let len = LENGTHS[self.attempt(Plain::Bytes).min(LENGTHS.len() - 1)];
        visitor.visit_bytes(&BYTES[..len])
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.attempt(Plain::Unit);
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| visitor.visit_newtype_struct(probe))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let of = self.parts(1, |parts| TraceKind::Option(parts[0]));
        match of[..] {
            [of] if !self.is_avoided(of) => visitor.visit_some(self.part(of)),
            _ => visitor.visit_none(),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let name = std::any::type_name::<V>();
        let is_sorted = ["HashSet", "BinaryHeap", "DashSet"].iter().any(|set| name.contains(set));
        let order = if is_sorted { Order::Sorted } else { Order::Kept };
        let mut parts = self.parts(1, |parts| TraceKind::Seq(parts[0], order));
        parts.retain(|part| !self.is_avoided(*part));
        visitor.visit_seq(Parts { probe: self, parts: parts.into_iter() })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        let name = std::any::type_name::<V>();
        let is_kept = ["BTreeMap", "IndexMap", "Linked"].iter().any(|map| name.contains(map));
        let order = if is_kept { Order::Kept } else { Order::Sorted };
        let mut parts = self.parts(2, |parts| TraceKind::Map(parts[0], parts[1], order));
        if parts.iter().any(|part| self.is_avoided(*part)) {
            parts.clear();
        }
        visitor.visit_map(Parts { probe: self, parts: parts.into_iter() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        if self.depth > MAX_DEPTH {
            return self.give_up();
        }
        self.tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| probe.tuple(len, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.within::<V, _>(|probe| {
            let chosen = probe.trace.borrow_mut().choose(probe.node, variants);
            match chosen {
                Some((name, of)) => visitor.visit_enum(Chosen { name, content: probe.part(of) }),
                None => probe.give_up(),
            }
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        self.give_up()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        self.give_up()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.trace.borrow_mut().nodes[self.node].kind = TraceKind::Any;
        visitor.visit_unit()
    }

    alike!();
}
