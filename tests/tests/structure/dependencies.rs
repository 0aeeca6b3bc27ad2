//! What the workspace depends on. `deny.toml` has the same rules for cargo-deny, with advisories.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::licence::is_allowed;

/// Packages that the library needs in two versions: its macros have moved to syn 3, those of others
/// have not.
const TWICE: &[&str] = &["syn"];
/// Packages of the library that have a build script: these ask the compiler what it supports.
const BUILD_SCRIPTS: &[&str] = &[
    "crc32c",
    "io-uring",
    "libc",
    "memoffset",
    "nix",
    "proc-macro2",
    "quote",
    "rustversion",
    "serde",
    "serde_core",
    "serde_json",
    "thiserror",
    "zerocopy",
    "zmij",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The packages of the workspace on this platform, and what each depends on.
struct Graph {
    packages: HashMap<String, Value>,
    dependencies: HashMap<String, Vec<String>>,
}

impl Graph {
    fn read() -> Self {
        let platform = format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--locked", &platform])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let dependencies: HashMap<_, _> = list(&metadata["resolve"]["nodes"])
            .map(|node| (text(&node["id"]), list(&node["deps"]).filter_map(needed).collect()))
            .collect();
        let packages = list(&metadata["packages"])
            .map(|package| (text(&package["id"]), package.clone()))
            .filter(|(id, _)| dependencies.contains_key(id));
        Graph { packages: packages.collect(), dependencies }
    }

    /// Returns what a package of the workspace needs to be built, itself included.
    fn needed_by(&self, name: &str) -> Vec<&Value> {
        let is_root = |package: &Value| package["name"] == name && package["source"].is_null();
        let root = self.packages.iter().find(|(_, package)| is_root(package)).unwrap();
        let (mut seen, mut left) = (HashSet::new(), vec![root.0]);
        while let Some(id) = left.pop() {
            if seen.insert(id) {
                left.extend(&self.dependencies[id]);
            }
        }
        seen.into_iter().map(|id| &self.packages[id]).collect()
    }
}

/// Returns a dependency, unless it is for tests alone.
fn needed(dependency: &Value) -> Option<String> {
    let is_needed = list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev");
    is_needed.then(|| text(&dependency["pkg"]))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Returns the licences that `deny.toml` allows.
fn allowed() -> Vec<String> {
    let file = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let (_, rest) = file.split_once("allow = [").unwrap();
    let (lines, _) = rest.split_once("\n]").unwrap();
    lines.lines().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

#[test]
fn licences_are_those_that_are_allowed() {
    let allowed = allowed();
    assert!(allowed.contains(&"MIT".to_owned()));
    for package in Graph::read().packages.values() {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence, &allowed), "{}: {licence}", package["name"]);
    }
}

#[test]
fn packages_come_from_one_registry() {
    let graph = Graph::read();
    let sources = graph.packages.values().filter_map(|package| package["source"].as_str());
    let sources: HashSet<_> = sources.collect();
    assert!(sources.len() == 1 && sources.iter().all(|it| it.starts_with("registry+")));
}

#[test]
fn the_library_needs_one_version_of_each_package() {
    let graph = Graph::read();
    let mut names: Vec<_> =
        graph.needed_by("vfio-user").iter().map(|it| text(&it["name"])).collect();
    names.sort();
    let twice = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].as_str());
    assert_eq!(twice.collect::<Vec<_>>(), TWICE);
}

#[test]
fn the_library_needs_no_native_library_and_few_build_scripts() {
    let graph = Graph::read();
    let needed = graph.needed_by("vfio-user");
    let has_script = |package: &Value| {
        list(&package["targets"]).any(|target| target["kind"][0] == "custom-build")
    };
    let scripts = needed.iter().filter(|package| has_script(package));
    let mut scripts: Vec<_> = scripts.map(|package| text(&package["name"])).collect();
    scripts.sort();
    assert_eq!(scripts, BUILD_SCRIPTS);
    for package in needed {
        assert!(package["links"].is_null(), "{} links {}", package["name"], package["links"]);
        assert_ne!(package["name"], "cc", "something of the library compiles C");
    }
}

/// No other toolchain than the current one may be there, but each package says what it needs.
#[test]
fn no_package_needs_a_later_rust_than_is_declared() {
    let graph = Graph::read();
    let version = |package: &Value| -> Option<Vec<u32>> {
        let version = package["rust_version"].as_str()?;
        Some(version.split('.').map(|part| part.parse().unwrap()).take(2).collect())
    };
    let ours = graph.needed_by("vfio-user-layout").into_iter().find_map(version).unwrap();
    for package in graph.packages.values() {
        let needed = version(package).unwrap_or_default();
        assert!(needed <= ours, "{} needs {needed:?}", package["name"]);
    }
}
