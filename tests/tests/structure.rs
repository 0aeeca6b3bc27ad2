//! The modules of `vfio-user/src` are layers: an arrow between two of them points down, and the
//! files of a folder do not use each other in a circle.
//!
//! The sources are read as tokens: all `use`s count, and all paths from `crate` and `super`.
//! Re-exports are followed to the file that defines an item. Code for tests alone is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The modules, from the lowest to the highest.
const LAYERS: &[&str] = &[
    "wait",
    "log_throttle",
    "serving",
    "fds",
    "sys",
    "eventfd",
    "protocol",
    "transport",
    "migration",
    "model",
    "declaration",
    "pci",
    "shared",
    "dma",
    "interrupt",
    "wake",
    "error",
    "device",
    "bus",
    "function",
    "client",
    "server",
    "bench",
    "suite",
    "describe",
    "cli",
    "private",
];

/// All that the client is made of: it is not part of a device.
const OF_CLIENT: &[&str] =
    &["error", "eventfd", "fds", "model", "protocol", "shared", "sys", "transport", "wait"];

/// A circle in a folder that is meant: a hook takes the [`Cx`](vfio_user::Cx) of its own device.
const MEANT: &[(&str, &[&str])] = &[("device", &["cx", "device"])];

#[test]
fn arrows_point_down() {
    let crate_ = Crate::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../vfio-user/src")));
    assert!(crate_.root.children.len() > 20, "these are not the sources");
    let problems = crate_.problems(LAYERS, &[("client", OF_CLIENT)]);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A file, or an inline module.
#[derive(Debug, Default)]
struct Module {
    /// By its path from the root of the sources, without `.rs`; inline modules have their file's.
    file: String,
    children: BTreeMap<String, Module>,
    /// What a name stands for that a `use` has brought in.
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// All paths that it mentions, from the root of the crate.
    paths: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Crate {
    root: Module,
}

/// Which file uses which.
type Arrows = BTreeSet<(String, String)>;

impl Crate {
    fn read(folder: &Path) -> Self {
        let mut sources = BTreeMap::new();
        collect(folder, folder, &mut sources);
        Self::parse(&sources)
    }

    /// Sources by their paths from the root, without `.rs`.
    fn parse(sources: &BTreeMap<String, String>) -> Self {
        let mut root = Module::default();
        // All of them first: whether a name is a module decides what a path means.
        for file in sources.keys() {
            root.at(&module_path(file)).file.clone_from(file);
        }
        for (file, source) in sources {
            let tokens = source.parse().unwrap_or_else(|error| panic!("{file}.rs: {error}"));
            let path = module_path(file);
            root.at(&path).scan(&path, tokens);
        }
        Crate { root }
    }

    fn problems(&self, layers: &[&str], limits: &[(&str, &[&str])]) -> Vec<String> {
        let mut arrows = Arrows::new();
        self.root.for_each(&mut |module| {
            for path in &module.paths {
                let used = self.file_of(path, 0).filter(|used| *used != module.file);
                arrows.extend(used.map(|used| (module.file.clone(), used.to_owned())));
            }
        });
        let mut problems = upward(&arrows, layers);
        problems.extend(limits.iter().flat_map(|(from, to)| outside(&arrows, from, to)));
        problems.extend(self.unplaced(layers));
        problems.extend(circles(&arrows));
        problems
    }

    fn unplaced(&self, layers: &[&str]) -> Vec<String> {
        let names = self.root.children.keys();
        let unplaced = names.filter(|name| !layers.contains(&name.as_str()));
        unplaced.map(|name| format!("module `{name}` has no place among the layers")).collect()
    }

    /// The file that defines an item; none if another crate does.
    fn file_of(&self, path: &[String], depth: usize) -> Option<&str> {
        assert!(depth < 32, "imports go round in a circle: {}", path.join("::"));
        let mut module = &self.root;
        for (at, name) in path.iter().enumerate() {
            if let Some(child) = module.children.get(name) {
                module = child;
                continue;
            }
            let rest = &path[at..];
            if let Some(import) = module.imports.get(name) {
                let full: Vec<_> = import.iter().chain(&rest[1..]).cloned().collect();
                return self.file_of(&full, depth + 1);
            }
            let mut globs = module.globs.iter();
            return globs
                .find_map(|glob| self.file_in(&[glob, rest].concat(), depth + 1))
                .or(Some(module.file.as_str()));
        }
        Some(module.file.as_str())
    }

    /// The same for an item that a glob may have brought in: only what is imported there counts.
    fn file_in(&self, path: &[String], depth: usize) -> Option<&str> {
        let (name, folder) = path.split_last()?;
        let module =
            folder.iter().try_fold(&self.root, |module, name| module.children.get(name))?;
        let import = module.imports.get(name)?;
        self.file_of(import, depth)
    }
}

impl Module {
    fn at(&mut self, path: &[String]) -> &mut Module {
        path.iter().fold(self, |module, name| module.children.entry(name.clone()).or_default())
    }

    fn for_each(&self, visit: &mut impl FnMut(&Module)) {
        visit(self);
        self.children.values().for_each(|child| child.for_each(visit));
    }

    fn scan(&mut self, path: &[String], tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at += self.scan_at(path, &tokens[at..]);
        }
    }

    /// Takes what begins here; returns how many tokens that were.
    fn scan_at(&mut self, path: &[String], tokens: &[TokenTree]) -> usize {
        match tokens {
            [hash, TokenTree::Group(attribute), ..] if is_punct(hash, '#') => {
                2 + if is_for_tests(&attribute.stream()) { item_len(&tokens[2..]) } else { 0 }
            }
            [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), ..]
                if word == "mod" =>
            {
                let name = name.to_string();
                let child = self.children.entry(name.clone()).or_default();
                child.file.clone_from(&self.file);
                child.scan(&[path, &[name]].concat(), body.stream());
                3
            }
            [TokenTree::Ident(word), next, ..] if word == "use" && !is_punct(next, '<') => {
                let end = tokens.iter().position(|token| is_punct(token, ';'));
                let end = end.unwrap_or(tokens.len());
                self.import(path, &[], &tokens[1..end]);
                end
            }
            [TokenTree::Ident(word), ..] if word == "crate" || word == "super" => {
                let (names, len) = names(tokens);
                // Without a name of an item it is a visibility.
                if names.last().is_some_and(|name| name != "super" && name != "crate") {
                    self.paths.extend(absolute(path, &names));
                }
                len
            }
            [TokenTree::Group(group), ..] => {
                self.scan(path, group.stream());
                1
            }
            _ => 1,
        }
    }

    /// The part of a `use` after `prefix`.
    fn import(&mut self, path: &[String], prefix: &[String], tokens: &[TokenTree]) {
        let (names, len) = names(tokens);
        let full = [prefix, &names].concat();
        match &tokens[len..] {
            [TokenTree::Group(group), ..] => {
                let group: Vec<_> = group.stream().into_iter().collect();
                for part in group.split(|token| is_punct(token, ',')) {
                    self.import(path, &full, part);
                }
            }
            [star, ..] if is_punct(star, '*') => self.globs.extend(self.absolute(path, &full)),
            rest => {
                let alias = match rest {
                    [TokenTree::Ident(word), alias, ..] if word == "as" => Some(alias.to_string()),
                    _ => None,
                };
                self.bind(path, full, alias);
            }
        }
    }

    fn bind(&mut self, path: &[String], mut full: Vec<String>, alias: Option<String>) {
        if full.last().is_some_and(|name| name == "self") {
            full.pop();
        }
        let Some(last) = full.last().cloned() else { return };
        let Some(target) = self.absolute(path, &full) else { return };
        self.paths.push(target.clone());
        self.imports.insert(alias.unwrap_or(last), target);
    }

    /// A path of a `use`, from the root; none if it leads to another crate.
    fn absolute(&self, path: &[String], names: &[String]) -> Option<Vec<String>> {
        match names.first()?.as_str() {
            "crate" | "super" | "self" => absolute(path, names),
            child if self.children.contains_key(child) => Some([path, names].concat()),
            _ => None,
        }
    }
}

