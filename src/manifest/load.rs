//! Files and folders in, documents and findings out. Nothing stops the loading: a file that cannot be read, a text
//! that is no YAML and a document that makes no sense are findings, and everything else is still loaded.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use super::{
    code::Code,
    conceal,
    document::{Document, Documents, Kind, Origin},
    finding::{Finding, Place, Source, tidy},
    locate::{Aim, Content, Node, Path, Span},
    read::{self, Problem},
    suggest, yaml,
};
use crate::spec::{
    API_VERSION, AssuranceCalendarSpec, DrillPolicySpec, DrillScheduleSpec, EvidenceAnchorSpec,
    NotificationChannelSpec, ProtectionGroupSpec, RegionSpec, RunbookSpec,
};

/// What was loaded, and what was wrong with its form.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The documents.
    pub documents: Documents,
    /// Defects of form, in order of file and place.
    pub findings: Vec<Finding>,
}

/// Where a file begins.
const START: Span = Span { offset: 0, len: 0, line: 1, column: 1 };
/// Folders inside folders. Deeper ones are almost certainly a circle of mounts.
const MAX_FOLDERS: usize = 32;

/// Fields of Kubernetes' `ObjectMeta`: a document may come from `kubectl get -o yaml`.
const METADATA: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "uid",
    "resourceVersion",
    "generation",
    "generateName",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "finalizers",
    "ownerReferences",
    "managedFields",
    "selfLink",
];
/// Fields of a document. `status` belongs to the cluster, and is not read.
const TOP: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];
const KINDS: &[&str] = &[
    RegionSpec::KIND,
    ProtectionGroupSpec::KIND,
    RunbookSpec::KIND,
    DrillScheduleSpec::KIND,
    NotificationChannelSpec::KIND,
    DrillPolicySpec::KIND,
    AssuranceCalendarSpec::KIND,
    EvidenceAnchorSpec::KIND,
];

/// Loads files, and every `*.yaml` and `*.yml` of folders, in order of their names. Names that begin with a dot are
/// left out (a mounted `ConfigMap` keeps its old versions there).
pub fn load<P: AsRef<FilePath>>(paths: &[P]) -> Loaded {
    let mut loaded = Loaded::default();
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        if path.is_dir() {
            let mut inside = Vec::new();
            loaded.folder(path, 0, &mut inside);
            inside.sort();
            files.append(&mut inside);
        } else {
            files.push(path.to_path_buf());
        }
    }
    for (path, text) in read_all(&files) {
        match text {
            Ok(text) => loaded.text(text),
            Err(error) => loaded.unreadable(path, &error.to_string()),
        }
    }
    loaded.finish()
}

/// Loads texts, each with a name for its places.
pub fn load_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Loaded {
    let mut loaded = Loaded::default();
    for (name, text) in texts {
        loaded.text(Text::of(name.to_owned(), text.to_owned()));
    }
    loaded.finish()
}

