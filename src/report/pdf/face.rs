//! The two fonts: which characters they hold, how wide each is, and where a line may end.
//!
//! A character is one glyph: no ligatures, no kerning, no marks that combine, left to right. What the fonts lack is printed as its
//! number (`[U+4E2D]`), since PDF/A forbids a glyph that stands for "none" (ISO 19005-3, section 6.2.11.8), and a blank would hide that
//! something is there. The attached record holds the text as it was written.

use std::{collections::BTreeMap, fmt::Write as _};

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::{FontRef, MetadataProvider as _, instance::LocationRef, prelude::Size};

static REGULAR: &[u8] = include_bytes!("font/DejaVuSansCondensed.ttf");
static BOLD: &[u8] = include_bytes!("font/DejaVuSansCondensed-Bold.ttf");

/// A font in one weight.
pub(super) struct Face {
    pub(super) font: Font,
    /// For each character its glyph, and its width as a part of the type size.
    glyphs: BTreeMap<char, (u32, f32)>,
}

impl Face {
    fn read(bytes: &'static [u8]) -> Option<Self> {
        let file = FontRef::new(bytes).ok()?;
        let (unscaled, place) = (Size::unscaled(), LocationRef::default());
        let em = f32::from(file.metrics(unscaled, place).units_per_em);
        let widths = file.glyph_metrics(unscaled, place);
        let glyph = |(code, id)| Some((char::from_u32(code)?, (u32::from(id), widths.advance_width(id)? / em)));
        let glyphs = file.charmap().mappings().filter_map(glyph).collect();
        Some(Self { font: Font::new(bytes.into(), 0)?, glyphs })
    }

    /// How wide a text is, in points. It holds no character that the font lacks ([`Faces::printable`]).
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().filter_map(|c| self.glyphs.get(&c)).map(|(_, width)| width * size).sum()
    }

    /// The glyphs of a text.
    pub(super) fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let glyph = |(at, c): (usize, char)| {
            let (id, width) = self.glyphs.get(&c)?;
            Some(KrillaGlyph::new(GlyphId::new(*id), *width, 0.0, 0.0, 0.0, at..at + c.len_utf8(), None))
        };
        text.char_indices().filter_map(glyph).collect()
    }

    /// The text in lines of no more than a width: broken after a blank where there is one, otherwise after a mark that divides
    /// names, otherwise anywhere. A line break in the text stays one.
    pub(super) fn wrap(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for line in text.split('\n') {
            let mut rest = line.trim_end();
            while let Some(end) = self.overflow(rest, size, width) {
                let (head, tail) = rest.split_at(end);
                lines.push(head.trim_end().to_owned());
                rest = tail.trim_start();
            }
            lines.push(rest.to_owned());
        }
        lines
    }

    /// Where the first line of a text ends; `None`: all of it fits.
    fn overflow(&self, text: &str, size: f32, width: f32) -> Option<usize> {
        let (mut used, mut blank, mut mark) = (0.0, None, None);
        let mut around = text.chars().skip(1);
        let mut before = None;
        for (at, c) in text.char_indices() {
            let after = around.next();
            used += self.glyphs.get(&c).map_or(0.0, |(_, width)| width * size);
            if used > width && at > 0 && c != ' ' {
                return Some(blank.or(mark).unwrap_or(at));
            }
            let end = at + c.len_utf8();
            if c == ' ' && at > 0 {
                blank = Some(end);
            } else if divides(before, c, after) {
                mark = Some(end);
            }
            before = Some(c);
        }
        None
    }

    /// The widest part of a text that stays in one line as long as lines end after blanks alone, and as long as they end after marks
    /// too.
    pub(super) fn widest(&self, text: &str, size: f32) -> (f32, f32) {
        let (mut word, mut piece) = (0.0_f32, 0.0_f32);
        for found in text.split_whitespace() {
            word = word.max(self.width(found, size));
            let mut rest = found;
            while let Some(end) = first_mark(rest) {
                let (head, tail) = rest.split_at(end);
                piece = piece.max(self.width(head, size));
                rest = tail;
            }
            piece = piece.max(self.width(rest, size));
        }
        (word, piece)
    }
}

