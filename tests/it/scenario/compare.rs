//! What was expected against what was seen, and how to accept it.

use std::fmt::Write as _;

use serde_json::Value;

use super::{play::Played, story::Story};

/// The difference, line by line; `None`: there is none. `*` in an expected line stands for anything.
pub(super) fn compare(story: &Story, played: &Played) -> Option<String> {
    difference_of(&story.transcript, &story.end, played)
}

/// The same, for any kind of story.
pub(super) fn difference_of(transcript: &str, end: &Value, played: &Played) -> Option<String> {
    let expected: Vec<String> =
        transcript.lines().map(|line| line.trim_end().to_owned()).chain(end_lines(end)).collect();
    let seen: Vec<String> =
        played.lines.iter().map(|line| line.trim_end().to_owned()).chain(end_lines(&played.end)).collect();
    let same = expected.len() == seen.len() && expected.iter().zip(&seen).all(|(one, other)| like(one, other));
    (!same).then(|| difference(&expected, &seen))
}

/// The end as lines of its file.
fn end_lines(end: &Value) -> Vec<String> {
    let Value::Object(fields) = end else { return Vec::new() };
    fields
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("  {name}: {text}"),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| item.as_str().map_or(item.to_string(), quoted)).collect();
                format!("  {name}: [{}]", items.join(", "))
            }
            other => format!("  {name}: {other}"),
        })
        .collect()
}

/// A text with a colon or a comma wants quotes in a list.
fn quoted(text: &str) -> String {
    if text.contains([':', ',', '#']) { format!("\"{text}\"") } else { text.to_owned() }
}

fn like(expected: &str, seen: &str) -> bool {
    let mut parts = expected.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = seen.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (place, part) in parts.iter().enumerate() {
        if place + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// The longest common lines stay; `-` was expected, `+` was seen.
fn difference(expected: &[String], seen: &[String]) -> String {
    let mut longest = vec![vec![0_usize; seen.len() + 1]; expected.len() + 1];
    for one in (0..expected.len()).rev() {
        for other in (0..seen.len()).rev() {
            longest[one][other] = if like(&expected[one], &seen[other]) {
                longest[one + 1][other + 1] + 1
            } else {
                longest[one + 1][other].max(longest[one][other + 1])
            };
        }
    }
    let (mut one, mut other, mut text) = (0, 0, String::new());
    while one < expected.len() || other < seen.len() {
        if one < expected.len() && other < seen.len() && like(&expected[one], &seen[other]) {
            let _ok = writeln!(text, "  {}", seen[other]);
            (one, other) = (one + 1, other + 1);
        } else if other == seen.len() || (one < expected.len() && longest[one + 1][other] >= longest[one][other + 1]) {
            let _ok = writeln!(text, "- {}", expected[one]);
            one += 1;
        } else {
            let _ok = writeln!(text, "+ {}", seen[other]);
            other += 1;
        }
    }
    text
}

/// The file with what was seen in place of its transcript and its end, which are its last parts.
pub(super) fn accepted(text: &str, played: &Played) -> String {
    let head: String = text
        .lines()
        .take_while(|line| !line.starts_with("transcript:") && !line.starts_with("end:"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut file = head.trim_end().to_owned();
    file.push_str("\ntranscript: |2\n");
    for line in &played.lines {
        let _ok = writeln!(file, "  {line}");
    }
    file.push_str("end:\n");
    for line in end_lines(&played.end) {
        file.push_str(&line);
        file.push('\n');
    }
    file
}