impl Loaded {
    fn folder(&mut self, folder: &FilePath, depth: usize, files: &mut Vec<PathBuf>) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) if depth <= MAX_FOLDERS => entries,
            Ok(_) => return self.unreadable(folder, "the folders nest too deep"),
            Err(error) => return self.unreadable(folder, &error.to_string()),
        };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let is_yaml = path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml");
            if hidden {
                continue;
            }
            // A link to a folder may lead back up, so only real folders are entered; a link to a file is a file.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.folder(&path, depth + 1, files);
            } else if is_yaml {
                files.push(path);
            }
        }
    }

    fn unreadable(&mut self, path: &FilePath, why: &str) {
        let source = Arc::new(Source { name: path.display().to_string(), text: String::new() });
        let message = format!("could not read {}: {why}", path.display());
        let help = "check its name, its permissions and that it is UTF-8 text of at most 4 MiB";
        self.report(&source, START, Code::Unreadable, message, help);
    }

    fn report(&mut self, source: &Arc<Source>, span: Span, code: Code, message: String, help: &str) {
        let place = Some(Place { source: Arc::clone(source), span });
        let (document, path, help) = (String::new(), String::new(), help.to_owned());
        self.findings.push(Finding { code, document, path, message, help, place });
    }

    fn text(&mut self, text: Text) {
        let Text { source, documents } = text;
        if documents.is_empty() {
            let message = "the file holds no document".to_owned();
            self.report(&source, START, Code::EmptyFile, message, "write a document, or delete the file");
        }
        for (document, secrets) in documents {
            match document {
                Ok(node) => self.document(&source, node, secrets),
                Err(refused) => {
                    let (code, help) = match refused.why {
                        yaml::Why::Syntax => (Code::NotYaml, "look at this line and the one above it"),
                        yaml::Why::Limits => (Code::TooLarge, "split the file, and write out what aliases stand for"),
                        yaml::Why::MergeKey => (Code::MergeKey, "write the keys out"),
                    };
                    self.report(&source, refused.span, code, refused.detail, help);
                }
            }
        }
    }

    fn document(&mut self, source: &Arc<Source>, node: Node, mut problems: Vec<Problem>) {
        let origin = Origin { source: Arc::clone(source), node: Arc::new(node) };
        let name = origin.node.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text);
        let kind = origin.node.get("kind").and_then(Node::text);
        let title = format!("{}/{}", kind.unwrap_or("?"), name.unwrap_or("?"));
        if envelope(&origin.node, &mut problems) {
            read::duplicate_keys(&origin.node, &Path::root(), &mut problems);
            let documents = &mut self.documents;
            match kind {
                Some(RegionSpec::KIND) => keep(&origin, &mut documents.regions, &mut documents.broken, &mut problems),
                Some(ProtectionGroupSpec::KIND) => {
                    keep(&origin, &mut documents.groups, &mut documents.broken, &mut problems);
                }
                Some(RunbookSpec::KIND) => {
                    keep(&origin, &mut documents.runbooks, &mut documents.broken, &mut problems);
                }
                Some(DrillScheduleSpec::KIND) => {
                    keep(&origin, &mut documents.schedules, &mut documents.broken, &mut problems);
                }
                Some(NotificationChannelSpec::KIND) => {
                    keep(&origin, &mut documents.channels, &mut documents.broken, &mut problems);
                }
                Some(DrillPolicySpec::KIND) => {
                    keep(&origin, &mut documents.policies, &mut documents.broken, &mut problems);
                }
                Some(AssuranceCalendarSpec::KIND) => {
                    keep(&origin, &mut documents.calendars, &mut documents.broken, &mut problems);
                }
                Some(EvidenceAnchorSpec::KIND) => {
                    keep(&origin, &mut documents.anchors, &mut documents.broken, &mut problems);
                }
                Some(_) | None => {}
            }
        }
        self.findings.extend(problems.into_iter().map(|problem| problem.tied(&origin, &title)));
    }

    fn finish(mut self) -> Self {
        twice(&self.documents.regions, &mut self.findings);
        twice(&self.documents.groups, &mut self.findings);
        twice(&self.documents.runbooks, &mut self.findings);
        twice(&self.documents.schedules, &mut self.findings);
        twice(&self.documents.channels, &mut self.findings);
        twice(&self.documents.policies, &mut self.findings);
        twice(&self.documents.calendars, &mut self.findings);
        twice(&self.documents.anchors, &mut self.findings);
        tidy(&mut self.findings);
        self
    }
}

impl Problem {
    fn tied(self, origin: &Origin, title: &str) -> Finding {
        let mut place = origin.place(&self.path, self.aim);
        place.span = self.span.unwrap_or(place.span);
        let place = Some(place);
        let (code, message, help) = (self.code, self.message, self.help);
        Finding { code, document: title.to_owned(), path: self.path.to_string(), message, help, place }
    }
}

/// A file's text and what was read from it.
struct Text {
    source: Arc<Source>,
    /// Each with the secrets that are written into it.
    documents: Vec<(Result<Node, yaml::Refused>, Vec<Problem>)>,
}

impl Text {
    fn of(name: String, text: String) -> Self {
        let mut spans = Vec::new();
        let mut documents = Vec::new();
        for document in yaml::documents(&text) {
            let mut problems = Vec::new();
            match &document {
                Ok(node) => conceal::find(node, &Path::root(), &mut problems, &mut spans),
                Err(_) => spans.extend(conceal::suspects(&text)),
            }
            documents.push((document, problems));
        }
        // From here on no part of a secret is in the text that findings are drawn from.
        Self { source: Arc::new(Source { name, text: conceal::take_out(text, &spans) }), documents }
    }
}

/// Files that are worth a second thread: below that, starting it takes longer than reading.
const FILES_A_THREAD: usize = 32;

/// Reads files, in parallel when they are many; the answers are in the order of the files.
fn read_all<'f>(files: &'f [PathBuf]) -> Vec<(&'f FilePath, io::Result<Text>)> {
    let read =
        |path: &'f PathBuf| (path.as_path(), read_file(path).map(|text| Text::of(path.display().to_string(), text)));
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let each = files.len().div_ceil(processors).max(FILES_A_THREAD);
    if files.len() <= each {
        return files.iter().map(read).collect();
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            files.chunks(each).map(|part| scope.spawn(move || part.iter().map(read).collect::<Vec<_>>())).collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        parts.flatten().collect()
    })
}

fn read_file(path: &FilePath) -> io::Result<String> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    if about.len() > yaml::MAX_BYTES as u64 {
        let why = format!("it has {} bytes; {} are allowed", about.len(), yaml::MAX_BYTES);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    fs::read_to_string(path)
}

