//! Private state: values of the types that a stream carries.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use vfio_user::__private::{
    ByteBuf, Migrated, StateError, StateField, StateReader, StateWriter, WireType,
};
use vfio_user::serde::Serialize;

/// The type of a field of private state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I64,
    Str,
    Bytes,
    U64s,
}

/// The value of a field of private state.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "vfio_user::serde", untagged)]
pub(crate) enum Value {
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I64(i64),
    Str(String),
    Bytes(ByteBuf),
    U64s(Vec<u64>),
}

impl Type {
    /// Returns the type with this name in Python.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Type::Bool,
            "u8" => Type::U8,
            "u16" => Type::U16,
            "u32" => Type::U32,
            "u64" => Type::U64,
            "i64" => Type::I64,
            "str" => Type::Str,
            "bytes" => Type::Bytes,
            "[u64]" => Type::U64s,
            _ => return None,
        })
    }

    /// Returns the type as Rust writes it.
    pub(crate) const fn in_rust(self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::I64 => "i64",
            Type::Str => "String",
            Type::Bytes => "ByteBuf",
            Type::U64s => "Vec<u64>",
        }
    }

    /// Takes a value from Python.
    ///
    /// # Errors
    ///
    /// If it has another type, or does not fit.
    pub(crate) fn extract(self, value: &Bound<'_, PyAny>) -> PyResult<Value> {
        Ok(match self {
            Type::Bool => Value::Bool(value.extract()?),
            Type::U8 => Value::U8(value.extract()?),
            Type::U16 => Value::U16(value.extract()?),
            Type::U32 => Value::U32(value.extract()?),
            Type::U64 => Value::U64(value.extract()?),
            Type::I64 => Value::I64(value.extract()?),
            Type::Str => Value::Str(value.extract()?),
            Type::Bytes => Value::Bytes(value.extract::<Vec<u8>>()?.into()),
            Type::U64s => Value::U64s(value.extract()?),
        })
    }

    /// Returns the type in a stream.
    fn wire(self) -> WireType {
        match self {
            Type::Bool => WireType::of::<bool>(),
            Type::U8 => WireType::of::<u8>(),
            Type::U16 => WireType::of::<u16>(),
            Type::U32 => WireType::of::<u32>(),
            Type::U64 => WireType::of::<u64>(),
            Type::I64 => WireType::of::<i64>(),
            Type::Str => WireType::of::<String>(),
            Type::Bytes => WireType::of::<ByteBuf>(),
            Type::U64s => WireType::of::<Vec<u64>>(),
        }
    }

    /// Reads a value of a state; of a block, the values of `count` elements.
    ///
    /// # Errors
    ///
    /// If it is missing, or has another type.
    pub(crate) fn read(
        self,
        field: &StateField,
        from: &mut StateReader<'_>,
        count: Option<usize>,
    ) -> Result<Vec<Value>, StateError> {
        match self {
            Type::Bool => take(field, from, count, Value::Bool),
            Type::U8 => take(field, from, count, Value::U8),
            Type::U16 => take(field, from, count, Value::U16),
            Type::U32 => take(field, from, count, Value::U32),
            Type::U64 => take(field, from, count, Value::U64),
            Type::I64 => take(field, from, count, Value::I64),
            Type::Str => take(field, from, count, Value::Str),
            Type::Bytes => take(field, from, count, Value::Bytes),
            Type::U64s => take(field, from, count, Value::U64s),
        }
    }

    /// Writes a value to a state.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write(
        self,
        field: &StateField,
        out: &mut StateWriter<'_>,
        value: &Value,
    ) -> Result<(), StateError> {
        out.put(field, self.wire(), value)
    }

    /// Writes the values of all elements of a block.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub(crate) fn write_column(
        self,
        field: &StateField,
        out: &mut StateWriter<'_>,
        values: &[&Value],
    ) -> Result<(), StateError> {
        out.put_column(field, self.wire(), values)
    }
}

fn take<T: Migrated>(
    field: &StateField,
    from: &mut StateReader<'_>,
    count: Option<usize>,
    value: fn(T) -> Value,
) -> Result<Vec<Value>, StateError> {
    let ty = WireType::of::<T>();
    let taken = match count {
        Some(count) => from.column(field, ty, count)?,
        None => vec![from.take(field, ty)?],
    };
    Ok(taken.into_iter().map(value).collect())
}

impl Value {
    /// Returns the value for Python. Lists become tuples, which cannot be changed in place.
    ///
    /// # Errors
    ///
    /// When Python has no memory.
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Value::U8(value) => value.into_pyobject(py)?.into_any(),
            Value::U16(value) => value.into_pyobject(py)?.into_any(),
            Value::U32(value) => value.into_pyobject(py)?.into_any(),
            Value::U64(value) => value.into_pyobject(py)?.into_any(),
            Value::I64(value) => value.into_pyobject(py)?.into_any(),
            Value::Str(value) => value.into_pyobject(py)?.into_any(),
            Value::Bytes(value) => PyBytes::new(py, value).into_any(),
            Value::U64s(values) => PyTuple::new(py, values)?.into_any(),
        })
    }
}

/// Returns the exception for a value that a field does not take.
pub(crate) fn wrong(name: &str, ty: Type, error: &PyErr) -> PyErr {
    PyTypeError::new_err(format!("the state `{name}` has the type {}: {error}", ty.in_rust()))
}
