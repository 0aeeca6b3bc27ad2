//! `vfu import`: what it writes is recorded, compiled here, and described again.
//!
//! `VFIO_USER_BLESS=1` records what is written now.

mod exported;
mod imported;
mod refused;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import")
}

fn import(arguments: &[&str], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vfu"))
        .arg("import")
        .args(arguments)
        .arg(file)
        .output()
        .unwrap()
}

/// Imports a file that has to be one, as a program and as what it has left out.
#[track_caller]
fn imported(arguments: &[&str], file: &Path) -> (String, String) {
    let output = import(arguments, file);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    (String::from_utf8(output.stdout).unwrap(), errors)
}

/// Compares with a record that a person can read.
#[track_caller]
fn compare(name: &str, written: &str) {
    let path = folder().join("records").join(name);
    if env::var_os("VFIO_USER_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, written).unwrap();
    }
    assert_eq!(written, fs::read_to_string(&path).unwrap(), "{}", path.display());
}