fn absolute(path: &[String], names: &[String]) -> Option<Vec<String>> {
    let (mut base, mut names) = (path.to_vec(), names);
    while let [first, rest @ ..] = names {
        match first.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => drop(base.pop()?),
            _ => break,
        }
        names = rest;
    }
    base.extend_from_slice(names);
    Some(base)
}

/// The names at the start that `::` joins, and how many tokens they take.
fn names(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut names, mut at) = (Vec::new(), 0);
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        if name == "as" {
            break;
        }
        names.push(name.to_string());
        at += 1;
        let is_joined = matches!(&tokens[at..], [a, b, ..] if is_punct(a, ':') && is_punct(b, ':'));
        if !is_joined {
            break;
        }
        at += 2;
    }
    (names, at)
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// Whether an attribute lets an item exist in tests alone.
fn is_for_tests(attribute: &TokenStream) -> bool {
    let text: String = attribute.to_string().split_whitespace().collect();
    text == "test"
        || text == "cfg(test)"
        || text == "cfg(doctest)"
        || text.starts_with("cfg(all(test,")
}

/// How many tokens the item takes that begins here, with its other attributes.
fn item_len(tokens: &[TokenTree]) -> usize {
    let end = tokens.iter().position(|token| {
        let is_body =
            matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        is_body || is_punct(token, ';')
    });
    end.map_or(tokens.len(), |end| end + 1)
}

