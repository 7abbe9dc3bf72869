//! Tables and lists of facts: columns as wide as what they hold needs, rows that break across pages, heads that come again.

use super::page::{BAND, Book, INK, INNER, LEFT, LINE, PartId, Role, SOFT, Style};

const CELL: Style = Style { size: 7.5, bold: false, colour: INK };
const HEAD: Style = Style { size: 7.5, bold: true, colour: INK };
const CAPTION: Style = Style { size: 9.0, bold: true, colour: INK };
const AGAIN: Style = Style { size: 7.5, bold: false, colour: SOFT };
const FACT: Style = Style { size: 9.0, bold: false, colour: INK };
const NAME: Style = Style { size: 9.0, bold: false, colour: SOFT };
/// Between a cell's text and its edges.
const PAD: f32 = 3.0;
/// A word that is longer is cut: a digest would take all columns' place otherwise.
const LONGEST: f32 = 120.0;
/// A column is never narrower: three digits and their padding.
const NARROWEST: f32 = 20.0;
/// Room for the names of facts; beside it a digest fits in one line.
const NAMES: f32 = 130.0;

/// A list of facts: names on the left, what they are on the right.
pub(super) fn facts<'r>(book: &mut Book<'_>, rows: impl Iterator<Item = (&'r str, &'r str)>, within: Option<PartId>) {
    let table = book.part(Role::Table, within);
    let widths = [NAMES, INNER - NAMES];
    for (name, value) in rows {
        let cells = [name, value].map(|text| book.faces.printable(text));
        row(book, &cells, &widths, [NAME, FACT], table, &mut |_| {}, false);
    }
    book.y += 6.0;
}

/// A table with its caption.
pub(super) fn table(
    book: &mut Book<'_>,
    caption: &str,
    columns: &[String],
    rows: &[Vec<String>],
    within: Option<PartId>,
) {
    let print = |cells: &[String]| cells.iter().map(|cell| book.faces.printable(cell)).collect::<Vec<_>>();
    let (columns, rows) = (print(columns), rows.iter().map(|row| print(row)).collect::<Vec<_>>());
    let widths = widths(book, &columns, &rows);
    let table = book.part(Role::Table, within);
    // The caption, the head and three lines stay together.
    book.need(CAPTION.leading() + 2.0 * PAD + HEAD.leading() * 4.0 + 8.0);
    let part = book.part(Role::Caption, Some(table));
    book.flow(LEFT, INNER, CAPTION, caption, Some(part));
    book.y += 2.0;
    head(book, &columns, &widths, Some(table));
    let caption = book.faces.printable(caption);
    let mut again = |book: &mut Book<'_>| {
        let text = format!("{caption} (continued)");
        book.text(LEFT, book.y + AGAIN.size, AGAIN, &text, None);
        book.y += AGAIN.leading() + 2.0;
        head(book, &columns, &widths, None);
    };
    for cells in &rows {
        row(book, cells, &widths, [CELL, CELL], table, &mut again, true);
    }
    book.y += 10.0;
}

/// The columns' names. Where they come again they are no part of the document.
fn head(book: &mut Book<'_>, columns: &[String], widths: &[f32], table: Option<PartId>) {
    let lines: Vec<Vec<String>> = columns
        .iter()
        .zip(widths)
        .map(|(name, wide)| book.faces.bold.wrap(name, HEAD.size, wide - 2.0 * PAD))
        .collect();
    let high = tall(lines.iter().map(Vec::len).max().unwrap_or(1), HEAD);
    book.fill(LEFT, book.y, INNER, high, BAND, None);
    let row = table.map(|table| book.part(Role::Row, Some(table)));
    let mut x = LEFT;
    for (lines, wide) in lines.iter().zip(widths) {
        let part = row.map(|row| book.part(Role::ColumnHead, Some(row)));
        for (at, line) in lines.iter().enumerate() {
            book.text(x + PAD, base(book.y, at, HEAD), HEAD, line, part);
        }
        x += wide;
    }
    book.y += high;
    book.fill(LEFT, book.y - 0.7, INNER, 0.7, SOFT, None);
}

