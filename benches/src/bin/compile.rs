//! What declarations cost to compile: `compile [SHAPE COUNT..]` generates a crate of that shape for
//! each count and runs `cargo check` on it, with its dependencies checked before. Prints the
//! processor time (user, in seconds; the least of three runs) without that of a device that has one
//! register. Without arguments: the figures that `docs/registers.md` gives.
//!
//! | shape | `COUNT` is the number of |
//! |---|---|
//! | `registers` | registers of 32 bits, in order |
//! | `constants` | registers whose offsets are constants |
//! | `reversed` | registers whose offsets are constants, the last one first |
//! | `hooks` | registers with a hook |
//! | `named` | registers of a `#[derive(Register)]` type |
//! | `blocks` | fields that are blocks of 64 registers |
//! | `private` | private fields |
//! | `timers` | timers |
//! | `variants` | variants of an enum that is a field of a register |

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{fs, io};

use nix::sys::resource::{UsageWho, getrusage};

/// Number of runs; the fastest one counts.
const RUNS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measured = match arguments.as_slice() {
        [] => all(),
        [shape, counts @ ..] if source(shape, 1).is_some() && !counts.is_empty() => {
            let counts: Result<Vec<usize>, _> = counts.iter().map(|count| count.parse()).collect();
            match counts {
                Ok(counts) => table(shape, &counts),
                Err(_) => return usage(),
            }
        }
        _ => return usage(),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compile: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: compile [SHAPE COUNT..]");
    ExitCode::FAILURE
}

fn all() -> io::Result<()> {
    table("registers", &[1000, 2000, 4000, 8000])?;
    table("constants", &[1000, 2000, 4000])?;
    table("reversed", &[1000, 2000, 4000])?;
    table("hooks", &[1000, 2000, 4000])?;
    table("named", &[1000, 2000, 4000])?;
    table("blocks", &[32, 64, 128])?;
    table("private", &[250, 500, 1000])?;
    table("timers", &[250, 500, 1000])?;
    table("variants", &[250, 500, 1000])
}

/// Prints a line for each count.
fn table(shape: &str, counts: &[usize]) -> io::Result<()> {
    let project = Project::new()?;
    let nothing = project.least("registers", 1)?;
    for &count in counts {
        let time = project.least(shape, count)?.saturating_sub(nothing);
        println!("{shape:>10} {count:>5}: {:.2} s", time.as_secs_f64());
    }
    Ok(())
}

/// A crate outside the workspace that shares its dependencies.
struct Project {
    folder: PathBuf,
    workspace: PathBuf,
}

impl Project {
    fn new() -> io::Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let folder = workspace.join("target/compile");
        fs::create_dir_all(folder.join("src"))?;
        fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let library = workspace.join("vfio-user");
        let library = library.display();
        let manifest = format!(
            "[package]\nname = \"compile-time\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nvfio-user.path = \"{library}\"\n\n\
             [profile.dev]\ndebug = \"line-tables-only\"\n\n[workspace]\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        Ok(Project { folder, workspace })
    }

    /// Returns the least time of a check of a declaration.
    fn least(&self, shape: &str, count: usize) -> io::Result<Duration> {
        let source = source(shape, count).expect("the shape has been looked up");
        let source = source.expect("a string takes everything");
        let mut least = Duration::MAX;
        // The first run checks the dependencies.
        for run in 0..=RUNS {
            fs::write(self.folder.join("src/lib.rs"), format!("{source}// {run}\n"))?;
            let before = children_time()?;
            self.check()?;
            let time = children_time()?.saturating_sub(before);
            if run > 0 {
                least = least.min(time);
            }
        }
        Ok(least)
    }

    fn check(&self) -> io::Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["check", "--quiet", "--offline"]).current_dir(&self.folder);
        cargo.env("CARGO_TARGET_DIR", self.workspace.join("target"));
        cargo.env("CARGO_INCREMENTAL", "0");
        let status = cargo.status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("cargo check failed")) }
    }
}

/// Returns the processor time of all ended children.
fn children_time() -> io::Result<Duration> {
    let time = getrusage(UsageWho::RUSAGE_CHILDREN)?.user_time();
    let (seconds, micros) = (time.tv_sec(), time.tv_usec());
    let seconds = Duration::from_secs(seconds.unsigned_abs());
    Ok(seconds + Duration::from_micros(micros.unsigned_abs()))
}

/// Returns a device of a shape, if the shape exists.
fn source(shape: &str, count: usize) -> Option<Result<String, fmt::Error>> {
    let fields: fn(&mut String, usize, usize) -> fmt::Result = match shape {
        "registers" => |text, n, _| writeln!(text, "#[reg({})] r{n}: u32,", n * 4),
        "constants" => |text, n, _| writeln!(text, "#[reg(BASE + {})] r{n}: u32,", n * 4),
        "reversed" => {
            |text, n, count| writeln!(text, "#[reg(BASE + {})] r{n}: u32,", (count - n) * 4)
        }
        "hooks" => {
            |text, n, _| writeln!(text, "#[reg({}, on_write = Self::hook)] r{n}: u32,", n * 4)
        }
        "named" => |text, n, _| writeln!(text, "#[reg({})] r{n}: Named,", n * 4),
        "blocks" => |text, n, _| writeln!(text, "#[block({})] b{n}: Group,", n * 256),
        "private" => |text, n, _| writeln!(text, "p{n}: u32,"),
        "timers" => |text, n, _| writeln!(text, "#[timer(Self::expired)] t{n}: Timer,"),
        "variants" => |_, _, _| Ok(()),
        _ => return None,
    };
    Some(device(shape, count, fields))
}

fn device(
    shape: &str,
    count: usize,
    field: fn(&mut String, usize, usize) -> fmt::Result,
) -> Result<String, fmt::Error> {
    let mut text = String::from("#![allow(dead_code, unused_imports)]\nuse vfio_user::*;\n");
    writeln!(text, "const BASE: u64 = 0;\n#[derive(Clone, Copy, Default, Register)]")?;
    writeln!(text, "#[register(u32)]\nstruct Named {{ #[field(bits = 0..=7)] low: u8 }}")?;
    writeln!(text, "#[derive(Clone, Copy, Default, RegisterBlock)]\nstruct Group {{")?;
    for n in 0..64 {
        writeln!(text, "#[reg({})] r{n}: u32,", n * 4)?;
    }
    writeln!(text, "}}\n#[derive(PciDevice)]\n#[pci(vendor = 0x1234, device = 1)]")?;
    writeln!(text, "#[bar(0: mem32, size = 0x100000)]\nstruct Large {{")?;
    for n in 0..count {
        field(&mut text, n, count)?;
    }
    if shape != "blocks" && shape != "registers" {
        writeln!(text, "#[reg(0x80000)] last: u32,")?;
    }
    writeln!(text, "}}\nimpl Device for Large {{ type Event = (); }}")?;
    writeln!(text, "impl Large {{ fn hook(&mut self, _: &mut Cx<'_, Self>, _: u32, _: u32) {{}}")?;
    writeln!(text, "fn expired(&mut self, _: &mut Cx<'_, Self>) {{}} }}")?;
    if shape == "variants" {
        writeln!(text, "#[derive(Clone, Copy, Register)]\n#[register(u32, reserved = reject)]")?;
        let variants = (0..count).map(|n| format!("V{n} = {n}"));
        writeln!(text, "enum Many {{ {} }}", variants.collect::<Vec<_>>().join(",\n"))?;
    }
    Ok(text)
}
