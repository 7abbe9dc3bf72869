//! PDF/A-3b (ISO 19005-3:2012, level B): the same sheet as the page and the Markdown, on paper, with the run's record inside.
//!
//! - The record is attached as `record.json` (associated file, relationship *Data*), as one line of JSON: where nothing was taken
//!   out, its SHA-256 is the digest on the cover and in the ledger.
//! - Every figure's text is text, every part is tagged (headings, tables, pictures with their description), and the outline lists the
//!   sections. Fonts are embedded (`font/README.md`); nothing is loaded from anywhere.
//! - An unsigned report carries DRAFT behind the text of each page, and in its head.
//!
//! Layout comes first ([`page`]), then drawing ([`paint`]). Dates are the record's, so the same record gives the same bytes.

mod chart;
mod face;
mod page;
mod paint;
mod table;

use self::{
    face::Faces,
    page::{Book, Colour, Entry, INK, INNER, LEFT, PartId, Role, SOFT, Style},
    paint::{Attachment, Frame},
};
use super::{ReportError, Sheet, sheet::Block};
use crate::{
    evidence::{Conclusion, Redacted},
    model::Digest,
    report::Banner,
};

const AMBER: Colour = [0x9a, 0x67, 0x00];
const RED: Colour = [0xcf, 0x22, 0x2e];
const GREEN: Colour = [0x1a, 0x7f, 0x37];
const WHITE: Colour = [0xff, 0xff, 0xff];

const BANNER: Style = Style { size: 34.0, bold: true, colour: WHITE };
const TITLE: Style = Style { size: 17.0, bold: true, colour: INK };
const HEADING: Style = Style { size: 13.0, bold: true, colour: INK };
const TEXT: Style = Style { size: 9.5, bold: false, colour: INK };
const SMALL: Style = Style { size: 8.0, bold: false, colour: SOFT };

/// Writes a sheet.
pub(super) fn write(sheet: &Sheet, redacted: &Redacted) -> Result<Vec<u8>, ReportError> {
    let record = redacted.record();
    let failed = |why: String| ReportError::Unwritten { run: record.run.clone(), why };
    let json = serde_json::to_vec(record).map_err(|error| failed(error.to_string()))?;
    let faces = Faces::read().ok_or_else(|| failed("its fonts cannot be read".into()))?;
    let mut book = Book::new(&faces);
    cover(&mut book, sheet, redacted, &json);
    for (number, section) in (1..).zip(&sheet.sections) {
        // A heading at the foot of a page is worth nothing.
        book.need(110.0);
        let within = book.part(Role::Section, None);
        heading(&mut book, &format!("{number}. {}", section.title), within);
        for block in &section.blocks {
            self::block(&mut book, block, within);
        }
        book.y += 12.0;
    }
    let title = format!("{}: {}", record.run, sheet.title);
    let frame = Frame {
        head: format!("{}{}   {title}", sheet.banner.as_str(), if sheet.draft { "   DRAFT" } else { "" }),
        foot: format!("Lifeboat {}", env!("CARGO_PKG_VERSION")),
        draft: sheet.draft,
        title: format!("{title} ({})", sheet.banner.as_str()),
        subject: format!("Verdict: {}. {}", sheet.verdict.words(), sheet.sentence),
        id: redacted.digest().to_string(),
        // The last thing that the record knows of.
        at: record.events.last().map_or(record.opened_at, |event| event.at),
    };
    let attached = Attachment {
        name: "record.json",
        media: "application/json",
        words: "The record of the run that this report was made from, with secrets taken out",
        bytes: json,
    };
    paint::paint(&book, &frame, attached).map_err(failed)
}

fn heading(book: &mut Book<'_>, title: &str, within: PartId) {
    let title = book.faces.printable(title);
    let part = book.part(Role::Heading(2, title.clone()), Some(within));
    let page = book.pages.len() - 1;
    book.outline.push(Entry { title: title.clone(), page, y: book.y });
    book.fill(LEFT, book.y, INNER, 0.8, page::LINE, None);
    book.y += 7.0;
    book.flow(LEFT, INNER, HEADING, &title, Some(part));
    book.y += 4.0;
}

fn block(book: &mut Book<'_>, block: &Block, within: PartId) {
    match block {
        Block::Text(text) => paragraph(book, TEXT, text, Some(within)),
        Block::Facts(rows) => {
            let rows = rows.iter().map(|fact| (fact.name.as_str(), fact.value.as_str()));
            table::facts(book, rows, Some(within));
        }
        Block::Table(of) => table::table(book, &of.caption, &of.columns, &of.rows, Some(within)),
        Block::Picture(picture) => chart::draw(book, picture, Some(within)),
    }
}

fn paragraph(book: &mut Book<'_>, style: Style, text: &str, within: Option<PartId>) {
    let part = book.part(Role::Paragraph, within);
    book.flow(LEFT, INNER, style, text, Some(part));
    book.y += 6.0;
}

/// What was run, how it ended, and what the file holds.
fn cover(book: &mut Book<'_>, sheet: &Sheet, redacted: &Redacted, json: &[u8]) {
    let within = book.part(Role::Section, None);
    let title = format!("{}: {}", redacted.record().run, sheet.title);
    book.outline.push(Entry { title: "Cover".into(), page: 0, y: book.y });
    let part = book.part(Role::Paragraph, Some(within));
    let colour = match sheet.banner {
        Banner::Drill => [0x09, 0x69, 0xda],
        Banner::Real => RED,
    };
    book.fill(LEFT, book.y, INNER, 52.0, colour, None);
    book.text(LEFT + 14.0, book.y + 38.0, BANNER, sheet.banner.as_str(), Some(part));
    book.y += 66.0;
    let part = book.part(Role::Heading(1, title.clone()), Some(within));
    book.flow(LEFT, INNER, TITLE, &title, Some(part));
    book.y += 8.0;
    if sheet.draft {
        let style = Style { size: 11.0, bold: true, colour: AMBER };
        paragraph(book, style, "DRAFT: nobody signed the record of this run.", Some(within));
        book.y += 2.0;
    }
    let colour = match sheet.verdict {
        Conclusion::Passed => GREEN,
        Conclusion::Failed => RED,
        Conclusion::PassedWithFindings | Conclusion::Inconclusive => AMBER,
    };
    let top = book.y;
    book.y += 3.0;
    for (style, text) in [
        (Style { size: 14.0, bold: true, colour }, format!("Verdict: {}", sheet.verdict.words())),
        (TEXT, sheet.sentence.clone()),
    ] {
        let part = book.part(Role::Paragraph, Some(within));
        book.flow(LEFT + 12.0, INNER - 12.0, style, &text, Some(part));
        book.y += 3.0;
    }
    book.fill(LEFT, top, 4.0, book.y - top, colour, None);
    book.y += 14.0;
    table::facts(book, sheet.cover.iter().map(|fact| (fact.name.as_str(), fact.value.as_str())), Some(within));
    paragraph(book, SMALL, &attachment(redacted, json), Some(within));
    book.turn();
}

/// What is attached, and how it is held against the ledger.
fn attachment(redacted: &Redacted, json: &[u8]) -> String {
    let digest = Digest::of(json);
    let same = match redacted.redactions().len() {
        0 => "nothing was taken out of it, so this is the digest of the record".to_owned(),
        1 => "one place was taken out of it, so it is not the digest of the record".to_owned(),
        many => format!("{many} places were taken out of it, so it is not the digest of the record"),
    };
    format!(
        "Attached to this file: record.json, the record of the run, {} bytes. Its digest is {digest}; {same}. \
         `pdfdetach -saveall` takes it out.",
        json.len()
    )
}
