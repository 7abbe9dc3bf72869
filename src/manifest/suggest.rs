//! "Did you mean": the closest of the words that would have been right.

/// How alike two words must be, by Jaro-Winkler: `fenc` and `fence` are (0.96), `fence` and `fetch` are not (0.76).
const ALIKE: f64 = 0.82;

/// The most similar word, if any is similar enough.
pub fn closest<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_ascii_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for word in words {
        let alike = strsim::jaro_winkler(&found, &word.to_ascii_lowercase());
        // The first of equals wins, so that the answer does not depend on chance.
        if alike >= ALIKE && best.is_none_or(|(other, _)| alike > other) {
            best = Some((alike, word));
        }
    }
    best.map(|(_, word)| word)
}

/// A remedy: the closest word, or all of them when they are few, or what to do without any.
pub(super) fn help<'a>(found: &str, words: impl IntoIterator<Item = &'a str>, none: &str) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match closest(found, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None if words.is_empty() => none.to_owned(),
        None if words.len() <= 12 => format!("there is {}", listed(&words)),
        None => none.to_owned(),
    }
}

/// `a`, `b` and `c`.
pub(super) fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_recognised_and_another_word_is_not() {
        assert_eq!(closest("fencee", ["promote", "fence"]), Some("fence"));
        assert_eq!(closest("timeoutSecond", ["timeoutSeconds", "retry"]), Some("timeoutSeconds"));
        assert_eq!(closest("dns", ["promote", "fence"]), None);
    }
}
