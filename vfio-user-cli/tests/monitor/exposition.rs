//! A reader of the text format of Prometheus, which accepts nothing else.

use std::collections::{BTreeMap, BTreeSet};

/// A sample: its labels and its value.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

/// The metrics of a text: the kind and the samples of each.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<String, Vec<Sample>>,
}

impl Exposition {
    /// Reads a text.
    ///
    /// # Panics
    ///
    /// If it has another form.
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has an end");
        let (mut read, mut helped) = (Exposition::default(), BTreeSet::new());
        for line in text.lines() {
            match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
                ["#", "HELP", name, help] => {
                    assert!(!help.is_empty() && helped.insert(name), "help: {line}");
                }
                ["#", "TYPE", name, kind] => {
                    assert!(matches!(kind, "counter" | "gauge"), "kind: {line}");
                    assert_eq!(kind == "counter", name.ends_with("_total"), "name: {line}");
                    assert!(read.kinds.insert(name.into(), kind.into()).is_none(), "twice: {line}");
                }
                _ => read.add(line),
            }
        }
        assert!(read.kinds.keys().all(|name| helped.contains(&**name)), "help of {:?}", read.kinds);
        read
    }

    fn add(&mut self, line: &str) {
        let (name, rest) = line.split_once('{').expect(line);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(name.chars().all(is_name) && self.kinds.contains_key(name), "name: {line}");
        let (labels, rest) = labels(rest);
        let value = rest.strip_prefix(' ').and_then(|value| value.parse().ok());
        let sample = (labels, value.unwrap_or_else(|| panic!("value: {line}")));
        let samples = self.samples.entry(name.to_owned()).or_default();
        assert!(samples.iter().all(|(labels, _)| *labels != sample.0), "twice: {line}");
        samples.push(sample);
    }

    pub(crate) fn kind(&self, name: &str) -> &str {
        &self.kinds[name]
    }

    /// Returns the sample with these labels, among others.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            labels.iter().all(|(name, value)| sample.0.get(*name).is_some_and(|is| is == value))
        };
        let found: Vec<_> = self.samples[name].iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {:?}", self.samples[name]);
        found[0].1
    }
}

/// Reads labels up to the closing brace; returns what is behind it.
fn labels(text: &str) -> (BTreeMap<String, String>, &str) {
    let (mut labels, mut rest) = (BTreeMap::new(), text);
    loop {
        let (name, quoted) = rest.split_once("=\"").expect("a label");
        let (value, behind) = unquote(quoted);
        assert!(labels.insert(name.to_owned(), value).is_none(), "a label twice");
        match behind.split_at(1) {
            (",", next) => rest = next,
            ("}", end) => return (labels, end),
            _ => panic!("after a label: {behind}"),
        }
    }
}

/// Reads a label's value up to the quote.
fn unquote(text: &str) -> (String, &str) {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, letter @ ('\\' | '"'))) => value.push(letter),
                other => panic!("escape: {other:?}"),
            },
            letter => value.push(letter),
        }
    }
    panic!("a label without an end: {text}");
}

#[test]
fn the_reader_knows_the_format() {
    let text = "# HELP a_total A counter, of \"things\".\n# TYPE a_total counter\n\
                a_total{x=\"1\",y=\"a\\\\b\\\"c\\nd\"} 2.5\na_total{x=\"2\"} 18446744073709551615\n";
    let read = Exposition::read(text);
    assert_eq!(read.value("a_total", &[("y", "a\\b\"c\nd")]).to_string(), "2.5");
    assert_eq!(read.kind("a_total"), "counter");
}
