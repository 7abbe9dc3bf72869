//! The one module that names the YAML reader: a text in, documents with positions out.
//!
//! Promises: duplicate keys are kept for the caller to report (never merged in silence), merge keys (`<<`) are
//! refused, `no` and `yes` are texts, and a text that unfolds to more than [`MAX_NODES`] nodes, nests deeper than
//! [`MAX_DEPTH`] or is larger than [`MAX_BYTES`] is refused after reading no more than that. A broken document does
//! not hide the others of its file: `---` at the start of a line ends a document even inside a quoted text (YAML 1.2
//! section 9.1.2), so documents are split before they are read.

use std::{fmt, ops::Range};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_saphyr::{
    Location, Spanned, budget, options,
    options::{DuplicateKeyPolicy, MergeKeyPolicy},
};

use super::locate::{Content, Entry, Node, Span};

/// Bytes of a file. The largest runbook that was tried, 2,000 steps, has 192 KiB.
pub const MAX_BYTES: usize = 4 << 20;
/// Nodes of a file, aliases unfolded. A step has about 20, so this is 5,000 steps; they take a quarter of a second to
/// read.
pub const MAX_NODES: usize = 100_000;
/// Nesting. The deepest thing that the kinds declare is 9 deep; `with` may hold free data. Reading takes about 20 KiB
/// of stack for each level in a debug build, and a thread has 2 MiB.
pub const MAX_DEPTH: usize = 32;
/// Documents of a file.
pub const MAX_DOCUMENTS: usize = 1_000;
/// Events that aliases may unfold to, in a document. Enough for repeated lists, far too few for a bomb.
const MAX_REPLAYED: usize = 20_000;

/// A text that could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// What for.
    pub why: Why,
    /// Where.
    pub span: Span,
    /// The reader's words.
    pub detail: String,
}

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is no YAML.
    Syntax,
    /// It is larger, deeper or unfolds to more than any document of ours.
    Limits,
    /// It uses `<<`.
    MergeKey,
}

/// Reads every document of a text. Documents that hold nothing but comments are left out.
pub fn documents(text: &str) -> Vec<Result<Node, Refused>> {
    if text.len() > MAX_BYTES {
        let detail = format!("the file has {} bytes; {MAX_BYTES} are allowed", text.len());
        return vec![Err(Refused { why: Why::Limits, span: start(), detail })];
    }
    let mut all = Vec::new();
    let mut nodes = 0;
    for piece in pieces(text) {
        if nodes > MAX_NODES {
            let detail = format!("the file has more than {MAX_NODES} nodes");
            all.push(Err(Refused { why: Why::Limits, span: piece.moved(start()), detail }));
            break;
        }
        if all.len() >= MAX_DOCUMENTS {
            let detail = format!("the file has more than {MAX_DOCUMENTS} documents");
            all.push(Err(Refused { why: Why::Limits, span: piece.moved(start()), detail }));
            break;
        }
        if piece.is_bare() {
            continue;
        }
        match serde_saphyr::from_multiple_with_options::<Written>(piece.text, strict()) {
            Ok(read) => all.extend(read.into_iter().map(|node| {
                let mut node = node.0;
                nodes += piece.shift(&mut node);
                Ok(node)
            })),
            Err(error) => {
                let refused = refused(&piece, &error);
                // A file that tried once to exhaust the machine gets no second try.
                let hostile = refused.why == Why::Limits;
                all.push(Err(refused));
                if hostile {
                    break;
                }
            }
        }
    }
    all
}

/// Reads a text that is one document of a known shape, within the limits of all others; a key that is written twice is refused.
///
/// # Errors
/// With the reader's words, which name the line.
pub fn one<T: de::DeserializeOwned>(text: &str) -> Result<T, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("the file has {} bytes; {MAX_BYTES} are allowed", text.len()));
    }
    let mut options = strict();
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.without_snippet().to_string())
}

/// Writes a value as YAML.
///
/// # Errors
/// When the value cannot be YAML; the crate's own document types always can.
pub(super) fn emit<T: Serialize>(value: &T) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}

fn strict() -> serde_saphyr::Options {
    let mut options = options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        // `1_000` and `0123` are numbers to some readers and texts to others.
        underscored_numbers_as_strings: true,
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
        budget: budget! {
            max_depth: MAX_DEPTH, max_nodes: MAX_NODES, max_aliases: 100, max_anchors: 100,
            max_documents: MAX_DOCUMENTS, max_total_scalar_bytes: MAX_BYTES,
        },
    };
    options.alias_limits.max_total_replayed_events = MAX_REPLAYED;
    options
}

fn start() -> Span {
    Span { offset: 0, len: 0, line: 1, column: 1 }
}

/// A part of a file that holds one document (or several, after `...`).
struct Piece<'a> {
    text: &'a str,
    /// Bytes before it.
    offset: usize,
    /// Lines before it.
    lines: u32,
}

