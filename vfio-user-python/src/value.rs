//! Private state: values of the types that a stream carries.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use vfio_user::__private::{StateError, StateField, StateReader, StateWriter, WireType};
use vfio_user::migration::Migrated;

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
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I64(i64),
    Str(String),
    Bytes(vfio_user::__private::ByteBuf),
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

    /// Reads a value of a state.
    ///
    /// # Errors
    ///
    /// If it is missing, or has another type.
    pub(crate) fn read(
        self,
        field: &StateField,
        from: &mut StateReader<'_>,
    ) -> Result<Value, StateError> {
        Ok(match self {
            Type::Bool => Value::Bool(take(field, from)?),
            Type::U8 => Value::U8(take(field, from)?),
            Type::U16 => Value::U16(take(field, from)?),
            Type::U32 => Value::U32(take(field, from)?),
            Type::U64 => Value::U64(take(field, from)?),
            Type::I64 => Value::I64(take(field, from)?),
            Type::Str => Value::Str(take(field, from)?),
            Type::Bytes => Value::Bytes(take(field, from)?),
            Type::U64s => Value::U64s(take(field, from)?),
        })
    }
}

fn take<T: Migrated>(field: &StateField, from: &mut StateReader<'_>) -> Result<T, StateError> {
    from.take(field, WireType::of::<T>())
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

    /// Writes the value to a state.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write(
        &self,
        field: &StateField,
        out: &mut StateWriter<'_>,
    ) -> Result<(), StateError> {
        match self {
            Value::Bool(value) => put(field, out, value),
            Value::U8(value) => put(field, out, value),
            Value::U16(value) => put(field, out, value),
            Value::U32(value) => put(field, out, value),
            Value::U64(value) => put(field, out, value),
            Value::I64(value) => put(field, out, value),
            Value::Str(value) => put(field, out, value),
            Value::Bytes(value) => put(field, out, value),
            Value::U64s(values) => put(field, out, values),
        }
    }
}

fn put<T: Migrated>(
    field: &StateField,
    out: &mut StateWriter<'_>,
    value: &T,
) -> Result<(), StateError> {
    out.put(field, WireType::of::<T>(), value)
}

/// Returns the exception for a value that a field does not take.
pub(crate) fn wrong(name: &str, ty: Type, error: &PyErr) -> PyErr {
    PyTypeError::new_err(format!("the state `{name}` has the type {}: {error}", ty.in_rust()))
}
