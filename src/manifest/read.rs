//! From a [`Node`] to a `spec` type, with every defect of form reported.
//!
//! serde stops at the first error. This reader knows which fields a struct takes before it hands the map over, so
//! unknown fields are reported and left out (and taken for the field they resemble, so that one typing error is
//! one finding). A value of a wrong type is reported and left out, and the reading starts again without it, until
//! it succeeds or nothing is left; then the document counts as broken and its meaning is not checked.

use std::{cell::RefCell, collections::BTreeSet, fmt};

use serde::{
    Deserialize,
    de::{self, IntoDeserializer, value::StrDeserializer},
    forward_to_deserialize_any,
};

use super::{
    code::Code,
    locate::{Aim, Content, Entry, Node, Part, Path, Span},
    suggest,
};

/// A defect of form, not yet tied to a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) path: Path,
    pub(super) aim: Aim,
    pub(super) message: String,
    pub(super) help: String,
    /// Where a path cannot say which of two is meant.
    pub(super) span: Option<Span>,
}

/// How often a document is read again without what was wrong. After that many wrong values, more of them help nobody.
const MAX_READS: usize = 64;

/// Reads a value. `None`: it could not be read, or something had to be left out.
pub(super) fn read<T: for<'n> Deserialize<'n>>(node: &Node, at: &Path, problems: &mut Vec<Problem>) -> Option<T> {
    let shared = Shared { unknown: RefCell::default(), left_out: RefCell::default() };
    let mut whole = None;
    for _ in 0..MAX_READS {
        let trail = Trail::Root(at);
        match T::deserialize(Reader { node, shared: &shared, trail: &trail }) {
            Ok(value) => {
                whole = shared.left_out.borrow().is_empty().then_some(value);
                break;
            }
            Err(error) => {
                let path = error.path.clone().unwrap_or_else(|| at.clone());
                let of_our_making = match &error.what {
                    What::Missing(field) => shared.left_out.borrow().contains(&path.key(field)),
                    What::Unknown(_) | What::Wrong(_) | What::Custom(_) => false,
                };
                if !of_our_making {
                    problems.push(error.problem(&path));
                }
                if path == *at || !shared.left_out.borrow_mut().insert(path) {
                    break;
                }
            }
        }
    }
    problems.append(&mut shared.unknown.borrow_mut());
    whole
}

/// Every key that stands twice in one map.
pub(super) fn duplicate_keys(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    match &node.content {
        Content::Map(entries) => {
            let mut seen = BTreeSet::new();
            for entry in entries {
                if !seen.insert(&entry.key) {
                    problems.push(Problem {
                        code: Code::DuplicateKey,
                        path: path.key(&entry.key),
                        aim: Aim::Key,
                        message: format!("`{}` stands twice in one map", entry.key),
                        help: "keep one of the two".to_owned(),
                        span: Some(entry.key_span),
                    });
                }
                if is_deep(&entry.value) {
                    duplicate_keys(&entry.value, &path.key(&entry.key), problems);
                }
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| is_deep(item)) {
                duplicate_keys(item, &path.at(index), problems);
            }
        }
        Content::Null
        | Content::Bool(_)
        | Content::Signed(_)
        | Content::Unsigned(_)
        | Content::Float(_)
        | Content::Text(_) => {}
    }
}

fn is_deep(node: &Node) -> bool {
    matches!(node.content, Content::List(_) | Content::Map(_))
}

/// An unknown field, and what may have been meant.
pub(super) fn unknown_field(path: Path, key: &str, fields: &[&str]) -> Problem {
    Problem {
        code: Code::UnknownField,
        path,
        aim: Aim::Key,
        message: format!("there is no field `{key}` here"),
        help: suggest::help(key, fields.iter().copied(), "remove it"),
        span: None,
    }
}

struct Shared {
    unknown: RefCell<Vec<Problem>>,
    left_out: RefCell<BTreeSet<Path>>,
}

