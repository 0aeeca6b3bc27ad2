//! Decodes a configuration space with pciutils.

use std::io::{self, ErrorKind, Write};
use std::process::Command;
use std::{env, fmt::Write as _};

use tempfile::NamedTempFile;

/// The output of `lspci -vvv` for a function.
#[derive(Debug)]
pub struct Decoded(String);

/// Decodes a dump with `lspci`. Without `lspci` there is nothing to compare: this prints a message,
/// and fails in CI, where the message would go unread.
///
/// # Panics
///
/// If there is no `lspci` and `CI` is set, or if it fails.
pub fn decode(dump: &str) -> Option<Decoded> {
    let mut file = NamedTempFile::new().expect("a file can be made");
    file.write_all(dump.as_bytes()).expect("a file can be written");
    let output = Command::new("lspci").args(["-vvv", "-n", "-F"]).arg(file.path()).output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(env::var_os("CI").is_none(), "there is no lspci: install pciutils");
            // `eprintln` would be captured in a passing test.
            let _ =
                writeln!(io::stderr(), "\n*** A TEST WITH LSPCI WAS SKIPPED: install pciutils\n");
            return None;
        }
        output => output.expect("lspci runs"),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "lspci: {errors}");
    Some(Decoded(String::from_utf8(output.stdout).expect("lspci writes text")))
}

/// Returns a configuration space in the format of `lspci -F`.
pub fn dump(space: &[u8]) -> String {
    let mut dump = "00:00.0 a function\n".to_owned();
    for (line, bytes) in space.chunks(16).enumerate() {
        write!(dump, "{:02x}:", line * 16).expect("a string takes everything");
        for byte in bytes {
            write!(dump, " {byte:02x}").expect("a string takes everything");
        }
        dump.push('\n');
    }
    dump
}

impl Decoded {
    /// Returns the whole text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Returns the lines about the capability at an offset, without the offset.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn capability(&self, offset: u64) -> String {
        let at = format!("[{offset:02x}");
        let mut all = self.0.split("\n\tCapabilities: ").skip(1);
        let found = all
            .find(|text| text.strip_prefix(&at).is_some_and(|rest| rest.starts_with([']', ' '])));
        let found = found.unwrap_or_else(|| panic!("no capability at {offset:#x}:\n{}", self.0));
        let (_, words) = found.split_once("] ").expect("an offset ends");
        words.to_owned()
    }

    /// Returns the number of capabilities.
    pub fn capabilities(&self) -> usize {
        self.0.matches("\n\tCapabilities: ").count()
    }

    /// Checks that the text contains all of these.
    ///
    /// # Panics
    ///
    /// If one is missing.
    #[track_caller]
    pub fn holds(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.0.contains(part), "no {part:?} in\n{}", self.0);
        }
    }
}
