//! The checker finds what it is for.

use crate::arrows;
use crate::source::Crate;

fn problems(files: &[(&str, &str)], layers: &[&str]) -> Vec<String> {
    let sources = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
    arrows::problems(&Crate::parse(&sources.collect()), layers, &[])
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
        "fn f() -> crate::high::H { loop {} }",
        "fn f() { let _ = [super::high::H]; }",
        "pub(crate) mod inner { use super::super::high::H; }",
        "use crate::H;",
        "use crate::high::*;\nfn f() -> crate::high::H { loop {} }",
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
    let circle =
        "a circle in m/:\n    m/a.rs uses m/c.rs\n    m/b.rs uses m/a.rs\n    m/c.rs uses m/b.rs";
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
    let problems =
        arrows::problems(&Crate::parse(&sources.into()), &["low", "high"], &[("high", &[])]);
    assert_eq!(problems, ["high.rs uses low.rs, and may not"]);
}