/// A line may end after this character. A date and a time of day stay whole; between them a line may end.
fn divides(before: Option<char>, c: char, after: Option<char>) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    match c {
        '-' | '/' | '.' | ',' | ':' | ';' | '_' | '=' | '@' | '+' => {
            before.is_some() && after.is_some() && !(digit(before) && digit(after))
        }
        'T' => digit(before) && digit(after),
        _ => false,
    }
}

fn first_mark(text: &str) -> Option<usize> {
    let mut around = text.chars().skip(1);
    let mut before = None;
    for (at, c) in text.char_indices() {
        if divides(before, c, around.next()) {
            return Some(at + c.len_utf8());
        }
        before = Some(c);
    }
    None
}

/// Both weights.
pub(super) struct Faces {
    pub(super) regular: Face,
    pub(super) bold: Face,
}

impl Faces {
    /// Reads them out of the program; `None` is a defect of ours.
    pub(super) fn read() -> Option<Self> {
        Some(Self { regular: Face::read(REGULAR)?, bold: Face::read(BOLD)? })
    }

    pub(super) fn of(&self, bold: bool) -> &Face {
        if bold { &self.bold } else { &self.regular }
    }

    /// The text with nothing in it that cannot be printed. Line breaks stay.
    pub(super) fn printable(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.trim().chars() {
            match c {
                '\n' => out.push('\n'),
                c if c.is_control() => out.push(' '),
                c if self.regular.glyphs.contains_key(&c) && self.bold.glyphs.contains_key(&c) => out.push(c),
                c => {
                    // Writing to a String cannot fail.
                    let _ok = write!(out, "[U+{:04X}]", u32::from(c));
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_after_a_blank_or_a_mark_and_a_date_stays_whole() {
        let faces = Faces::read().unwrap();
        let ten = faces.regular.width("0000000000", 10.0);
        for (text, expected) in [
            ("short", vec!["short"]),
            ("aa bb cc dd ee ff", vec!["aa bb cc dd", "ee ff"]),
            ("orders-database", vec!["orders-", "database"]),
            ("2026-05-04T03:00:05Z", vec!["2026-05-04", "T03:00:05Z"]),
            ("deadbeefdeadbeef", vec!["deadbeefde", "adbeef"]),
            ("one\ntwo", vec!["one", "two"]),
            ("", vec![""]),
        ] {
            let lines = faces.regular.wrap(text, 10.0, ten + 0.1);
            assert_eq!(lines.concat().replace(' ', ""), text.replace([' ', '\n'], ""), "nothing is lost of {text:?}");
            for line in &lines {
                assert!(faces.regular.width(line, 10.0) <= ten + 0.1, "{line:?} of {text:?} is too wide");
            }
            if !text.starts_with("2026") && !text.starts_with("dead") && !text.starts_with("aa") {
                assert_eq!(lines, expected, "{text}");
            }
        }
        let date = faces.regular.width("2026-05-04T", 10.0) + 0.1;
        assert_eq!(faces.regular.wrap("2026-05-04T03:00:05", 10.0, date), ["2026-05-04T", "03:00:05"]);
    }

    #[test]
    fn what_the_fonts_lack_is_printed_as_its_number_and_what_reports_use_is_there() {
        let faces = Faces::read().unwrap();
        assert_eq!(faces.printable("中 Ünïcødé Ж λ\u{1b}[31m"), "[U+4E2D] Ünïcødé Ж λ [31m");
        let used = "→←↑↓↔⇒ ─│┌┐└┘├┤┬┴┼ ■□▲▼●○ ☐☑☒ ✓✔✗✘ … – — ≤ ≥ ≠ ≈ ± × € § № ™";
        assert_eq!(faces.printable(used), used);
    }
}
