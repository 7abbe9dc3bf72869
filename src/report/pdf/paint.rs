//! From pages to a file, with krilla, which checks the rules of PDF/A-3b while it writes and refuses what breaks one.

use jiff::{Timestamp, tz::TimeZone};
use krilla::{
    Document, SerializeSettings,
    color::rgb,
    configure::{Archival, ConfigurationBuilder},
    destination::XyzDestination,
    embed::{AssociationKind, EmbeddedFile, MimeType},
    geom::{PathBuilder, Point, Rect, Transform},
    metadata::{DateTime, Metadata},
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::Fill,
    surface::Surface,
    tagging::{
        Artifact, ArtifactType, ContentTag, Identifier, Node, SpanTag, TableHeaderScope, Tag, TagGroup, TagKind,
        TagTree,
    },
};

use super::page::{Book, Colour, HIGH, LEFT, Mark, Part, Role, SOFT, Style, WIDE};

/// What stands on every page, and what the file says of itself.
pub(super) struct Frame {
    pub(super) head: String,
    pub(super) foot: String,
    /// DRAFT stands behind each page's text.
    pub(super) draft: bool,
    pub(super) title: String,
    pub(super) subject: String,
    /// What the file is an edition of.
    pub(super) id: String,
    /// The file's date.
    pub(super) at: Timestamp,
}

/// A file in the file.
pub(super) struct Attachment {
    pub(super) name: &'static str,
    /// Its media type (RFC 6838).
    pub(super) media: &'static str,
    pub(super) words: &'static str,
    pub(super) bytes: Vec<u8>,
}

const EDGE: Style = Style { size: 7.5, bold: false, colour: SOFT };
/// Lighter than anything that is read, and still there on a bad copy.
const FAINT: Colour = [0xeb, 0xeb, 0xeb];

/// The file's bytes, or why there are none.
pub(super) fn paint(book: &Book<'_>, frame: &Frame, attachment: Attachment) -> Result<Vec<u8>, String> {
    let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A3_B).finish();
    let settings = SerializeSettings {
        configuration: configuration.map_err(|error| format!("{error:?}"))?,
        enable_tagging: true,
        ..SerializeSettings::default()
    };
    let mut document = Document::new_with(settings);
    let at = date(frame.at);
    let settings = PageSettings::from_wh(WIDE, HIGH).ok_or("a page has no size")?;
    // For each part what is drawn of it, in order.
    let mut drawn: Vec<Vec<Identifier>> = vec![Vec::new(); book.parts.len()];
    for (number, marks) in (1..).zip(&book.pages) {
        let mut page = document.start_page_with(settings.clone());
        let mut surface = page.surface();
        if frame.draft {
            watermark(&mut surface, book);
        }
        content(&mut surface, book, marks, &mut drawn);
        let count = format!("Page {number} of {}", book.pages.len());
        edges(&mut surface, book, frame, &count);
        surface.finish();
        page.finish();
    }
    document.set_outline(outline(book));
    document.set_tag_tree(tree(book, drawn));
    document.set_metadata(
        Metadata::new()
            .title(frame.title.clone())
            .description(frame.subject.clone())
            .creator(frame.foot.clone())
            .producer(frame.foot.clone())
            .language("en".into())
            .document_id(frame.id.clone())
            .creation_date(at),
    );
    let file = EmbeddedFile {
        path: attachment.name.into(),
        mime_type: MimeType::new(attachment.media),
        description: Some(attachment.words.into()),
        association_kind: AssociationKind::Data,
        data: attachment.bytes.into(),
        modification_date: Some(at),
        compress: Some(true),
        location: None,
    };
    document.embed_file(file).ok_or("the record is attached twice")?;
    document.finish().map_err(|error| format!("{error:?}"))
}

fn date(at: Timestamp) -> DateTime {
    let at = at.to_zoned(TimeZone::UTC);
    // All of them are positive and small.
    let small = |part: i8| u8::try_from(part).unwrap_or(0);
    DateTime::new(u16::try_from(at.year()).unwrap_or(0))
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

/// The marks of a page; those of one part that follow each other are one piece of it.
fn content(surface: &mut Surface<'_>, book: &Book<'_>, marks: &[Mark], drawn: &mut [Vec<Identifier>]) {
    for run in marks.chunk_by(|a, b| a.part() == b.part()) {
        let part = run.first().and_then(Mark::part);
        let tag = match part {
            Some(_) => ContentTag::Span(SpanTag::empty()),
            None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)),
        };
        let piece = surface.start_tagged(tag);
        if let Some(of) = part.and_then(|part| drawn.get_mut(part.0)) {
            of.push(piece);
        }
        for mark in run {
            self::mark(surface, book, mark);
        }
        surface.end_tagged();
    }
}

