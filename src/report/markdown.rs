//! Markdown (`CommonMark` 0.31 with GitHub's tables). Whatever the record says is escaped: it can be no heading, link or tag.

use std::fmt::Write as _;

use super::sheet::{Block, Fact, Sheet, Table};

/// Writes a sheet.
pub(super) fn write(sheet: &Sheet) -> String {
    let mut out = String::new();
    let draft = if sheet.draft { " (DRAFT)" } else { "" };
    // Writing to a String cannot fail.
    let _ok = write!(out, "# {}: {}{draft}\n\n", sheet.banner.as_str(), escape(&sheet.title));
    if sheet.draft {
        out.push_str("**DRAFT: nobody signed the record of this run.**\n\n");
    }
    let _ok = write!(out, "**Verdict: {}.** {}\n\n", sheet.verdict.words(), escape(&sheet.sentence));
    facts(&mut out, &sheet.cover);
    for (number, section) in (1..).zip(&sheet.sections) {
        let _ok = write!(out, "## {number}. {}\n\n", escape(&section.title));
        for block in &section.blocks {
            match block {
                Block::Text(text) => {
                    let _ok = write!(out, "{}\n\n", escape(text));
                }
                Block::Facts(rows) => facts(&mut out, rows),
                Block::Table(rows) => table(&mut out, rows),
                Block::Picture(picture) => table(&mut out, &picture.table()),
            }
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn facts(out: &mut String, rows: &[Fact]) {
    for fact in rows {
        let _ok = writeln!(out, "- {}: {}", escape(&fact.name), escape(&fact.value));
    }
    out.push('\n');
}

fn table(out: &mut String, table: &Table) {
    let line =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| escape(cell)).collect::<Vec<_>>().join(" | "));
    let _ok = write!(out, "**{}**\n\n", escape(&table.caption));
    out.push_str(&line(&table.columns));
    out.push_str(&line(&vec!["---".to_owned(); table.columns.len()]));
    for row in &table.rows {
        out.push_str(&line(row));
    }
    out.push('\n');
}

/// Text that is nothing but text (`CommonMark` section 2.4): one line, and what could be markup is escaped.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.trim().char_indices() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            // It begins a heading only at the start of a line.
            '#' if at == 0 => out.push_str("\\#"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_no_markup() {
        for (text, expected) in [
            ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
            ("a | b\nc", r"a \| b c"),
            ("# heading", r"\# heading"),
            ("[a](http://b)", r"\[a\](http://b)"),
            ("fence-db", "fence-db"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }
}