fn module_path(file: &str) -> Vec<String> {
    let file = file.strip_suffix("/mod").unwrap_or(file);
    if file == "lib" { Vec::new() } else { file.split('/').map(str::to_owned).collect() }
}

fn collect(root: &Path, folder: &Path, sources: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(root, &path, sources);
            continue;
        }
        let name = path.strip_prefix(root).unwrap();
        if is_source(name) {
            let name = name.with_extension("").to_str().unwrap().to_owned();
            sources.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Modules of tests have files of these names.
fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
        && !path.components().any(|part| part.as_os_str() == "tests")
        && path.file_stem().is_some_and(|name| name != "tests")
}

/// The module at the root that a file belongs to; the root itself uses everything.
fn layer(file: &str) -> Option<&str> {
    (file != "lib").then(|| file.split('/').next().unwrap_or(file))
}

fn upward(arrows: &Arrows, layers: &[&str]) -> Vec<String> {
    let height = |file: &str| layers.iter().position(|name| Some(*name) == layer(file));
    let is_upward = |(from, to): &&(String, String)| match (height(from), height(to)) {
        (Some(from), Some(to)) => from < to,
        _ => false,
    };
    let upward = arrows.iter().filter(is_upward);
    upward.map(|(from, to)| format!("{from}.rs uses {to}.rs, which is above it")).collect()
}

fn outside<'a>(
    arrows: &'a Arrows,
    module: &'a str,
    allowed: &'a [&'a str],
) -> impl Iterator<Item = String> + 'a {
    let is_outside = move |file: &str| {
        layer(file).is_some_and(|layer| layer != module && !allowed.contains(&layer))
    };
    let from_module = arrows.iter().filter(move |(from, _)| layer(from) == Some(module));
    let outside = from_module.filter(move |(_, to)| is_outside(to));
    outside.map(|(from, to)| format!("{from}.rs uses {to}.rs, and may not"))
}

/// The circles among what lies directly in each folder: its files, and its folders as a whole. The
/// file that is the folder's own module does not count.
fn circles(arrows: &Arrows) -> Vec<String> {
    let mut by_folder: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for arrow in arrows {
        if let Some((folder, step)) = Step::of(arrow) {
            by_folder.entry(folder).or_default().push(step);
        }
    }
    let circles = by_folder.iter().flat_map(|(folder, steps)| {
        let circles = circles_of(steps).into_iter().filter(|circle| !is_meant(folder, circle));
        circles.map(move |circle| describe(folder, &circle, steps))
    });
    circles.collect()
}

/// An arrow between two entries of a folder.
#[derive(Debug)]
struct Step<'a> {
    from: String,
    to: String,
    files: &'a (String, String),
}

impl<'a> Step<'a> {
    /// It belongs to the innermost folder that both files are in.
    fn of(files: &'a (String, String)) -> Option<(String, Self)> {
        let (from, to) = (module_path(&files.0), module_path(&files.1));
        let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        let step = Step { from: from.get(shared)?.clone(), to: to.get(shared)?.clone(), files };
        Some((from[..shared].join("/"), step))
    }
}

fn is_meant(folder: &str, circle: &BTreeSet<String>) -> bool {
    MEANT.iter().any(|(name, files)| *name == folder && circle.iter().eq(*files))
}