fn mark(surface: &mut Surface<'_>, book: &Book<'_>, mark: &Mark) {
    match mark {
        Mark::Text { x, y, size, bold, colour, text, .. } => {
            let face = book.faces.of(*bold);
            let glyphs = face.glyphs(text);
            if !glyphs.is_empty() {
                surface.set_fill(Some(ink(*colour)));
                surface.draw_glyphs(Point::from_xy(*x, *y), &glyphs, face.font.clone(), text, *size, false);
            }
        }
        Mark::Box { x, y, wide, high, colour, .. } => {
            let mut path = PathBuilder::new();
            let rect = Rect::from_xywh(*x, *y, *wide, *high);
            if let Some(path) = rect.and_then(|rect| {
                path.push_rect(rect);
                path.finish()
            }) {
                surface.set_fill(Some(ink(*colour)));
                surface.draw_path(&path);
            }
        }
    }
}

fn ink([red, green, blue]: Colour) -> Fill {
    Fill { paint: rgb::Color::new(red, green, blue).into(), ..Fill::default() }
}

/// From the lower left to the upper right, through the middle. Drawn as outlines: whoever searches or copies text does not meet its letters
/// between the lines. The head of the page says the word as text.
fn watermark(surface: &mut Surface<'_>, book: &Book<'_>) {
    const SIZE: f32 = 150.0;
    let face = &book.faces.bold;
    let (x, y) = ((WIDE - face.width("DRAFT", SIZE)) / 2.0, HIGH / 2.0 + SIZE * 0.36);
    let _none = surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Watermark)));
    surface.push_transform(&Transform::from_rotate_at(-52.0, WIDE / 2.0, HIGH / 2.0));
    surface.set_fill(Some(ink(FAINT)));
    surface.draw_glyphs(Point::from_xy(x, y), &face.glyphs("DRAFT"), face.font.clone(), "DRAFT", SIZE, true);
    surface.pop();
    surface.end_tagged();
}

/// Head and foot.
fn edges(surface: &mut Surface<'_>, book: &Book<'_>, frame: &Frame, count: &str) {
    let face = &book.faces.regular;
    let text = |text: &str, x: f32, y: f32| {
        let Style { size, bold, colour } = EDGE;
        Mark::Text { x, y, size, bold, colour, text: text.to_owned(), part: None }
    };
    let (head, foot) = (book.faces.printable(&frame.head), book.faces.printable(&frame.foot));
    let room = WIDE - 2.0 * LEFT;
    let head = face.wrap(&head, EDGE.size, room).into_iter().next().unwrap_or_default();
    let right = WIDE - LEFT - face.width(count, EDGE.size);
    for (kind, marks) in [
        (ArtifactType::Header, vec![text(&head, LEFT, 38.0)]),
        (ArtifactType::Footer, vec![text(&foot, LEFT, HIGH - 30.0), text(count, right, HIGH - 30.0)]),
    ] {
        let _none = surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(kind)));
        for one in &marks {
            mark(surface, book, one);
        }
        surface.end_tagged();
    }
}

fn outline(book: &Book<'_>) -> Outline {
    let mut outline = Outline::new();
    for entry in &book.outline {
        let place = XyzDestination::new(entry.page, Point::from_xy(LEFT, entry.y - 6.0));
        outline.push_child(OutlineNode::new(entry.title.clone(), place));
    }
    outline
}

/// The document's structure: each part with what is drawn of it and with the parts in it, in order.
fn tree(book: &Book<'_>, drawn: Vec<Vec<Identifier>>) -> TagTree {
    let mut tree = TagTree::new().with_lang(Some("en".into()));
    let mut groups: Vec<Option<TagGroup>> = book
        .parts
        .iter()
        .zip(drawn)
        .map(|(part, drawn)| Some(TagGroup::with_children(kind(part), drawn.into_iter().map(Node::from).collect())))
        .collect();
    // What is in a part comes after it, so from the end each part is whole when its turn comes. Its parts then stand in the
    // wrong order, and are turned round.
    let mut within: Vec<Vec<TagGroup>> = book.parts.iter().map(|_| Vec::new()).collect();
    for (at, part) in book.parts.iter().enumerate().rev() {
        let Some(mut group) = groups.get_mut(at).and_then(Option::take) else { continue };
        let inside = within.get_mut(at).map(std::mem::take).unwrap_or_default();
        group.children.extend(inside.into_iter().rev().map(Node::from));
        match part.within.and_then(|parent| within.get_mut(parent.0)) {
            Some(siblings) => siblings.push(group),
            None => tree.children.insert(0, group.into()),
        }
    }
    tree
}

fn kind(part: &Part) -> TagKind {
    match &part.role {
        Role::Section => Tag::Section.into(),
        Role::Heading(level, title) => {
            Tag::Hn((*level).try_into().unwrap_or(std::num::NonZeroU16::MIN), Some(title.clone())).into()
        }
        Role::Paragraph => Tag::P.into(),
        Role::Caption => Tag::Caption.into(),
        Role::Table => Tag::Table.into(),
        Role::Row => Tag::TR.into(),
        Role::ColumnHead => Tag::TH(TableHeaderScope::Column).into(),
        Role::RowHead => Tag::TH(TableHeaderScope::Row).into(),
        Role::Cell => Tag::TD.into(),
        Role::Figure(words) => Tag::Figure(Some(words.clone())).into(),
    }
}
