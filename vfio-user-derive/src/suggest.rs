//! Suggestions for misspelt words.

/// Continues a message about an unknown word: the nearest accepted one, or all of them.
pub(crate) fn hint(given: &str, accepted: &[&str]) -> String {
    match closest(given, accepted) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("expected {}", list(accepted)),
    }
}

/// Returns the accepted word that differs from `given` in a third of its letters or less.
pub(crate) fn closest<'w>(given: &str, accepted: &[&'w str]) -> Option<&'w str> {
    let (distance, word) =
        accepted.iter().map(|word| (distance(given, word), *word)).min_by_key(|(d, _)| *d)?;
    (distance <= (given.len() / 3).max(1)).then_some(word)
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Damerau-Levenshtein: insertions, deletions, substitutions, transpositions of neighbours.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = usize::from(one[i - 1] != other[j - 1]);
                let step = (table[i - 1][j] + 1)
                    .min(table[i][j - 1] + 1)
                    .min(table[i - 1][j - 1] + changed);
                let swapped =
                    i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
                if swapped { step.min(table[i - 2][j - 2] + 1) } else { step }
            };
        }
    }
    table[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposition_counts_once() {
        assert_eq!(distance("mem32", "mme32"), 1);
        assert_eq!(distance("vendor", "vendro"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_near_miss_is_named() {
        assert_eq!(hint("rest", &["reset", "mask"]), "did you mean `reset`?");
        assert_eq!(hint("wirtable", &["writable", "mask"]), "did you mean `writable`?");
    }

    #[test]
    fn a_far_miss_lists_the_vocabulary() {
        assert_eq!(hint("colour", &["size", "mask", "bar"]), "expected `size`, `mask` or `bar`");
    }

    #[test]
    fn one_letter_of_a_short_word_may_differ() {
        assert_eq!(closest("r", &["ro", "w1c"]), Some("ro"));
        assert_eq!(closest("xyz", &["ro", "w1c"]), None);
    }
}
