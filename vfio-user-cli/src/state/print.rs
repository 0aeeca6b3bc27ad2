//! Prints a stream.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use vfio_user::migration::Section;

use super::memory::Run;
use super::names::Names;
use super::read::Stream;
use super::value;

/// The whole content of a stream, formatted.
#[derive(Serialize)]
pub(super) struct Content<'a> {
    device: String,
    layout: String,
    sections: Vec<Part<'a>>,
    /// Pages of shared memory with nonzero bytes.
    memory: Vec<Run>,
}

#[derive(Serialize)]
struct Part<'a> {
    id: &'a str,
    version: u16,
    min_reader: u16,
    optional: bool,
    fields: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    optional: bool,
    value: String,
}

impl<'a> Content<'a> {
    pub(super) fn of(stream: &'a Stream, names: &Names) -> Self {
        let part = |section: Section<'a>| {
            let Section { id, version, min_reader, is_critical, fields } = section;
            let value = |field: &vfio_user::migration::Field<'a>| Entry {
                name: field.name,
                optional: !field.is_critical,
                value: names.text(id, field),
            };
            let fields = fields.iter().map(value).collect();
            Part { id, version, min_reader, optional: !is_critical, fields }
        };
        Content {
            device: value::device(&stream.hello),
            layout: format!("{:08x}", stream.hello.layout),
            sections: stream.sections().into_iter().map(part).collect(),
            memory: stream.memory.runs(),
        }
    }
}

impl Display for Content<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "device {}\nlayout {}", self.device, self.layout)?;
        for Part { id, version, min_reader, optional, fields } in &self.sections {
            let optional = if *optional { ", optional" } else { "" };
            writeln!(f, "\nsection {id}, version {version}, for {min_reader} and later{optional}")?;
            for Entry { name, optional, value } in fields {
                let optional = if *optional { " (optional)" } else { "" };
                writeln!(f, "    {name}{optional} = {value}")?;
            }
        }
        if !self.memory.is_empty() {
            writeln!(f, "\nmemory that is not zero")?;
        }
        self.memory.iter().try_for_each(|run| writeln!(f, "    {run}"))
    }
}
