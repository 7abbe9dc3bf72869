//! Comma-separated values (RFC 4180): lines end in CR LF, and what a spreadsheet would take for a formula begins with `'`.

/// A line.
pub(super) fn line(cells: &[String]) -> String {
    cells.iter().map(|cell| self::cell(cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn cell(text: &str) -> String {
    // OWASP, "CSV Injection": these begin a formula.
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_anything_and_is_no_formula() {
        let cells = ["a,b", "say \"no\"", "two\nlines", "=1+1", "plain"].map(String::from);
        assert_eq!(line(&cells), "\"a,b\",\"say \"\"no\"\"\",\"two\nlines\",'=1+1,plain\r\n");
    }
}
