//! How large and how deep an expression may be, before it is handed to the compiler.
//!
//! The compiler, what it makes, and the freeing of both are recursive, and a stack that overflows ends the process: no
//! error, no message. So what can nest or chain is counted here: brackets that are open at once, operators of one expression, and
//! blocks of one text. The count sees more than there is where texts hold what looks like code, and never less.

use super::ExprError;

/// Bytes of an expression: more is data, not a condition.
pub(super) const MAX_TEXT: usize = 64 << 10;
/// Brackets open at once. A condition of a runbook has two or three; each costs some fifteen calls of the compiler.
pub(super) const MAX_OPEN: usize = 20;
/// Dots, operators and words such as `and` in one expression, each character counted: some thirty clauses. A chain of so many needs
/// less than half of a thread's two megabytes of stack in a debug build.
pub(super) const MAX_OPERATORS: usize = 200;
/// `{% %}` of one text.
pub(super) const MAX_BLOCKS: usize = 100;

/// Words that stand between two operands, or before one.
const WORDS: &[&str] = &["not", "and", "or", "in", "is", "if", "else", "elif"];

/// Refuses a condition that is too large or too deep.
pub(super) fn expression(text: &str) -> Result<(), ExprError> {
    size(text)?;
    code(text, Reading::Condition).map(|_| ())
}

/// Refuses a text with `{{ }}` that is too large, or with an expression that is too deep.
pub(super) fn template(text: &str) -> Result<(), ExprError> {
    size(text)?;
    // `{% raw %}` hides where code begins: then everything counts as one expression.
    let raw = |(at, _)| {
        let inside = text.get(at + 2..).unwrap_or_default().trim_start_matches(['-', '+']);
        inside.trim_start().starts_with("raw")
    };
    if text.match_indices("{%").any(raw) {
        return code(text, Reading::Anything).map(|_| ());
    }
    let (mut rest, mut blocks) = (text, 0);
    while let Some(open) = rest.find('{') {
        rest = rest.get(open + 1..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix('#') {
            rest = comment.split_once("#}").map_or("", |(_, after)| after);
        } else if rest.starts_with(['{', '%']) {
            blocks += usize::from(rest.starts_with('%'));
            if blocks > MAX_BLOCKS {
                return Err(ExprError::TooDeep { what: "blocks", allowed: MAX_BLOCKS });
            }
            let inside = rest.get(1..).unwrap_or_default();
            rest = inside.get(code(inside, Reading::Block)?..).unwrap_or_default();
        }
    }
    Ok(())
}

fn size(text: &str) -> Result<(), ExprError> {
    if text.len() > MAX_TEXT { Err(ExprError::TooLong { bytes: text.len() }) } else { Ok(()) }
}

/// What a text is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Code to its end.
    Condition,
    /// Code as far as the first `}}` or `%}` outside of brackets and quotes.
    Block,
    /// Code and text, and nobody can tell which: quotes hide nothing.
    Anything,
}

/// Counts the code at the start of a text, and says where it ends.
fn code(text: &str, reading: Reading) -> Result<usize, ExprError> {
    let bytes = text.as_bytes();
    let (mut at, mut open, mut operators) = (0_usize, 0_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        match byte {
            b'}' | b'%' if reading == Reading::Block && open == 0 && next == Some(&b'}') => return Ok(at + 2),
            b'"' | b'\'' if reading != Reading::Anything => at = quoted(bytes, at),
            b'(' | b'[' | b'{' => {
                open += 1;
                operators += 1;
            }
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {
                let end = bytes[at..].iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
                let end = end.map_or(bytes.len(), |length| at + length);
                operators += usize::from(text.get(at..end).is_some_and(|word| WORDS.contains(&word)));
                at = end - 1;
            }
            byte if byte.is_ascii_punctuation() => operators += usize::from(*byte != b','),
            _ => {}
        }
        if open > MAX_OPEN {
            return Err(ExprError::TooDeep { what: "brackets inside of brackets", allowed: MAX_OPEN });
        }
        if operators > MAX_OPERATORS {
            return Err(ExprError::TooDeep { what: "operators", allowed: MAX_OPERATORS });
        }
        at += 1;
    }
    Ok(bytes.len())
}

