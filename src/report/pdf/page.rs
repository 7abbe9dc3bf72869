//! Pages as lists of marks: what is drawn where, and to which part of the document's structure it belongs.
//!
//! Laying out knows nothing of PDF, and drawing decides nothing: only when all pages are there is it known how many there are.

use super::face::Faces;

/// A4, in points (1/72 inch; ISO 216, ISO 32000-1 section 8.3.2.3). Left and right margins of 50, so that a printer's unprintable edge
/// and a punch take nothing away.
pub(super) const WIDE: f32 = 595.28;
pub(super) const HIGH: f32 = 841.89;
pub(super) const LEFT: f32 = 50.0;
pub(super) const INNER: f32 = WIDE - 2.0 * LEFT;
const TOP: f32 = 64.0;
const BOTTOM: f32 = HIGH - 58.0;

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

pub(super) const INK: Colour = [0x1f, 0x23, 0x28];
pub(super) const SOFT: Colour = [0x57, 0x60, 0x6a];
pub(super) const LINE: Colour = [0xd0, 0xd7, 0xde];
pub(super) const BAND: Colour = [0xf0, 0xf3, 0xf6];

/// A part of the document's structure (ISO 32000-1 section 14.8.4), by its place in [`Book::parts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartId(pub(super) usize);

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    Section,
    Heading(u16, String),
    Paragraph,
    Caption,
    Table,
    Row,
    /// Of a column.
    ColumnHead,
    /// Of a row.
    RowHead,
    Cell,
    /// A picture, and what it shows for whoever does not see it.
    Figure(String),
}

/// A part and what holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) role: Role,
    pub(super) within: Option<PartId>,
}

/// Something that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// Text from its left end on its base line.
    Text { x: f32, y: f32, size: f32, bold: bool, colour: Colour, text: String, part: Option<PartId> },
    /// A filled rectangle.
    Box { x: f32, y: f32, wide: f32, high: f32, colour: Colour, part: Option<PartId> },
}

impl Mark {
    pub(super) fn part(&self) -> Option<PartId> {
        match self {
            Self::Text { part, .. } | Self::Box { part, .. } => *part,
        }
    }
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) colour: Colour,
}

impl Style {
    /// From one base line to the next.
    pub(super) fn leading(self) -> f32 {
        self.size * 1.35
    }
}

/// A heading that the outline lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) title: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

/// All pages.
pub(super) struct Book<'a> {
    pub(super) faces: &'a Faces,
    pub(super) pages: Vec<Vec<Mark>>,
    pub(super) parts: Vec<Part>,
    pub(super) outline: Vec<Entry>,
    /// Where the next thing begins, from the top.
    pub(super) y: f32,
}

impl<'a> Book<'a> {
    /// One empty page.
    pub(super) fn new(faces: &'a Faces) -> Self {
        Self { faces, pages: vec![Vec::new()], parts: Vec::new(), outline: Vec::new(), y: TOP }
    }

    pub(super) fn part(&mut self, role: Role, within: Option<PartId>) -> PartId {
        self.parts.push(Part { role, within });
        PartId(self.parts.len() - 1)
    }

    /// What is left of the page.
    pub(super) fn room(&self) -> f32 {
        BOTTOM - self.y
    }

    /// The most that a page holds.
    pub(super) fn full() -> f32 {
        BOTTOM - TOP
    }

    pub(super) fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Goes on to the next page unless this one has so much room. More than a page holds is not waited for.
    pub(super) fn need(&mut self, high: f32) -> bool {
        let turns = high > self.room() && self.y > TOP;
        if turns {
            self.turn();
        }
        turns
    }

    pub(super) fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    pub(super) fn text(&mut self, x: f32, y: f32, style: Style, text: &str, part: Option<PartId>) {
        let Style { size, bold, colour } = style;
        self.mark(Mark::Text { x, y, size, bold, colour, text: text.to_owned(), part });
    }

    pub(super) fn fill(&mut self, x: f32, y: f32, wide: f32, high: f32, colour: Colour, part: Option<PartId>) {
        self.mark(Mark::Box { x, y, wide, high, colour, part });
    }

    /// Lines of a width from `x` on, over as many pages as they need.
    pub(super) fn flow(&mut self, x: f32, wide: f32, style: Style, text: &str, part: Option<PartId>) {
        let text = self.faces.printable(text);
        for line in self.faces.of(style.bold).wrap(&text, style.size, wide) {
            self.need(style.leading());
            self.text(x, self.y + style.size, style, &line, part);
            self.y += style.leading();
        }
    }
}
