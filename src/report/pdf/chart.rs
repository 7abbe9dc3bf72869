//! The picture of the phases and that of the steps, in bars.

use super::page::{Book, Colour, INK, INNER, LEFT, PartId, Role, SOFT, Style};
use crate::report::{
    amount,
    picture::{Bar, Picture},
    sheet::NOT_MEASURED,
};

const TITLE: Style = Style { size: 9.0, bold: true, colour: INK };
const LABEL: Style = Style { size: 7.5, bold: false, colour: INK };
const FIGURE: Style = Style { size: 7.5, bold: false, colour: SOFT };
/// Height of a strip, and of a row of the other picture.
const STRIP: f32 = 22.0;
const ROW: f32 = 13.0;

/// Draws a picture.
pub(super) fn draw(book: &mut Book<'_>, picture: &Picture, within: Option<PartId>) {
    book.need(TITLE.leading() + STRIP + 2.0 * ROW + 10.0);
    let part = book.part(Role::Figure(picture.description.clone()), within);
    book.flow(LEFT, INNER, TITLE, &picture.title, Some(part));
    book.y += 3.0;
    if picture.one_row {
        strip(book, picture, part);
    } else {
        rows(book, picture, part);
    }
    book.y += 10.0;
}

/// All bars end to end; under them each bar's colour, name and time.
fn strip(book: &mut Book<'_>, picture: &Picture, part: PartId) {
    for bar in &picture.bars {
        let (x, wide) = place(bar, picture.width_ms, INNER);
        book.fill(LEFT + x, book.y, wide, STRIP, colour(&bar.kind), Some(part));
    }
    book.y += STRIP + 5.0;
    let mut x = LEFT;
    for bar in &picture.bars {
        let text = book.faces.printable(&format!("{} {}", bar.name, time(bar)));
        let wide = book.faces.regular.width(&text, LABEL.size) + 24.0;
        if x + wide > LEFT + INNER && x > LEFT {
            x = LEFT;
            book.y += LABEL.leading() + 2.0;
        }
        book.fill(x, book.y + 1.0, 7.0, 7.0, colour(&bar.kind), Some(part));
        book.text(x + 10.0, book.y + LABEL.size, LABEL, &text, Some(part));
        x += wide;
    }
    book.y += LABEL.leading();
}

/// One row for each bar: its name, the bar, and its time.
fn rows(book: &mut Book<'_>, picture: &Picture, part: PartId) {
    let print = |book: &Book<'_>, text: &str| {
        let text = book.faces.printable(text);
        // A name that would leave no room for bars is cut here; the table below has all of it.
        let all = book.faces.regular.wrap(&text, LABEL.size, INNER * 0.3);
        all.into_iter().next().unwrap_or_default()
    };
    let wide = |book: &Book<'_>, text: &str| book.faces.regular.width(text, LABEL.size);
    let names: Vec<String> = picture.bars.iter().map(|bar| print(book, &bar.name)).collect();
    let left = names.iter().map(|name| wide(book, name)).fold(0.0, f32::max) + 8.0;
    let right = picture.bars.iter().map(|bar| wide(book, &time(bar))).fold(0.0, f32::max) + 6.0;
    for (bar, name) in picture.bars.iter().zip(&names) {
        book.need(ROW);
        let base = book.y + LABEL.size + 1.0;
        book.text(LEFT, base, LABEL, name, Some(part));
        let (x, long) = place(bar, picture.width_ms, INNER - left - right);
        if bar.ms.is_some() {
            book.fill(LEFT + left + x, book.y + 1.5, long, ROW - 4.0, colour(&bar.kind), Some(part));
        }
        let text = time(bar);
        book.text(LEFT + INNER - wide(book, &text), base, FIGURE, &text, Some(part));
        book.y += ROW;
    }
}

fn time(bar: &Bar) -> String {
    bar.ms.map_or_else(|| NOT_MEASURED.into(), amount::ms)
}

/// Where a bar begins and how long it is, in points; one of no length is still seen.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a picture's points")]
fn place(bar: &Bar, whole: u64, wide: f32) -> (f32, f32) {
    let scale = |ms: u64| (ms as f64 / whole.max(1) as f64) as f32 * wide;
    (scale(bar.from_ms).min(wide - 0.7), scale(bar.ms.unwrap_or(0)).max(0.7))
}

/// As in the page (`report.html`), in its light colours.
fn colour(kind: &str) -> Colour {
    match kind {
        "detect" => [0x82, 0x50, 0xdf],
        "decide" => [0xbf, 0x87, 0x00],
        "fence" | "failed" | "stuck" | "blocked" => [0xcf, 0x22, 0x2e],
        "promote" => [0x09, 0x69, 0xda],
        "route" | "done" => [0x1a, 0x7f, 0x37],
        "verify" | "skipped" => SOFT,
        _ => [0x9a, 0x67, 0x00],
    }
}