fn describe(folder: &str, circle: &BTreeSet<String>, steps: &[Step<'_>]) -> String {
    let mut text = format!("a circle in {folder}/:");
    let inside =
        steps.iter().filter(|step| circle.contains(&step.from) && circle.contains(&step.to));
    for Step { files: (from, to), .. } in inside {
        write!(text, "\n    {from}.rs uses {to}.rs").unwrap();
    }
    text
}

/// Sets of two and more that reach each other.
fn circles_of(steps: &[Step<'_>]) -> BTreeSet<BTreeSet<String>> {
    let names: BTreeSet<&str> = steps.iter().map(|step| step.from.as_str()).collect();
    let reach: BTreeMap<_, _> = names.iter().map(|from| (*from, reachable(steps, from))).collect();
    let circle = |from: &&str| -> BTreeSet<String> {
        let reaches_back = |to: &&&str| reach.get(**to).is_some_and(|reach| reach.contains(from));
        reach[from].iter().filter(reaches_back).map(|name| (*name).to_owned()).collect()
    };
    names.iter().map(circle).filter(|circle| circle.len() > 1).collect()
}

fn reachable<'a>(steps: &'a [Step<'_>], from: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(name) = open.pop() {
        let next = steps.iter().filter(|step| step.from == name).map(|step| step.to.as_str());
        open.extend(next.filter(|name| found.insert(*name)));
    }
    found
}

/// The checker finds what it is for.
mod checker {
    use super::*;

    fn problems(files: &[(&str, &str)], layers: &[&str]) -> Vec<String> {
        let sources = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        Crate::parse(&sources.collect()).problems(layers, &[])
    }

    const UP: &str = "low.rs uses high.rs, which is above it";

    #[test]
    fn an_arrow_may_point_down() {
        let files = [("low", "pub struct L;"), ("high", "use crate::low::L; pub struct H;")];
        assert!(problems(&files, &["low", "high"]).is_empty());
    }

    #[test]
    fn an_arrow_up_is_found_however_it_is_written() {
        for text in [
            "use crate::high::H;",
            "use crate::{high::{self, H as Other}};",
            "use super::high;",
            "fn f() -> crate::high::H { todo!() }",
            "fn f() { let _ = [super::high::H]; }",
            "pub(crate) mod inner { use super::super::high::H; }",
            "use crate::H;",
            "use crate::high::*;\nfn f() -> crate::high::H { todo!() }",
            "#[cfg(feature = \"cli\")] use crate::high::H;",
            "macro_rules! m { () => { $crate::high::H }; }",
        ] {
            let files = [
                ("lib", "mod high; mod low; pub use high::H;"),
                ("low", text),
                ("high", "pub struct H;"),
            ];
            assert_eq!(problems(&files, &["low", "high"]), [UP], "{text}");
        }
    }

    #[test]
    fn a_re_export_is_followed_to_its_file() {
        let files = [
            ("low", "use crate::middle::H;"),
            ("middle", "pub use crate::high::H;"),
            ("high", "pub struct H;"),
        ];
        assert_eq!(
            problems(&files, &["middle", "low", "high"]),
            [UP, "middle.rs uses high.rs, which is above it"]
        );
    }

    #[test]
    fn what_tests_use_does_not_count() {
        let text = "#[cfg(test)] #[allow(unused)] mod tests { use crate::high::H; }
            #[cfg(test)] use crate::high::H; pub struct L;";
        let files = [("low", text), ("high", "use crate::low::L; pub struct H;")];
        assert!(problems(&files, &["low", "high"]).is_empty());
    }

    #[test]
    fn a_module_without_a_place_is_found() {
        let files = [("low", ""), ("new", "")];
        let expected = ["module `new` has no place among the layers"];
        assert_eq!(problems(&files, &["low"]), expected);
    }

    #[test]
    fn a_circle_of_files_is_found() {
        let files = [
            ("m/mod", "mod a; mod b; mod c; pub use a::A; use b::B; use c::C; pub struct M;"),
            ("m/a", "use super::M; use super::c::C; pub struct A;"),
            ("m/b", "use super::A; pub struct B;"),
            ("m/c", "use super::B; pub struct C;"),
        ];
        let circle = "a circle in m/:\n    m/a.rs uses m/c.rs\n    m/b.rs uses m/a.rs\n    m/c.rs uses m/b.rs";
        assert_eq!(problems(&files, &["m"]), [circle]);
        let straight = [files[0], files[1], files[2], ("m/c", "use super::M; pub struct C;")];
        assert!(problems(&straight, &["m"]).is_empty());
    }

    #[test]
    fn a_circle_of_folders_is_found() {
        let files = [
            ("m/mod", ""),
            ("m/a/mod", "pub use one::A;"),
            ("m/a/one", "pub struct A;"),
            ("m/a/two", "use crate::m::b::B;"),
            ("m/b", "use super::a::A; pub struct B;"),
        ];
        let circle = "a circle in m/:\n    m/a/two.rs uses m/b.rs\n    m/b.rs uses m/a/one.rs";
        assert_eq!(problems(&files, &["m"]), [circle]);
    }

    #[test]
    fn a_module_keeps_to_what_it_may_use() {
        let files = [("low", "pub struct L;"), ("high", "use crate::low::L;")];
        let sources = files.map(|(file, text)| (file.to_owned(), text.to_owned()));
        let problems = Crate::parse(&sources.into()).problems(&["low", "high"], &[("high", &[])]);
        assert_eq!(problems, ["high.rs uses low.rs, and may not"]);
    }
}
