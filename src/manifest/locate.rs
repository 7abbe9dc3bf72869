//! Places. A [`Node`] is a document with the position of everything that was written in it; a [`Path`] is how the
//! checks, the operator and people name one thing of it: `spec.steps[3].needs[0]`.
//!
//! Promises: a path always leads somewhere. When the last part was never written (a missing field), the place is the
//! deepest part that was. A document that came from a cluster has no node, and then the path alone is the place.

use std::fmt;

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub offset: usize,
    /// Bytes; 0 for a point.
    pub len: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins; for lists and maps only their first character.
    pub span: Span,
    /// What it is.
    pub content: Content,
}

/// What was written, with the types of the YAML 1.2 core schema and nothing guessed beyond it (`no` is a text).
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number below zero, or small enough for both signs.
    Signed(i64),
    /// A whole number.
    Unsigned(u64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in document order. Keys may repeat: the reader reports it.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The value under a key, the first one where keys repeat.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages: `a list`, `the text "abc"`.
    pub fn described(&self) -> String {
        match &self.content {
            Content::Null => "nothing".to_owned(),
            Content::Bool(value) => format!("the boolean {value}"),
            Content::Signed(value) => format!("the number {value}"),
            Content::Unsigned(value) => format!("the number {value}"),
            Content::Float(value) => format!("the number {value}"),
            Content::Text(text) if text.chars().count() > 40 || text.contains('\n') => "a text".to_owned(),
            Content::Text(text) => format!("the text \"{text}\""),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        }
    }

    /// Where `path` was written, or the deepest part of it that was.
    pub fn locate(&self, path: &Path, aim: Aim) -> Span {
        let mut node = self;
        let mut span = first_key(node).unwrap_or(node.span);
        for (depth, part) in path.0.iter().enumerate() {
            let last = depth + 1 == path.0.len();
            let next = match (part, &node.content) {
                (Part::Key(key), Content::Map(_)) => node.entry(key).map(|entry| {
                    let value = &entry.value;
                    let at_key = (last && aim == Aim::Key) || value.span.len == 0 || is_container(value);
                    (value, if at_key { entry.key_span } else { value.span })
                }),
                (Part::At(index), Content::List(items)) => {
                    items.get(*index).map(|item| (item, first_key(item).unwrap_or(item.span)))
                }
                _ => None,
            };
            let Some((value, place)) = next else { break };
            node = value;
            span = place;
        }
        span
    }
}

fn is_container(node: &Node) -> bool {
    matches!(node.content, Content::List(_) | Content::Map(_))
}

/// A map is shown by its first key: a whole step underlined says nothing.
fn first_key(node: &Node) -> Option<Span> {
    match &node.content {
        Content::Map(entries) => entries.first().map(|entry| entry.key_span),
        _ => None,
    }
}

/// Which end of a `key: value` a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The key.
    Key,
    /// The value; the key where the value is a list, a map or empty.
    Value,
}

/// One part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A key of a map.
    Key(String),
    /// A place of a list, from 0.
    At(usize),
}

/// A path into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(pub Vec<Part>);

impl Path {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }
    /// `spec`.
    pub fn spec() -> Self {
        Self::root().key("spec")
    }
    /// This path, and then a key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(Part::Key(key.to_owned()));
        Self(parts)
    }
    /// This path, and then a place of a list.
    #[must_use]
    pub fn at(&self, index: usize) -> Self {
        let mut parts = self.0.clone();
        parts.push(Part::At(index));
        Self(parts)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::At(at) => write!(f, "[{at}]")?,
                Part::Key(key) if key.is_empty() || key.contains(['.', '[', '"', ' ']) => write!(f, "[{key:?}]")?,
                Part::Key(key) if index == 0 => f.write_str(key)?,
                Part::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}
