//! README and documentation say what is true.

use std::fs;
use std::path::{Path, PathBuf};

/// The device in the README is the example, to the letter.
#[test]
fn the_device_in_the_readme_is_the_example() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../../../examples/src/bin/trivial.rs");
    let block = readme.split("```rust,no_run\n").nth(1).and_then(|rest| rest.split("```").next());
    let code = example.split_once("\n\n").map(|(_, code)| code);
    assert_eq!(block, code);
}

/// Where functions are: in tests, and in what is tested.
const FOLDERS: [&str; 6] =
    ["tests", "vfio-user", "vfio-user-cli", "vfio-user-derive", "vfio-user-virtio", "examples"];

fn read_all(folder: &Path, extension: &str, found: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, extension, found);
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}

/// Whether it can only be the name of a test: functions of libvfio-user start with `vfu_`.
fn is_sentence(name: &str) -> bool {
    name.matches('_').count() > 2
        && !name.starts_with("vfu_")
        && name.chars().all(|c| c == '_' || c.is_ascii_lowercase())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

fn read_docs() -> String {
    let mut docs = fs::read_to_string(root().join("README.md")).expect("a README");
    read_all(&root().join("docs"), "md", &mut docs);
    docs
}

#[test]
fn the_tests_that_documentation_names_are_there() {
    let (mut code, docs) = (String::new(), read_docs());
    for folder in FOLDERS {
        read_all(&root().join(folder), "rs", &mut code);
    }
    read_all(&root().join("vfio-user-python/tests"), "py", &mut code);
    let named: Vec<_> = docs.split('`').filter(|name| is_sentence(name)).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let is_there = ["fn", "def"].iter().any(|word| code.contains(&format!("{word} {name}(")));
        assert!(is_there, "there is no test {name}");
    }
}

/// Every page: those of `docs`, and those beside the manifest.
fn pages() -> Vec<PathBuf> {
    let folders = [root().to_owned(), root().join("docs")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|its| its == "md")).collect()
}

/// Files are named from the root of the repository, or from that of the library's source.
#[test]
fn the_files_that_documentation_names_are_there() {
    let is_path = |name: &&str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_-.".contains(c);
        let stem = name.strip_suffix(".rs");
        stem.is_some_and(|stem| stem.contains('/') && stem.chars().all(is_plain))
    };
    let folders = ["", "vfio-user/src", "vfio-user-derive/src"];
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("text");
        for name in text.split('`').filter(is_path) {
            count += 1;
            let is_there = folders.iter().any(|folder| root().join(folder).join(name).exists());
            assert!(is_there, "{}: there is no file {name}", page.display());
        }
    }
    assert!(count > 30, "{count}");
}

/// Links go to files and folders that exist.
#[test]
fn the_links_of_documentation_lead_somewhere() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("text");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let files = targets.filter_map(|target| target.split('#').next());
        for target in files.filter(|target| !target.is_empty() && !target.contains("://")) {
            count += 1;
            let path = page.parent().expect("a folder").join(target);
            assert!(path.exists(), "{}: the link to {target} is dead", page.display());
        }
    }
    assert!(count > 50, "{count}");
}