impl Piece<'_> {
    /// Nothing but comments, blanks and directives.
    fn is_bare(&self) -> bool {
        self.text.trim_start_matches('\u{feff}').lines().all(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || line.starts_with('%') || line == "---" || line == "..."
        })
    }
    fn moved(&self, mut span: Span) -> Span {
        span.offset += self.offset;
        span.line += self.lines;
        span
    }
    /// Places in the piece become places in the file. Answers with the number of nodes.
    fn shift(&self, node: &mut Node) -> usize {
        node.span = self.moved(node.span);
        match &mut node.content {
            Content::List(items) => 1 + items.iter_mut().map(|item| self.shift(item)).sum::<usize>(),
            Content::Map(entries) => {
                let below = entries.iter_mut().map(|entry| {
                    entry.key_span = self.moved(entry.key_span);
                    1 + self.shift(&mut entry.value)
                });
                1 + below.sum::<usize>()
            }
            Content::Null
            | Content::Bool(_)
            | Content::Signed(_)
            | Content::Unsigned(_)
            | Content::Float(_)
            | Content::Text(_) => 1,
        }
    }
}

/// Splits a text at every line that starts a document.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut from_line = 0;
    let mut at = 0;
    for (number, line) in (0_u32..).zip(text.split_inclusive('\n')) {
        let starts =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if starts && at > from {
            pieces.extend(piece(text, from..at, from_line));
            from = at;
            from_line = number;
        }
        at += line.len();
    }
    pieces.extend(piece(text, from..text.len(), from_line));
    pieces
}

fn piece(text: &str, range: Range<usize>, lines: u32) -> Option<Piece<'_>> {
    let offset = range.start;
    text.get(range).map(|text| Piece { text, offset, lines })
}

fn refused(piece: &Piece<'_>, error: &serde_saphyr::Error) -> Refused {
    use serde_saphyr::Error as E;
    let error = error.without_snippet();
    let inner = match error {
        E::AliasError { error, .. } => error,
        other => other,
    };
    let why = match inner {
        E::Budget { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. }
        | E::AliasReplayCounterOverflow { .. } => Why::Limits,
        E::MergeKeyNotAllowed { .. } => Why::MergeKey,
        _ => Why::Syntax,
    };
    let mut span = error.location().map_or_else(start, |place| span_of(&place));
    span.offset = span.offset.min(piece.text.len());
    span.len = span.len.min(piece.text.len() - span.offset);
    Refused { why, span: piece.moved(span), detail: in_our_words(inner) }
}

fn in_our_words(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::{Error as E, budget::BudgetBreach as B};
    match error {
        E::MergeKeyNotAllowed { .. } => "`<<` is not read".to_owned(),
        E::Budget { breach: B::Depth { .. }, .. } => format!("it nests deeper than {MAX_DEPTH} levels"),
        E::Budget { breach: B::Aliases { .. } | B::Anchors { .. }, .. } => "it uses more than 100 aliases".to_owned(),
        E::Budget { .. } => format!("it has more than {MAX_NODES} nodes"),
        E::AliasReplayLimitExceeded { .. } | E::AliasReplayStackDepthExceeded { .. } => {
            format!("its aliases stand for more than {MAX_REPLAYED} nodes")
        }
        other => plain(other.render().lines().next().unwrap_or_default()),
    }
}

/// The reader ends its words with a place of its own, which is wrong for every document but the first.
fn plain(detail: &str) -> String {
    match detail.rsplit_once(" at line ") {
        Some((words, place)) if place.contains("column") => words.to_owned(),
        _ => detail.to_owned(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "files are at most 4 MiB")]
fn span_of(place: &Location) -> Span {
    let span = place.span();
    Span {
        offset: span.byte_offset().unwrap_or_else(|| span.offset()) as usize,
        len: span.byte_len().unwrap_or(0) as usize,
        line: place.line() as u32,
        column: place.column() as u32,
    }
}

/// A node as the reader hands it out.
struct Written(Node);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Bare>::deserialize(deserializer)?;
        // `referenced` is the place of an alias; a person looks for what is wrong where it is used.
        Ok(Self(Node { span: span_of(&spanned.referenced), content: spanned.value.0 }))
    }
}

/// The content of a node.
struct Bare(Content);

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BareVisitor)
    }
}

struct BareVisitor;

impl<'de> de::Visitor<'de> for BareVisitor {
    type Value = Bare;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E>(self) -> Result<Bare, E> {
        Ok(Bare(Content::Null))
    }
    fn visit_none<E>(self) -> Result<Bare, E> {
        Ok(Bare(Content::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bare, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Bare, E> {
        Ok(Bare(Content::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Bare, E> {
        Ok(Bare(u64::try_from(value).map_or(Content::Signed(value), Content::Unsigned)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Bare, E> {
        Ok(Bare(Content::Unsigned(value)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Bare, E> {
        Ok(Bare(Content::Float(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Bare, E> {
        Ok(Bare(Content::Text(value.to_owned())))
    }
    fn visit_string<E>(self, value: String) -> Result<Bare, E> {
        Ok(Bare(Content::Text(value)))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Bare, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Written>()? {
            items.push(item.0);
        }
        // The reader cannot say how many there will be, and documents stay as long as the program works on them.
        items.shrink_to_fit();
        Ok(Bare(Content::List(items)))
    }
    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Bare, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let key_span = span_of(&key.referenced);
            let value = map.next_value::<Written>()?.0;
            entries.push(Entry { key: key.value, key_span, value });
        }
        entries.shrink_to_fit();
        Ok(Bare(Content::Map(entries)))
    }
}