/// The place of the quote that ends the text which begins here.
fn quoted(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            byte if Some(byte) == bytes.get(from) => break,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use std::thread;

    use serde_json::json;

    use super::*;
    use crate::decide::{compile_check, compile_check_text, holds, render};

    /// What a condition chains or nests, with the most of it that is allowed.
    fn chains(more: usize) -> Vec<String> {
        let some = MAX_OPERATORS + more;
        vec![
            format!("{}true", "not ".repeat(some)),
            format!("{}1", "-".repeat(some)),
            format!("1{}", "+1".repeat(some)),
            format!("1{}", " ~ 1".repeat(some)),
            format!("x{}", ".a".repeat(some)),
            format!("x{}", "[0]".repeat(some)),
            format!("x{}", "()".repeat(some)),
            format!("1{}", "|abs".repeat(some)),
            format!("1{}", " if true else 1".repeat(some.div_ceil(2))),
            format!("true{}", " and true".repeat(some)),
            format!("{}1{}", "(".repeat(MAX_OPEN + more), ")".repeat(MAX_OPEN + more)),
            format!("{}1{}", "[".repeat(MAX_OPEN + more), "]".repeat(MAX_OPEN + more)),
            format!("{}1{}", "{'a':[".repeat(MAX_OPEN / 2 + more), "]}".repeat(MAX_OPEN / 2 + more)),
        ]
    }

    /// A thread of the runtime has two megabytes; here there is half of that.
    #[test]
    fn what_is_allowed_needs_less_than_half_of_a_threads_stack() {
        let deep = || {
            for text in chains(0) {
                let _checked = compile_check(&text);
                let _held = holds(&text, &json!({ "x": 1 }));
                let block = format!("{{{{ {text} }}}}");
                let _checked = compile_check_text(&block);
                let _rendered = render(&block, &json!({ "x": 1 }));
            }
            let branches = format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(MAX_BLOCKS - 2));
            let _checked = compile_check_text(&branches);
            let loops = MAX_BLOCKS / 2;
            let loops = "{% for a in [1] %}".repeat(loops) + &"{% endfor %}".repeat(loops);
            let _checked = compile_check_text(&loops);
        };
        thread::Builder::new().stack_size(1 << 20).spawn(deep).unwrap().join().unwrap();
    }

    #[test]
    fn what_is_deeper_is_refused_before_anything_recursive_sees_it() {
        for text in chains(1) {
            assert!(matches!(compile_check(&text), Err(ExprError::TooDeep { .. })), "{text}");
            assert!(matches!(holds(&text, &json!({})), Err(ExprError::TooDeep { .. })), "{text}");
            for block in [
                format!("{{{{ {text} }}}}"),
                format!("{{% if {text} %}}{{% endif %}}"),
                format!("{{# {{{{ #}}{{{{{text}}}}}"),
            ] {
                assert!(matches!(compile_check_text(&block), Err(ExprError::TooDeep { .. })), "{block}");
                assert!(matches!(render(&block, &json!({})), Err(ExprError::TooDeep { .. })), "{block}");
            }
        }
        let branches = format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(MAX_BLOCKS));
        assert!(matches!(render(&branches, &json!({})), Err(ExprError::TooDeep { .. })));
    }

    #[test]
    fn what_looks_like_the_end_inside_of_quotes_or_brackets_is_none() {
        let chain = "+1".repeat(MAX_OPERATORS + 1);
        for start in
            ["'}}' ~ ", "\"%}\" ~ ", "'\\'}}' ~ ", "{'a': {'b': 1}} ~ ", "[{}][0] ~ ", "{% raw %}{{ ' {% endraw %}{{ "]
        {
            let text = format!("{{{{ {start}1{chain} }}}}");
            assert!(matches!(template(&text), Err(ExprError::TooDeep { .. })), "{start}");
        }
    }

    #[test]
    fn texts_and_long_lists_of_outputs_are_no_deep_expressions() {
        let long = "Dear all, - (this) is + not & code | at * all.\n".repeat(200);
        assert_eq!(template(&format!("{long}{{{{ source }}}}{long}")), Ok(()));
        assert_eq!(template(&"{{ steps.promote_db.lag_bytes }} of {# a + b + c #}".repeat(500)), Ok(()));
        assert_eq!(expression(&vec!["steps.promote_db.lag_bytes < 10"; 30].join(" and ")), Ok(()));
        assert_eq!(expression(&format!("source == '{}'", "+".repeat(1_000))), Ok(()));
    }
}
