//! `vfu import`: writes the declaration of a device from a register map.

mod fit;
mod ipxact;
mod map;
mod number;
mod policy;
mod problem;
mod rust;
mod svd;
mod systemrdl;
mod text;
mod xml;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use clap::Args;

use crate::error::Error;
use map::Map;
pub(crate) use problem::Problem;
use rust::Shape;
use xml::Element;

/// Write a Rust program that declares and serves a device, from a register map
///
/// The file is CMSIS-SVD, IP-XACT, or JSON as SystemRDL's compiler exports it. The program is
/// written to standard output; what it cannot express is listed on standard error and in its
/// comments.
#[expect(clippy::doc_markdown, reason = "the text is printed")]
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A register map
    file: PathBuf,
    /// Import this peripheral or address block, as a BAR; repeat it for up to 6 [default: all]
    #[arg(long, value_name = "NAME")]
    peripheral: Vec<String>,
    /// Write a module without `main` and tests
    #[arg(long)]
    module: bool,
    /// The PCI vendor id, unless the file has one
    #[arg(long, value_name = "ID", value_parser = id::<0xffff>, default_value = "0x1234")]
    vendor: u32,
    /// The PCI device id, unless the file has one
    #[arg(long, value_name = "ID", value_parser = id::<0xffff>, default_value = "0x0001")]
    device: u32,
    /// The PCI class code, unless the file has one
    #[arg(long, value_name = "CODE", value_parser = id::<0xff_ffff>, default_value = "0xff0000")]
    class: u32,
}

/// The largest file.
const LARGEST: u64 = 64 << 20;

fn id<const MOST: u64>(text: &str) -> Result<u32, String> {
    let value = number::parse(text).filter(|value| *value <= MOST);
    let value = value.and_then(|value| u32::try_from(value).ok());
    value.ok_or_else(|| format!("not a number up to {MOST:#x}"))
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Error> {
        let problem = |source| Error::Map { path: self.file.clone(), source };
        let text = self.text()?;
        let map = self.map(&text).map_err(problem)?;
        let ids = fit::Ids { vendor: self.vendor, device: self.device, class: self.class };
        let device = fit::fit(map, ids).map_err(problem)?;
        let shape = if self.module { Shape::Module } else { Shape::Program };
        let origin = self.file.file_name().unwrap_or_default().to_string_lossy();
        let source = rust::source(&device, shape, &origin);
        for note in device.all_notes() {
            eprintln!("vfu: {}: {}", self.file.display(), text::plain(&note));
        }
        io::stdout().lock().write_all(source.as_bytes())?;
        Ok(())
    }

    fn text(&self) -> Result<String, Error> {
        let failed = |source| Error::File { path: self.file.clone(), source };
        let file = File::open(&self.file).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        let problem = |message: String| Error::Map {
            path: self.file.clone(),
            source: Problem::of_file(message),
        };
        if bytes.len() as u64 > LARGEST {
            return Err(problem(format!("the file has more than {} MiB", LARGEST >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            problem(format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
        })?;
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }

    fn map(&self, text: &str) -> Result<Map, Problem> {
        if text.trim_start().starts_with('{') {
            let map = systemrdl::read(text)?;
            choose(&map, std::slice::from_ref(&map.name), &self.peripheral)?;
            return Ok(map);
        }
        let document = xml::document(text)?;
        let root = Element::root(&document);
        let (map, all) = match root.tag() {
            "device" => (svd::read(root, &self.peripheral)?, svd::peripherals(root)?),
            "component" => (ipxact::read(root, &self.peripheral)?, ipxact::blocks(root)?),
            other => {
                return Err(root.problem(format!(
                    "<{other}> is neither <device> of CMSIS-SVD nor <component> of IP-XACT"
                )));
            }
        };
        choose(&map, &all, &self.peripheral)?;
        Ok(map)
    }
}

/// Checks that all that was named exists, and that it is not more than a PCI function can have.
fn choose(map: &Map, all: &[String], wanted: &[String]) -> Result<(), Problem> {
    let listed = || all.join(", ");
    if let Some(missing) = wanted.iter().find(|name| !all.contains(name)) {
        let message = format!("no peripheral is called `{missing}`; there are: {}", listed());
        return Err(Problem::of_file(message));
    }
    if map.spaces.is_empty() {
        return Err(Problem::of_file("there are no registers"));
    }
    if map.pci.is_none() && map.spaces.len() > 6 {
        return Err(Problem::of_file(format!(
            "a PCI function has 6 BARs at most: choose peripherals by `--peripheral=NAME`, of {}",
            listed()
        )));
    }
    Ok(())
}
