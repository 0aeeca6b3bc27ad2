//! Functions that write and read the values of a type.
//!
//! Generated code requests the functions of a field's type once, in one form. Nothing else in it
//! depends on the type's traits, so a type that cannot migrate causes a single error.

use super::state::{Migrated, StateReader, StateWriter, WireType};
use super::{Part, StateError, StateField};

/// Writes the value of a device's field, or those of the elements of a block, and the value that
/// older versions assume.
type Put<T> =
    fn(&mut StateWriter<'_>, &StateField, Written<'_, T>, Option<&T>) -> Result<(), StateError>;

/// Reads the value of a device's field, or those of `count` elements of a block; `None` if the
/// field is missing.
type Take<T> = fn(
    &mut StateReader<'_>,
    &StateField,
    count: Option<usize>,
) -> Result<Option<Vec<T>>, StateError>;

/// The values of a field to write.
#[derive(Debug)]
pub enum Written<'v, T: ?Sized> {
    /// The value of a device.
    One(&'v T),
    /// The values of the elements of a block.
    Column(Vec<&'v T>),
}

/// Functions that write and read values of type `T`.
#[derive(Clone, Copy, Debug)]
pub struct ValueIo<T> {
    /// The type in a stream.
    pub wire: fn() -> WireType,
    put: Put<T>,
    take: Take<T>,
}

/// Functions that write and read arrays of `T` as lists, part by part if the array has grown.
#[derive(Clone, Copy, Debug)]
pub struct ListIo<T> {
    /// The type of a list in a stream.
    pub wire: fn() -> WireType,
    put: Put<[T]>,
    take: Take<Vec<T>>,
}

impl<T> ValueIo<T> {
    /// Returns the functions of a type that migrates.
    pub const fn of() -> Self
    where
        T: Migrated,
    {
        ValueIo { wire: WireType::of::<T>, put: put_value, take: take_value }
    }

    /// Writes a field; older versions assume `default`.
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put(
        &self,
        out: &mut StateWriter<'_>,
        field: &StateField,
        values: Written<'_, T>,
        default: Option<&T>,
    ) -> Result<(), StateError> {
        (self.put)(out, field, values, default)
    }

    /// Reads a field.
    ///
    /// # Errors
    ///
    /// If the field has another type.
    pub fn take(
        &self,
        from: &mut StateReader<'_>,
        field: &StateField,
    ) -> Result<Option<T>, StateError> {
        Ok((self.take)(from, field, None)?.and_then(|mut values| values.pop()))
    }

    /// Reads a field of all elements of a block.
    ///
    /// # Errors
    ///
    /// If the field has another type.
    pub fn take_column(
        &self,
        from: &mut StateReader<'_>,
        field: &StateField,
        count: usize,
    ) -> Result<Option<Vec<T>>, StateError> {
        (self.take)(from, field, Some(count))
    }
}

impl<T> ListIo<T> {
    /// Returns the functions of arrays of a type that migrates.
    pub const fn of() -> Self
    where
        T: Migrated,
    {
        ListIo { wire: WireType::of::<Vec<T>>, put: put_list, take: take_list }
    }

    /// As [`ValueIo::put`].
    ///
    /// # Errors
    ///
    /// If a value cannot be written as the type that is read.
    pub fn put(
        &self,
        out: &mut StateWriter<'_>,
        field: &StateField,
        values: Written<'_, [T]>,
        default: Option<&[T]>,
    ) -> Result<(), StateError> {
        (self.put)(out, field, values, default)
    }

    /// As [`ValueIo::take`].
    ///
    /// # Errors
    ///
    /// If the field has another type.
    pub fn take(
        &self,
        from: &mut StateReader<'_>,
        field: &StateField,
    ) -> Result<Option<Vec<T>>, StateError> {
        Ok((self.take)(from, field, None)?.and_then(|mut values| values.pop()))
    }

    /// As [`ValueIo::take_column`].
    ///
    /// # Errors
    ///
    /// If the field has another type.
    pub fn take_column(
        &self,
        from: &mut StateReader<'_>,
        field: &StateField,
        count: usize,
    ) -> Result<Option<Vec<Vec<T>>>, StateError> {
        (self.take)(from, field, Some(count))
    }
}

fn put_value<T: Migrated>(
    out: &mut StateWriter<'_>,
    field: &StateField,
    values: Written<'_, T>,
    default: Option<&T>,
) -> Result<(), StateError> {
    let ty = WireType::of::<T>();
    match (values, default) {
        (Written::One(value), None) => out.put(field, ty, value),
        (Written::One(value), Some(default)) => out.put_unless(field, ty, value, default),
        (Written::Column(column), None) => out.put_column(field, ty, &column),
        (Written::Column(column), Some(default)) => {
            let defaults = vec![default; column.len()];
            out.put_column_unless(field, ty, &column, &defaults)
        }
    }
}

fn take_value<T: Migrated>(
    from: &mut StateReader<'_>,
    field: &StateField,
    count: Option<usize>,
) -> Result<Option<Vec<T>>, StateError> {
    let ty = WireType::of::<T>();
    match count {
        Some(count) => from.column_if_there(field, ty, count),
        None => Ok(from.take_if_there(field, ty)?.map(|value| vec![value])),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `Put` has it")]
fn put_list<T: Migrated>(
    out: &mut StateWriter<'_>,
    field: &StateField,
    values: Written<'_, [T]>,
    default: Option<&[T]>,
) -> Result<(), StateError> {
    let ty = WireType::of::<Vec<T>>();
    for part in field.parts() {
        let default = default.map(|default| part_of(default, &part));
        match (&values, default) {
            (Written::One(list), None) => out.put_part(field, ty, part_of(list, &part), &part)?,
            (Written::One(list), Some(default)) => {
                out.put_part_unless(field, ty, (part_of(list, &part), default), &part)?;
            }
            (Written::Column(column), default) => {
                let column: Vec<_> = column.iter().map(|list| part_of(list, &part)).collect();
                match default {
                    None => out.put_column_part(field, ty, &column, &part)?,
                    Some(default) => {
                        let defaults = vec![default; column.len()];
                        out.put_column_part_unless(field, ty, (&column, &defaults), &part)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Returns the elements of a part; all elements for an array that has not grown.
fn part_of<'l, T>(list: &'l [T], part: &Part) -> &'l [T] {
    let elements = part.elements();
    &list[elements.start..elements.end.min(list.len())]
}

fn take_list<T: Migrated>(
    from: &mut StateReader<'_>,
    field: &StateField,
    count: Option<usize>,
) -> Result<Option<Vec<Vec<T>>>, StateError> {
    let ty = WireType::of::<Vec<T>>();
    let has_grown = !field.grown_from.is_empty();
    match count {
        Some(count) if has_grown => from.grown_column_if_there::<Vec<T>>(field, ty, count),
        Some(count) => from.column_if_there(field, ty, count),
        None if has_grown => {
            Ok(from.take_grown_if_there::<Vec<T>>(field, ty)?.map(|list| vec![list]))
        }
        None => Ok(from.take_if_there(field, ty)?.map(|list| vec![list])),
    }
}