/// The way to a node, kept on the stack: paths are built only when something is wrong.
enum Trail<'a> {
    Root(&'a Path),
    Key(&'a Trail<'a>, &'a str),
    At(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    fn path(&self) -> Path {
        match self {
            Self::Root(path) => (*path).clone(),
            Self::Key(up, key) => up.path().key(key),
            Self::At(up, index) => up.path().at(*index),
        }
    }
}

#[derive(Debug)]
enum What {
    Missing(&'static str),
    Unknown(Problem),
    Wrong(String),
    Custom(String),
}

/// An error on its way up; the innermost reader that sees it knows the path.
#[derive(Debug)]
struct ReadError {
    what: What,
    path: Option<Path>,
}

impl ReadError {
    fn at(mut self, trail: &Trail<'_>) -> Self {
        self.path.get_or_insert_with(|| trail.path());
        self
    }
    fn problem(&self, path: &Path) -> Problem {
        let (code, path, message, help) = match &self.what {
            What::Missing(field) => {
                let place = match path.0.last() {
                    Some(Part::Key(key)) => format!("`{key}`"),
                    Some(Part::At(index)) => format!("entry {} of the list", index + 1),
                    None => "the document".to_owned(),
                };
                (Code::MissingField, path.key(field), format!("{place} lacks `{field}`"), format!("add `{field}:`"))
            }
            What::Unknown(problem) => return Problem { path: path.clone(), ..problem.clone() },
            What::Wrong(message) => {
                (Code::WrongType, path.clone(), message.clone(), "write the value the field takes".to_owned())
            }
            What::Custom(text) if text.contains("name is 1 to 63") => {
                (Code::BadName, path.clone(), text.clone(), "choose a name that follows the rule".to_owned())
            }
            What::Custom(text) => {
                (Code::WrongType, path.clone(), text.clone(), "write the value the field takes".to_owned())
            }
        };
        Problem { code, path, aim: Aim::Value, message, help, span: None }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}
impl std::error::Error for ReadError {}

/// serde's names of types, in the words of a YAML document.
fn plainly(expected: &str) -> &str {
    match expected {
        "a string" => "a text",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "u16" | "u32" | "u64" => "a whole number",
        "f64" => "a number",
        other if other.starts_with("struct ") => "a map of fields",
        other => other,
    }
}

impl From<What> for ReadError {
    fn from(what: What) -> Self {
        Self { what, path: None }
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        What::Custom(message.to_string()).into()
    }
    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            de::Unexpected::Unit | de::Unexpected::Option => "nothing".to_owned(),
            de::Unexpected::Bool(value) => format!("the boolean {value}"),
            de::Unexpected::Unsigned(value) => format!("the number {value}"),
            de::Unexpected::Signed(value) => format!("the number {value}"),
            de::Unexpected::Float(value) => format!("the number {value}"),
            de::Unexpected::Str(text) => format!("the text \"{text}\""),
            de::Unexpected::Seq => "a list".to_owned(),
            de::Unexpected::Map => "a map".to_owned(),
            other => other.to_string(),
        };
        What::Wrong(format!("expected {}, found {found}", plainly(&expected.to_string()))).into()
    }
    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }
    fn unknown_variant(found: &str, words: &'static [&'static str]) -> Self {
        let help = suggest::closest(found, words.iter().copied());
        let hint = help.map(|word| format!(" (did you mean `{word}`?)")).unwrap_or_default();
        What::Wrong(format!("expected one of {}, found \"{found}\"{hint}", suggest::listed(words))).into()
    }
    fn unknown_field(field: &str, fields: &'static [&'static str]) -> Self {
        What::Unknown(unknown_field(Path::root(), field, fields)).into()
    }
    fn missing_field(field: &'static str) -> Self {
        What::Missing(field).into()
    }
}

/// Reads one node. `'n`: the document; `'t`: the reading of it.
struct Reader<'n, 't> {
    node: &'n Node,
    shared: &'t Shared,
    trail: &'t Trail<'t>,
}

impl Shared {
    fn leaves_out(&self, trail: &Trail<'_>) -> bool {
        let left_out = self.left_out.borrow();
        !left_out.is_empty() && left_out.contains(&trail.path())
    }
}

impl<'n> Reader<'n, '_> {
    /// The entries of a struct: unknown ones reported, and taken for the field they resemble when that is not there.
    fn fields(&self, fields: &'static [&'static str], entries: &'n [Entry]) -> Vec<(&'n str, &'n Entry)> {
        let mut taken: Vec<(&str, &Entry)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = if fields.contains(&entry.key.as_str()) {
                entry.key.as_str()
            } else {
                let path = self.trail.path().key(&entry.key);
                let mut unknown = self.shared.unknown.borrow_mut();
                if !unknown.iter().any(|problem| problem.path == path) {
                    unknown.push(unknown_field(path, &entry.key, fields));
                }
                match suggest::closest(&entry.key, fields.iter().copied()) {
                    Some(meant) if !entries.iter().any(|other| other.key == meant) => meant,
                    Some(_) | None => continue,
                }
            };
            if !taken.iter().any(|(other, _)| *other == key) {
                taken.push((key, entry));
            }
        }
        taken
    }
}

