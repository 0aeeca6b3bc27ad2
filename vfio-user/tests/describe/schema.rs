//! The schema of the JSON, read from the tables of `docs/describe.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The sections of the page that have a table: what their objects hold.
pub(crate) struct Schema<'a>(BTreeMap<&'a str, Vec<Row<'a>>>);

struct Row<'a> {
    key: &'a str,
    ty: &'a str,
}

impl<'a> Schema<'a> {
    pub(crate) fn read(page: &'a str) -> Self {
        let mut sections = BTreeMap::<_, Vec<_>>::new();
        for section in page.split("\n### ").skip(1) {
            let name = section.lines().next().unwrap_or_default();
            let rows = section.lines().filter(|line| line.starts_with("| `"));
            sections.insert(name, rows.map(Row::read).collect());
        }
        Schema(sections)
    }

    pub(crate) fn sections(&self) -> BTreeSet<&'a str> {
        self.0.keys().copied().collect()
    }

    /// Whether the keys of every object are in the order of a table.
    pub(crate) fn has_order_of(&self, json: &str) -> bool {
        let tables: BTreeSet<Vec<_>> =
            self.0.values().map(|rows| rows.iter().map(|row| row.key).collect()).collect();
        objects(json).iter().all(|keys| tables.contains(keys))
    }

    /// Fails where a description is not as documented; the sections that it has objects of.
    pub(crate) fn check(&self, json: &str) -> BTreeSet<&'a str> {
        let value: Value = serde_json::from_str(json).unwrap();
        let mut met = BTreeSet::new();
        self.object("Device", &value, &mut met);
        met
    }

    fn object(&self, section: &'a str, value: &Value, met: &mut BTreeSet<&'a str>) {
        met.insert(section);
        let object = value.as_object().unwrap_or_else(|| panic!("{section}: {value}"));
        let rows = self.0.get(section).unwrap_or_else(|| panic!("{section} is not documented"));
        let keys: BTreeSet<_> = object.keys().map(String::as_str).collect();
        assert_eq!(keys, rows.iter().map(|row| row.key).collect(), "{section}");
        for row in rows {
            self.value(row.ty, &object[row.key], met);
        }
    }

    fn value(&self, ty: &'a str, value: &Value, met: &mut BTreeSet<&'a str>) {
        let (ty, is_optional) = match ty.strip_suffix(" or null") {
            Some(ty) => (ty, true),
            None => (ty, false),
        };
        if is_optional && value.is_null() {
            return;
        }
        if let Some(ty) = ty.strip_prefix("list of ") {
            let items = value.as_array().unwrap_or_else(|| panic!("not a list: {value}"));
            return items.iter().for_each(|item| self.value(ty, item, met));
        }
        match ty {
            "integer" => assert!(value.as_u64().is_some_and(|it| it < 1 << 32), "{value}"),
            "boolean" => assert!(value.is_boolean(), "{value}"),
            "text" => assert!(value.is_string(), "{value}"),
            "hex" => assert!(value.as_str().is_some_and(is_hex), "{value}"),
            words if words.starts_with('`') => {
                let mut words = words.split(", ").map(|word| word.trim_matches('`'));
                assert!(words.any(|word| value == word), "{value} is none of {ty}");
            }
            section => self.object(section, value, met),
        }
    }
}

impl<'a> Row<'a> {
    /// ``| `key` | type | meaning |``
    fn read(line: &'a str) -> Self {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        let key = cells.next().expect("a row has a key").trim_matches('`');
        Row { key, ty: cells.next().expect("a row has a type") }
    }
}

fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    let is_lower = digits.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'));
    is_lower && (digits == "0" || !digits.is_empty() && !digits.starts_with('0'))
}

/// The keys of every object, in the order of the text.
fn objects(json: &str) -> Vec<Vec<&str>> {
    let (mut open, mut closed) = (Vec::<Vec<_>>::new(), Vec::new());
    for line in json.lines().map(str::trim) {
        if let Some((key, _)) = line.strip_prefix('"').and_then(|line| line.split_once("\": ")) {
            open.last_mut().expect("a key is in an object").push(key);
        }
        if line.ends_with('{') {
            open.push(Vec::new());
        }
        if line.starts_with('}') {
            closed.extend(open.pop());
        }
    }
    closed
}
