//! What is wrong with the arrows: those that point up or outside, and circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::source::{Arrows, Crate, module_path};

/// A circle in a folder that is meant: a hook takes the [`Cx`](vfio_user::Cx) of its own device.
const MEANT: &[(&str, &[&str])] = &[("device", &["cx", "device"])];

/// What is wrong: arrows that point up, arrows of a module outside those it may use, modules that
/// are in no layer, and circles.
pub(crate) fn problems(crate_: &Crate, layers: &[&str], limits: &[(&str, &[&str])]) -> Vec<String> {
    let arrows = crate_.arrows();
    let mut problems = upward(&arrows, layers);
    problems.extend(limits.iter().flat_map(|(from, to)| outside(&arrows, from, to)));
    problems.extend(unplaced(crate_, layers));
    problems.extend(circles(&arrows));
    problems
}

fn unplaced(crate_: &Crate, layers: &[&str]) -> Vec<String> {
    let unplaced = crate_.modules().filter(|name| !layers.contains(name));
    unplaced.map(|name| format!("module `{name}` has no place among the layers")).collect()
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
