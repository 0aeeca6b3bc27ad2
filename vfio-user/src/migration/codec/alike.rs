//! What readers of every kind read alike.

/// The methods of a `Deserializer` that make no difference: owned and borrowed texts and bytes, and
/// units with a name.
macro_rules! alike {
    () => {
        fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.deserialize_str(visitor)
        }

        fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.deserialize_bytes(visitor)
        }

        fn deserialize_unit_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value> {
            self.deserialize_unit(visitor)
        }

        fn is_human_readable(&self) -> bool {
            false
        }
    };
}

pub(super) use alike;
