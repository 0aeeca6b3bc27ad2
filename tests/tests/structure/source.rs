//! The sources as tokens: which file uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Which file uses which.
pub(crate) type Arrows = BTreeSet<(String, String)>;

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
pub(crate) struct Crate {
    root: Module,
}

impl Crate {
    pub(crate) fn read(folder: &Path) -> Self {
        let mut sources = BTreeMap::new();
        collect(folder, folder, &mut sources);
        Self::parse(&sources)
    }

    /// Sources by their paths from the root, without `.rs`.
    pub(crate) fn parse(sources: &BTreeMap<String, String>) -> Self {
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

    pub(crate) fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        self.root.for_each(&mut |module| {
            for path in &module.paths {
                let used = self.file_of(path, 0).filter(|used| *used != module.file);
                arrows.extend(used.map(|used| (module.file.clone(), used.to_owned())));
            }
        });
        arrows
    }

    /// The names of the modules at the root.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &str> {
        self.root.children.keys().map(String::as_str)
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

pub(crate) fn module_path(file: &str) -> Vec<String> {
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