/// A row; one that is higher than the rest of the page goes to the next, and one that is higher than a page goes over several.
fn row(
    book: &mut Book<'_>,
    cells: &[String],
    widths: &[f32],
    styles: [Style; 2],
    table: PartId,
    again: &mut dyn FnMut(&mut Book<'_>),
    ruled: bool,
) {
    let style = |column: usize| if column == 0 { styles[0] } else { styles[1] };
    let lines: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (text, wide))| {
            book.faces.of(style(column).bold).wrap(text, style(column).size, wide - 2.0 * PAD)
        })
        .collect();
    let all = lines.iter().map(Vec::len).max().unwrap_or(1);
    let part = book.part(Role::Row, Some(table));
    let parts: Vec<PartId> = (0..lines.len())
        .map(|column| book.part(if column == 0 { Role::RowHead } else { Role::Cell }, Some(part)))
        .collect();
    let mut from = 0;
    while from < all {
        // What is left is put on one page, or cut where the page ends when no page holds it.
        let left = tall(all - from, styles[1]);
        if left > book.room() && (left <= Book::full() * 0.5 || tall(3, styles[1]) > book.room()) {
            book.turn();
            again(book);
        }
        let count = (from..all).take_while(|to| tall(to + 1 - from, styles[1]) <= book.room()).count().max(1);
        let mut x = LEFT;
        for (column, (lines, wide)) in lines.iter().zip(widths).enumerate() {
            for (at, line) in lines.iter().skip(from).take(count).enumerate() {
                book.text(x + PAD, base(book.y, at, styles[1]), style(column), line, Some(parts[column]));
            }
            x += wide;
        }
        book.y += tall(count, styles[1]);
        if ruled {
            book.fill(LEFT, book.y - 0.3, INNER, 0.3, LINE, None);
        }
        from += count;
    }
}

#[expect(clippy::cast_precision_loss, reason = "lines of a page")]
fn tall(lines: usize, style: Style) -> f32 {
    lines as f32 * style.leading() + 2.0 * PAD - 2.0
}

#[expect(clippy::cast_precision_loss, reason = "lines of a page")]
fn base(top: f32, line: usize, style: Style) -> f32 {
    top + PAD - 1.5 + style.size + line as f32 * style.leading()
}

/// How wide each column is; together they fill the page. As wide as their longest text where all of them fit so; otherwise at least as
/// wide as their longest word; otherwise as the longest piece of a word; otherwise less, and words are cut.
fn widths(book: &Book<'_>, columns: &[String], rows: &[Vec<String>]) -> Vec<f32> {
    let (mut whole, mut word, mut piece) = (Vec::new(), Vec::new(), Vec::new());
    for (column, name) in columns.iter().enumerate() {
        let (least, cut) = book.faces.bold.widest(name, HEAD.size);
        let mut most = [book.faces.bold.width(name, HEAD.size), least, cut];
        for text in rows.iter().filter_map(|row| row.get(column)) {
            let line = text.split('\n').map(|line| book.faces.regular.width(line, CELL.size)).fold(0.0, f32::max);
            let (least, cut) = book.faces.regular.widest(text, CELL.size);
            most = [most[0].max(line), most[1].max(least.min(LONGEST)), most[2].max(cut.min(LONGEST))];
        }
        // A hair more, so that what was measured whole is not broken by the last bit of a sum.
        let padded = |wide: f32| (wide + 2.0 * PAD + 0.5).max(NARROWEST);
        whole.push(padded(most[0]));
        word.push(padded(most[1]));
        piece.push(padded(most[2]));
    }
    let sum = |widths: &[f32]| widths.iter().sum::<f32>();
    if sum(&whole) <= INNER {
        return between(&whole, &whole.iter().map(|wide| wide * 2.0).collect::<Vec<_>>());
    }
    for (least, most) in [(&word, &whole), (&piece, &word)] {
        if sum(least) <= INNER {
            return between(least, most);
        }
    }
    let by = INNER / sum(&piece);
    piece.iter().map(|wide| wide * by).collect()
}

/// Widths that fill the page: the least, and of what is left a share by how much each could use.
fn between(least: &[f32], most: &[f32]) -> Vec<f32> {
    let left = INNER - least.iter().sum::<f32>();
    let wish: f32 = least.iter().zip(most).map(|(least, most)| (most - least).max(0.0)).sum();
    if wish <= 0.0 {
        return least.to_vec();
    }
    least.iter().zip(most).map(|(least, most)| least + left * (most - least).max(0.0) / wish).collect()
}