/// Checks what every document has. `false`: nothing more can be said of it.
fn envelope(node: &Node, problems: &mut Vec<Problem>) -> bool {
    let root = Path::root();
    let mut problem = |code, path: Path, message: String, help: String| {
        problems.push(Problem { code, path, aim: Aim::Value, message, help, span: None });
    };
    let Content::Map(entries) = &node.content else {
        let message = format!("a document is a map, found {}", node.described());
        problem(Code::WrongType, root, message, format!("begin with `apiVersion: {API_VERSION}`"));
        return false;
    };
    let text = |key: &str| node.get(key).map(|value| value.text().map_or_else(|| value.described(), str::to_owned));
    match text("apiVersion") {
        Some(version) if version == API_VERSION => {}
        Some(version) => {
            let message = format!("apiVersion {version} is not known");
            problem(
                Code::UnknownApiVersion,
                root.key("apiVersion"),
                message,
                format!("write `apiVersion: {API_VERSION}`"),
            );
            return false;
        }
        None => {
            let message = "the document lacks `apiVersion`".to_owned();
            problem(Code::MissingField, root.key("apiVersion"), message, format!("add `apiVersion: {API_VERSION}`"));
            return false;
        }
    }
    match text("kind") {
        Some(kind) if KINDS.contains(&kind.as_str()) => {}
        Some(kind) => {
            let help = suggest::help(&kind, KINDS.iter().copied(), "");
            problem(Code::UnknownKind, root.key("kind"), format!("there is no kind {kind}"), help);
            return false;
        }
        None => {
            let help = format!("add `kind:` with one of {}", suggest::listed(KINDS));
            problem(Code::MissingField, root.key("kind"), "the document lacks `kind`".to_owned(), help);
            return false;
        }
    }
    for entry in entries.iter().filter(|entry| !TOP.contains(&entry.key.as_str())) {
        problems.push(read::unknown_field(root.key(&entry.key), &entry.key, TOP));
    }
    if let Some(Content::Map(entries)) = node.get("metadata").map(|metadata| &metadata.content) {
        for entry in entries.iter().filter(|entry| !METADATA.contains(&entry.key.as_str())) {
            problems.push(read::unknown_field(root.key("metadata").key(&entry.key), &entry.key, &METADATA[..4]));
        }
    }
    true
}

/// Reads name and `spec`, and keeps the document, or its name alone when it is broken.
fn keep<T: Kind + for<'n> Deserialize<'n>>(
    origin: &Origin,
    all: &mut Vec<Document<T>>,
    broken: &mut BTreeSet<(&'static str, String)>,
    problems: &mut Vec<Problem>,
) {
    let root = Path::root();
    let name_path = root.key("metadata").key("name");
    let name_node = origin.node.get("metadata").and_then(|metadata| metadata.get("name"));
    let lacks = |what: &str, path: Path| Problem {
        code: Code::MissingField,
        path,
        aim: Aim::Value,
        message: format!("the document lacks `{what}`"),
        help: format!("add `{what}:`"),
        span: None,
    };
    let name = match name_node {
        None => Err(lacks("metadata.name", name_path)),
        Some(node) => match node.text() {
            None => Err(Problem {
                code: Code::WrongType,
                path: name_path,
                aim: Aim::Value,
                message: format!("expected a text, found {}", node.described()),
                help: "put it in quotes if it is a name".to_owned(),
                span: None,
            }),
            Some(text) => T::name(text).map_err(|bad| Problem {
                code: Code::BadName,
                path: name_path,
                aim: Aim::Value,
                message: bad.to_string(),
                help: "choose a name that follows the rule".to_owned(),
                span: None,
            }),
        },
    };
    let spec = match origin.node.get("spec") {
        None => {
            problems.push(lacks("spec", root.key("spec")));
            None
        }
        Some(node) => read::read::<T>(node, &Path::spec(), problems),
    };
    match (name, spec) {
        (Ok(name), Some(spec)) => all.push(Document { name, spec: Arc::new(spec), origin: Some(origin.clone()) }),
        (Ok(name), None) => {
            broken.insert((T::KIND, name.to_string()));
        }
        (Err(problem), _) => problems.push(problem),
    }
}

/// Reports every document whose name another one of its kind had before.
fn twice<T: Kind>(all: &[Document<T>], findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<&T::Name, &Document<T>> = BTreeMap::new();
    let path = Path::root().key("metadata").key("name");
    for document in all {
        match seen.get(&document.name) {
            None => {
                seen.insert(&document.name, document);
            }
            Some(first) => {
                let file = first.origin.as_ref().map_or("the cluster", |origin| origin.source.name.as_str());
                let line = first.origin.as_ref().map_or(1, |origin| origin.place(&path, Aim::Value).span.line);
                let message = format!("there is a {} named `{}` already, at {file}:{line}", T::KIND, document.name);
                findings.push(document.finding(Code::DuplicateDocument, &path, message, "rename one of them"));
            }
        }
    }
}
