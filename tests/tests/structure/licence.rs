//! Expressions of licences (SPDX).

/// Returns whether an expression allows one of these licences, or several together.
pub(crate) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = Tokens { rest: &spaced.split_whitespace().collect::<Vec<_>>(), allowed };
    tokens.any()
}

struct Tokens<'a> {
    rest: &'a [&'a str],
    allowed: &'a [String],
}

impl Tokens<'_> {
    fn any(&mut self) -> bool {
        let mut is_allowed = self.all();
        while self.take("OR") {
            is_allowed |= self.all();
        }
        is_allowed
    }

    fn all(&mut self) -> bool {
        let mut is_allowed = self.one();
        while self.take("AND") {
            is_allowed &= self.one();
        }
        is_allowed
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let is_allowed = self.any();
            return self.take(")") && is_allowed;
        }
        let mut name = self.next().to_owned();
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.next());
        }
        self.allowed.contains(&name)
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.rest.first() == Some(&token);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    fn next(&mut self) -> &str {
        let (first, rest) = self.rest.split_first().unwrap_or((&"", &[]));
        self.rest = rest;
        first
    }
}

#[test]
fn expressions_are_evaluated() {
    let allowed = ["MIT", "Zlib", "A WITH B"].map(str::to_owned);
    for (expression, is_right) in [
        ("MIT", true),
        ("GPL-2.0", false),
        ("GPL-2.0 OR MIT", true),
        ("GPL-2.0/MIT", true),
        ("GPL-2.0 AND MIT", false),
        ("(GPL-2.0 OR MIT) AND Zlib", true),
        ("GPL-2.0 OR MIT AND X", false),
        ("A WITH B AND MIT", true),
        ("A", false),
        ("A WITH C", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), is_right, "{expression}");
    }
}
