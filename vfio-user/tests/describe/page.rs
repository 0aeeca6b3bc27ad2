//! The page of HTML.

use std::collections::HashSet;

use quick_xml::Reader;
use quick_xml::events::Event;
use vfio_user::declaration::{Bar, BarKind, Descriptor, Register};
use vfio_user::describe;

use crate::everything;

/// What comes after each place in which `start` occurs, up to `end`.
fn between<'a>(page: &'a str, start: &str, end: char) -> Vec<&'a str> {
    page.split(start).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

#[test]
fn every_link_has_a_target_and_every_id_is_one() {
    let page = describe::html(&everything());
    let page = page.split("<script>").next().unwrap();
    let ids = between(page, " id=\"", '"');
    let targets: HashSet<_> = ids.iter().copied().collect();
    assert_eq!(ids.len(), targets.len());
    let links = between(page, "href=\"", '"');
    assert!(links.len() > 50);
    for link in links {
        let target = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads outside"));
        assert!(targets.contains(target), "{link}");
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = describe::html(&everything());
    for word in ["src=", "http:", "https:", "url(", "@import", "<link", "<iframe"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}

/// The body is XML: what is wrongly nested is an error.
#[test]
fn elements_are_nested() {
    let page = describe::html(&everything());
    let body = page.split("<body>").nth(1).unwrap().split("<script>").next().unwrap();
    let (mut reader, mut depth) = (Reader::from_str(body), 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
}

/// Only what an author writes can be anything: names are letters, digits and `_`.
#[test]
fn what_an_author_writes_is_text() {
    const HOSTILE: &str = "</p><script>alert(1)</script> `<img src=x>` \" onload=' & &lt;";
    const REGISTERS: [Register; 1] = [Register::new::<u32>("hostile", 0).with_doc(HOSTILE)];
    let ids = everything().ids();
    let bar = Bar::new(BarKind::Mem32, 0x1000);
    let descriptor = Descriptor::new("<b>device</b>", ids);
    let descriptor = descriptor.with_doc(HOSTILE).with_bar(0, bar).with_registers(&REGISTERS);
    let page = describe::html(&descriptor);
    assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains("<b>"));
    assert_eq!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count(), 2);
}
