//! What a type requests of its reader.

use serde::de::{Deserializer, Visitor};

use super::super::alike::alike;
use super::super::shape::{MOST_BYTES, Order, Plain, Sample};
use super::super::{MAX_DEPTH, ValueError};
use super::Result;
use super::access::{Chosen, Fields, Parts};
use super::probe::Probe;
use super::trace::{Field, TraceKind};

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

macro_rules! values {
    ($($method:ident = $plain:ident, $sample:ident($value:ident) => $visit:ident($of:expr);)*) => {$(
        #[allow(clippy::cast_possible_truncation, reason = "samples are values of the type")]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.value(Plain::$plain) {
                Some(Sample::$sample($value)) => visitor.$visit($of),
                _ => self.give_up(),
            }
        }
    )*};
}

static BYTES: [u8; MOST_BYTES] = [0; MOST_BYTES];

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = ValueError;

    values! {
        deserialize_bool = Bool, Bool(value) => visit_bool(value);
        deserialize_u8 = U8, Unsigned(value) => visit_u8(value as u8);
        deserialize_u16 = U16, Unsigned(value) => visit_u16(value as u16);
        deserialize_u32 = U32, Unsigned(value) => visit_u32(value as u32);
        deserialize_u64 = U64, Unsigned(value) => visit_u64(value as u64);
        deserialize_u128 = U128, Unsigned(value) => visit_u128(value);
        deserialize_i8 = I8, Signed(value) => visit_i8(value as i8);
        deserialize_i16 = I16, Signed(value) => visit_i16(value as i16);
        deserialize_i32 = I32, Signed(value) => visit_i32(value as i32);
        deserialize_i64 = I64, Signed(value) => visit_i64(value as i64);
        deserialize_i128 = I128, Signed(value) => visit_i128(value);
        deserialize_f32 = F32, Float(value) => visit_f32(value as f32);
        deserialize_f64 = F64, Float(value) => visit_f64(value);
        deserialize_char = Char, Char(value) => visit_char(value);
        deserialize_str = Str, Text(value) => visit_str(value);
        deserialize_bytes = Bytes, Len(len) => visit_bytes(&BYTES[..len]);
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.value(Plain::Unit);
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
            [of] if !self.is_avoided(of) && !self.is_sampled() => visitor.visit_some(self.part(of)),
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
        parts.retain(|part| !self.is_avoided(*part) && !self.is_sampled());
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
        if self.is_sampled() || parts.iter().any(|part| self.is_avoided(*part)) {
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