impl<'n> de::Deserializer<'n> for Reader<'n, '_> {
    type Error = ReadError;

    fn deserialize_any<V: de::Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let trail = self.trail;
        match &self.node.content {
            Content::Null => visitor.visit_unit(),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Signed(value) => visitor.visit_i64(*value),
            Content::Unsigned(value) => visitor.visit_u64(*value),
            Content::Float(value) => visitor.visit_f64(*value),
            Content::Text(text) => visitor.visit_borrowed_str(text),
            Content::List(items) => visitor.visit_seq(Items { all: items, at: 0, shared: self.shared, trail }),
            Content::Map(entries) => {
                let mut all: Vec<(&str, &Entry)> = Vec::with_capacity(entries.len());
                let mut seen = BTreeSet::new();
                all.extend(
                    entries
                        .iter()
                        .filter(|entry| seen.insert(entry.key.as_str()))
                        .map(|entry| (entry.key.as_str(), entry)),
                );
                visitor.visit_map(Entries { rest: all.into_iter(), value: None, shared: self.shared, trail })
            }
        }
        .map_err(|error: ReadError| error.at(trail))
    }

    fn deserialize_struct<V: de::Visitor<'n>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let Content::Map(entries) = &self.node.content else {
            return Err(ReadError::from(What::Wrong(format!(
                "expected a map of fields, found {}",
                self.node.described()
            )))
            .at(self.trail));
        };
        let entries = self.fields(fields, entries).into_iter();
        let trail = self.trail;
        visitor
            .visit_map(Entries { rest: entries, value: None, shared: self.shared, trail })
            .map_err(|error| error.at(trail))
    }

    fn deserialize_option<V: de::Visitor<'n>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.content {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: de::Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: de::Visitor<'n>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let trail = self.trail;
        let Some(text) = self.node.text() else {
            let message = format!("expected one of {}, found {}", suggest::listed(words), self.node.described());
            return Err(ReadError::from(What::Wrong(message)).at(trail));
        };
        let text: StrDeserializer<'_, ReadError> = text.into_deserializer();
        visitor.visit_enum(text).map_err(|error| error.at(trail))
    }

    forward_to_deserialize_any! {
        <V: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'n, 't> {
    all: &'n [Node],
    at: usize,
    shared: &'t Shared,
    trail: &'t Trail<'t>,
}

impl<'n> de::SeqAccess<'n> for Items<'n, '_> {
    type Error = ReadError;
    fn next_element_seed<S: de::DeserializeSeed<'n>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        while let Some(node) = self.all.get(self.at) {
            let trail = Trail::At(self.trail, self.at);
            self.at += 1;
            if !self.shared.leaves_out(&trail) {
                let reader = Reader { node, shared: self.shared, trail: &trail };
                return seed.deserialize(reader).map(Some).map_err(|error| error.at(&trail));
            }
        }
        Ok(None)
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.all.len().saturating_sub(self.at))
    }
}

struct Entries<'n, 't> {
    rest: std::vec::IntoIter<(&'n str, &'n Entry)>,
    value: Option<&'n Entry>,
    shared: &'t Shared,
    trail: &'t Trail<'t>,
}

impl<'n> de::MapAccess<'n> for Entries<'n, '_> {
    type Error = ReadError;
    fn next_key_seed<S: de::DeserializeSeed<'n>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        for (key, entry) in self.rest.by_ref() {
            if self.shared.leaves_out(&Trail::Key(self.trail, &entry.key)) {
                continue;
            }
            self.value = Some(entry);
            let key: de::value::BorrowedStrDeserializer<'_, ReadError> = de::value::BorrowedStrDeserializer::new(key);
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }
    fn next_value_seed<S: de::DeserializeSeed<'n>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        let entry = self
            .value
            .take()
            .ok_or_else(|| <ReadError as de::Error>::custom("a value was asked for before its key"))?;
        let trail = Trail::Key(self.trail, &entry.key);
        let reader = Reader { node: &entry.value, shared: self.shared, trail: &trail };
        seed.deserialize(reader).map_err(|error| error.at(&trail))
    }
}
