//! Prints a stream.

use std::io::{self, Write};

use vfio_user::migration::Section;

use super::names::Names;
use super::read::Stream;
use super::value;

/// Prints the whole stream.
pub(super) fn stream(stream: &Stream, names: &Names, out: &mut impl Write) -> io::Result<()> {
    let hello = &stream.hello;
    writeln!(out, "device {}", value::device(hello))?;
    writeln!(out, "layout {:08x}", hello.layout)?;
    for Section { id, version, min_reader, is_critical, fields } in stream.sections() {
        let optional = if is_critical { "" } else { ", optional" };
        writeln!(out, "\nsection {id}, version {version}, for {min_reader} and later{optional}")?;
        for field in fields {
            let optional = if field.is_critical { "" } else { " (optional)" };
            writeln!(out, "    {}{optional} = {}", field.name, names.text(id, &field))?;
        }
    }
    let runs = stream.memory.runs();
    if !runs.is_empty() {
        writeln!(out, "\nmemory that is not zero")?;
    }
    for (bar, range) in runs {
        writeln!(out, "    BAR {bar} {:#x}..{:#x}", range.start, range.end)?;
    }
    Ok(())
}
