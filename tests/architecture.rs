//! The rules of the house, checked on our own sources.
//!
//! A rule is a function from one source file to its offences. Each rule has two tests: one shows that it catches
//! planted offences, the other that the house has none (all of them are listed at once). Test code, which is
//! everything under `tests/` and `benches/` and every item under `#[cfg(test)]`, may look anywhere and be of any size.
//!
//! References are found in `use` trees, in paths, in the tokens of macros and in attributes (`#[serde(with = "…")]`),
//! and are resolved: `super::super::s3` written in `src/driver/postgres/act.rs` is `crate::driver::s3`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Expr, ExprLit, Item, Lit, Meta, Token, Type, UseTree,
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{self, Visit},
};

/// A module names only modules on lower floors. `main.rs` and `lib.rs` are above all of them.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("spec", 1),
    ("port", 2),
    ("decide", 3),
    ("evidence", 3),
    ("net", 3),
    ("meter", 3),
    ("manifest", 4),
    ("engine", 4),
    ("probe", 4),
    ("driver", 4),
    ("store", 4),
    ("notify", 4),
    ("report", 4),
    ("anchor", 4),
    ("controller", 5),
    ("app", 6),
    ("cli", 7),
    ("server", 7),
    ("operator", 7),
];

/// Folders whose modules are strangers to each other, with the sub-modules that all of them may name.
const STRANGERS: &[(&str, &[&str])] = &[("driver", &[]), ("store", &["contract", "rules"])];

/// What people and machines see. They ask `app` for things.
const FACES: &[&str] = &["cli", "server", "operator"];

/// What the faces never name: the outside is reached through `app` and the ports.
const OUTSIDE: &[&str] = &["driver", "store", "net"];

/// Names that say nothing about what the file holds.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "manager", "core", "type", "types", "imp"];

/// Lines of a file that are neither blank nor tests. Every tool of this kind that became unpleasant has one file of
/// thousands of lines, and it is always the state machine.
const FILE_CAP: usize = 500;
/// Lines of a function, from `fn` to its closing brace, that are worth a second look.
const FUNCTION_AIM: usize = 60;
/// Lines of a function that are too many.
const FUNCTION_CAP: usize = 120;

// ------------------------------------------------------------------------------------------------ the rules

fn every_module_has_a_floor(source: &Source) -> Vec<String> {
    let mut offences = Vec::new();
    let known = |name: &str| FLOORS.iter().any(|(top, _)| *top == name);
    if let Some(top) = source.top()
        && !known(top)
    {
        offences
            .push(source.at(1, &format!("module `{top}` is on no floor: add it to FLOORS in tests/architecture.rs")));
    }
    if source.is_root() {
        for item in &source.file.items {
            if let Item::Mod(module) = item
                && !needs_test(&module.attrs)
                && !known(&name(&module.ident))
            {
                offences.push(source.at(line(&module.ident), &format!("module `{}` is on no floor", module.ident)));
            }
        }
    }
    offences
}

fn modules_name_only_lower_floors(source: &Source) -> Vec<String> {
    let Some(top) = source.top() else { return Vec::new() };
    let Some(floor) = floor(top) else { return Vec::new() };
    let mut offences = Vec::new();
    for reference in source.references() {
        let Some(path) = &reference.absolute else { continue };
        let what = match path.first().map(String::as_str) {
            Some(to) if to == top => continue,
            Some(to) => match self::floor(to) {
                Some(other) if other < floor => continue,
                Some(other) => format!("{top} (floor {floor}) names {to} (floor {other})"),
                None => format!("{top} names `crate::{to}`, which is on no floor: name the module that holds it"),
            },
            None => format!("{top} names the whole crate: name the module that holds it"),
        };
        offences.push(source.at(reference.line, &what));
    }
    offences
}

fn drivers_and_stores_are_strangers_to_each_other(source: &Source) -> Vec<String> {
    let [folder, own, ..] = source.module.as_slice() else { return Vec::new() };
    let Some((_, shared)) = STRANGERS.iter().find(|(name, _)| name == folder) else { return Vec::new() };
    let mut offences = Vec::new();
    for reference in source.references() {
        let Some([first, rest @ ..]) = reference.absolute.as_deref() else { continue };
        if first != folder {
            continue;
        }
        let what = match rest.first() {
            Some(other) if other == own || shared.contains(&other.as_str()) => continue,
            Some(other) if other != "*" => format!("{folder}::{own} names {folder}::{other}"),
            _ => format!("{folder}::{own} names the whole of {folder}"),
        };
        offences.push(source.at(reference.line, &what));
    }
    offences
}

fn faces_do_not_reach_outside(source: &Source) -> Vec<String> {
    let Some(top) = source.top().filter(|top| FACES.contains(top)) else { return Vec::new() };
    let outside = |reference: &Reference| {
        let to = reference.absolute.as_ref()?.first()?.clone();
        OUTSIDE
            .contains(&to.as_str())
            .then(|| source.at(reference.line, &format!("{top} is a face and names {to}: ask app for it")))
    };
    source.references().iter().filter_map(outside).collect()
}

fn only_stores_grant_permits(source: &Source) -> Vec<String> {
    if source.top() == Some("store") {
        return Vec::new();
    }
    let references = source.references();
    let mut names: BTreeSet<&str> = BTreeSet::from(["Permit", "Self"]);
    names.extend(
        references.iter().filter(|r| r.words.last().is_some_and(|w| w == "Permit")).filter_map(|r| r.alias.as_deref()),
    );
    let grants = |reference: &&Reference| match reference.words.as_slice() {
        [.., owner, last] => last == "granted" && names.contains(owner.as_str()),
        _ => false,
    };
    references
        .iter()
        .filter(grants)
        .map(|r| source.at(r.line, "`Permit::granted` is for stores alone: a permit is the proof that a lease is held"))
        .collect()
}

fn files_are_short(source: &Source) -> Vec<String> {
    let tests = source.test_lines();
    let code =
        source.text.lines().enumerate().filter(|(i, l)| !l.trim().is_empty() && !tests.contains(&(i + 1))).count();
    if code <= FILE_CAP {
        return Vec::new();
    }
    vec![source.at(1, &format!("{code} lines of code, above {FILE_CAP}: split it by what it holds"))]
}

fn functions_are_short(source: &Source) -> Vec<String> {
    functions_above(source, FUNCTION_CAP)
}

fn functions_above(source: &Source, cap: usize) -> Vec<String> {
    let mut visitor = Functions::default();
    visitor.visit_file(&source.file);
    visitor
        .found
        .iter()
        .filter(|(_, _, lines)| *lines > cap)
        .map(|(name, line, lines)| source.at(*line, &format!("fn {name} has {lines} lines, above {cap}")))
        .collect()
}

fn file_names_say_what_they_hold(path: &str) -> Vec<String> {
    let words = path.trim_end_matches(".rs").split('/');
    words
        .filter(|word| EMPTY_NAMES.contains(word))
        .map(|word| {
            format!("{path}: `{word}` says nothing about what is inside: name it after the noun or verb it holds")
        })
        .collect()
}

// ------------------------------------------------------------------------------------------------ a source file

/// A source file, parsed.
struct Source {
    /// From the top of the repository: `src/driver/s3/observe.rs`.
    path: String,
    /// `["driver", "s3", "observe"]`; empty for `lib.rs`, `main.rs` and everything outside `src`.
    module: Vec<String>,
    text: String,
    file: syn::File,
}

impl Source {
    fn parse(path: &str, text: &str) -> Result<Self, String> {
        let file = syn::parse_file(text).map_err(|e| format!("{path}:{}: {e}", e.span().start().line))?;
        Ok(Self { path: path.to_owned(), module: module_of(path), text: text.to_owned(), file })
    }

    /// The module on the floor table that this file belongs to.
    fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    fn is_root(&self) -> bool {
        matches!(self.path.as_str(), "src/lib.rs" | "src/main.rs")
    }

    fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// Everything that non-test code names.
    fn references(&self) -> Vec<Reference> {
        let mut visitor = References { module: self.module.clone(), found: Vec::new() };
        visitor.visit_file(&self.file);
        visitor.found
    }

    /// The lines of items under `#[cfg(test)]`, from 1.
    fn test_lines(&self) -> BTreeSet<usize> {
        let mut visitor = TestLines::default();
        visitor.visit_file(&self.file);
        visitor.found
    }

    /// Files of modules declared here as `#[cfg(test)] mod name;`, without extension.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/mod.rs").or_else(|| self.path.strip_suffix("/lib.rs")) {
            Some(folder) => folder,
            None => self.path.trim_end_matches(".rs"),
        };
        let declared = |item: &Item| match item {
            Item::Mod(module) if module.content.is_none() && needs_test(&module.attrs) => {
                Some(format!("{folder}/{}", name(&module.ident)))
            }
            _ => None,
        };
        self.file.items.iter().filter_map(declared).collect()
    }
}

fn module_of(path: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("src/").and_then(|p| p.strip_suffix(".rs")) else { return Vec::new() };
    if matches!(inside, "lib" | "main") {
        return Vec::new();
    }
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    module.pop_if(|last| last == "mod");
    module
}

fn floor(top: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == top).map(|(_, floor)| *floor)
}

fn name(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

fn line(ident: &syn::Ident) -> usize {
    ident.span().start().line
}

/// Whether these attributes leave the item out of everything but tests.
fn needs_test(attributes: &[Attribute]) -> bool {
    fn needs(condition: &Meta) -> bool {
        match condition {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => list
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .is_ok_and(|all| all.iter().any(needs)),
            _ => false,
        }
    }
    let is_cfg = |a: &&Attribute| a.path().is_ident("cfg");
    attributes.iter().filter(is_cfg).any(|a| a.parse_args::<Meta>().is_ok_and(|condition| needs(&condition)))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

// ------------------------------------------------------------------------------------------------ visitors

/// A path, or a leaf of a `use` tree.
struct Reference {
    /// As written, `*` at the end for a glob.
    words: Vec<String>,
    /// From the crate's root, when the path starts with `crate`, `self`, `super` or the crate's name.
    absolute: Option<Vec<String>>,
    /// What a `use … as …` or a `type … = …` calls it.
    alias: Option<String>,
    line: usize,
}

struct References {
    /// The module that is being read: the file's, and inline modules inside it.
    module: Vec<String>,
    found: Vec<Reference>,
}

impl References {
    fn note(&mut self, words: Vec<String>, alias: Option<String>, line: usize) {
        let absolute = self.resolve(&words);
        self.found.push(Reference { words, absolute, alias, line });
    }

    fn resolve(&self, words: &[String]) -> Option<Vec<String>> {
        let (first, mut rest) = words.split_first()?;
        let mut base = match first.as_str() {
            "crate" | "lifeboat" => Vec::new(),
            "self" => self.module.clone(),
            "super" => {
                rest = words;
                self.module.clone()
            }
            _ => return None,
        };
        while let Some((first, others)) = rest.split_first()
            && first == "super"
        {
            base.pop();
            rest = others;
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn tree(&mut self, tree: &UseTree, mut before: Vec<String>) {
        let leaf = |ident: &syn::Ident, mut before: Vec<String>| {
            let own = name(ident);
            if own != "self" || before.is_empty() {
                before.push(own);
            }
            before
        };
        match tree {
            UseTree::Path(p) => {
                before.push(name(&p.ident));
                self.tree(&p.tree, before);
            }
            UseTree::Name(n) => self.note(leaf(&n.ident, before), None, line(&n.ident)),
            UseTree::Rename(r) => self.note(leaf(&r.ident, before), Some(name(&r.rename)), line(&r.ident)),
            UseTree::Group(g) => g.items.iter().for_each(|tree| self.tree(tree, before.clone())),
            UseTree::Glob(g) => {
                before.push("*".to_owned());
                self.note(before, None, g.star_token.spans[0].start().line);
            }
        }
    }

    /// Finds `a::b::c` in tokens that are not Rust syntax yet.
    fn tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let colon = |at: usize| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        let mut at = 0;
        while at < trees.len() {
            match &trees[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => self.text(&literal.to_string(), literal.span().start().line),
                TokenTree::Punct(_) => {}
                TokenTree::Ident(first) => {
                    let mut words = vec![name(first)];
                    while colon(at + 1)
                        && colon(at + 2)
                        && let Some(TokenTree::Ident(next)) = trees.get(at + 3)
                    {
                        words.push(name(next));
                        at += 3;
                    }
                    if words.len() > 1 {
                        self.note(words, None, line(first));
                    }
                }
            }
            at += 1;
        }
    }

    /// `#[serde(with = "crate::…")]`: a path in a string.
    fn text(&mut self, literal: &str, line: usize) {
        let Some(text) = literal.strip_prefix('"').and_then(|l| l.strip_suffix('"')) else { return };
        if let Ok(path) = syn::parse_str::<syn::Path>(text)
            && path.segments.len() > 1
        {
            self.note(path.segments.iter().map(|s| name(&s.ident)).collect(), None, line);
        }
    }
}

impl<'ast> Visit<'ast> for References {
    fn visit_item(&mut self, item: &'ast Item) {
        if !needs_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }
    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !needs_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(name(&module.ident));
        visit::visit_item_mod(self, module);
        self.module.pop();
    }
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, Vec::new());
    }
    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        if let Type::Path(ty) = &*item.ty {
            let words = ty.path.segments.iter().map(|s| name(&s.ident)).collect();
            self.note(words, Some(name(&item.ident)), line(&item.ident));
        }
        visit::visit_item_type(self, item);
    }
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<_> = path.segments.iter().map(|s| name(&s.ident)).collect();
        if words.len() > 1
            && let Some(first) = path.segments.first()
        {
            self.note(words, None, line(&first.ident));
        }
        visit::visit_path(self, path);
    }
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        // `<Permit>::granted`
        if let Some(qself) = &path.qself
            && let Type::Path(ty) = &*qself.ty
        {
            let all = ty.path.segments.iter().chain(&path.path.segments);
            self.note(all.map(|s| name(&s.ident)).collect(), None, path.span().start().line);
        }
        visit::visit_expr_path(self, path);
    }
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(super)` and `pub(in crate::x)` say who may look, not where this module looks.
    }
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return; // A sentence may speak of anything.
        }
        match &attribute.meta {
            Meta::Path(_) => {}
            Meta::List(list) => self.tokens(list.tokens.clone()),
            Meta::NameValue(pair) => {
                if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value {
                    self.text(&format!("\"{}\"", text.value()), text.span().start().line);
                }
            }
        }
    }
}

/// Name, line and length of every function outside tests.
#[derive(Default)]
struct Functions {
    found: Vec<(String, usize, usize)>,
}

impl Functions {
    fn note(&mut self, sig: &syn::Signature, block: &syn::Block) {
        let (first, last) = (sig.span().start().line, block.span().end().line);
        self.found.push((name(&sig.ident), first, last + 1 - first));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item(&mut self, item: &'ast Item) {
        if !needs_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.note(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }
    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !needs_test(&function.attrs) {
            self.note(&function.sig, &function.block);
            visit::visit_impl_item_fn(self, function);
        }
    }
    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.note(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[derive(Default)]
struct TestLines {
    found: BTreeSet<usize>,
}

impl TestLines {
    fn note(&mut self, item: &impl Spanned) {
        self.found.extend(item.span().start().line..=item.span().end().line);
    }
}

impl<'ast> Visit<'ast> for TestLines {
    fn visit_item(&mut self, item: &'ast Item) {
        if needs_test(attributes(item)) {
            self.note(item);
        } else {
            visit::visit_item(self, item);
        }
    }
    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if needs_test(&function.attrs) {
            self.note(function);
        }
    }
}

// ------------------------------------------------------------------------------------------------ the house

/// Paths of all our Rust files below these folders, from the top of the repository.
fn paths(folders: &[&str]) -> Result<Vec<String>, String> {
    let house = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in folders.iter().map(|folder| house.join(folder)).filter(|folder| folder.is_dir()) {
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
            let entry = entry.map_err(|e| e.to_string())?;
            if entry.path().extension().is_some_and(|e| e == "rs") {
                let inside = entry.path().strip_prefix(&house).map_err(|e| e.to_string())?;
                found.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(found)
}

/// All code that ships or is shown, without the files that are tests as a whole.
fn house() -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in paths(&["src", "examples"])? {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).map_err(|e| e.to_string())?;
        sources.push(Source::parse(&path, &text)?);
    }
    let tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    sources.retain(|source| {
        let own = source.path.trim_end_matches(".rs");
        let inside =
            |test: &String| own.strip_prefix(test).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        !tests.iter().any(inside) && !needs_test(&source.file.attrs)
    });
    Ok(sources)
}

/// Asserts that the house breaks the rule nowhere; lists every place where it does.
fn assert_holds(rule: fn(&Source) -> Vec<String>) {
    let found = house().map_or_else(|broken| vec![broken], |sources| sources.iter().flat_map(rule).collect());
    assert!(found.is_empty(), "{} offences\n{}", found.len(), found.join("\n"));
}

/// What a rule says of a planted file.
fn planted(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    match Source::parse(path, text) {
        Ok(source) => rule(&source),
        Err(broken) => vec![format!("the planted file does not parse: {broken}")],
    }
}

/// Asserts that the rule finds exactly one offence, with these words, in each of the bad files and none in the good.
fn assert_catches(rule: fn(&Source) -> Vec<String>, bad: &[(&str, &str, &str)], good: &[(&str, &str)]) {
    for (path, text, words) in bad {
        let found = planted(rule, path, text);
        assert!(found.len() == 1 && found[0].contains(words), "{path}: {text}\nshould be: {words}\nbut is: {found:#?}");
    }
    for (path, text) in good {
        let found = planted(rule, path, text);
        assert!(found.is_empty(), "{path}: {text}\nshould be fine, but: {found:#?}");
    }
}

// ------------------------------------------------------------------------------------------------ tests

#[test]
fn the_house_is_read_whole() {
    let sources = house().unwrap();
    for (top, path) in [(None, "src/lib.rs"), (Some("model"), "src/model/run.rs"), (Some("store"), "src/store/mod.rs")]
    {
        let found = sources.iter().find(|s| s.path == path);
        assert!(found.is_some_and(|s| s.top() == top), "{path} was not read as part of {top:?}");
    }
    assert!(sources.iter().map(|s| s.references().len()).sum::<usize>() > 100, "hardly any reference was found");
}

#[test]
fn every_top_module_is_on_the_floor_table() {
    assert_holds(every_module_has_a_floor);
}

#[test]
fn a_top_module_that_is_on_no_floor_is_caught() {
    assert_catches(
        every_module_has_a_floor,
        &[
            ("src/billing/mod.rs", "", "`billing` is on no floor"),
            ("src/billing.rs", "", "`billing` is on no floor"),
            ("src/bin/other.rs", "fn main() {}", "`bin` is on no floor"),
            ("src/lib.rs", "pub mod model; mod hidden { pub use std::fs; }", "`hidden` is on no floor"),
            ("src/main.rs", "mod extra; fn main() {}", "`extra` is on no floor"),
        ],
        &[
            ("src/lib.rs", "pub mod model; #[cfg(test)] mod trials;"),
            ("src/server/mod.rs", ""),
            ("examples/two-regions.rs", "mod world;"),
        ],
    );
}

#[test]
fn no_module_names_its_own_floor_or_a_higher_one() {
    assert_holds(modules_name_only_lower_floors);
}

#[test]
fn a_name_from_the_same_floor_or_a_higher_one_is_caught() {
    assert_catches(
        modules_name_only_lower_floors,
        &[
            ("src/model/run.rs", "use crate::port::Clock;", ":1: model (floor 0) names port (floor 2)"),
            ("src/decide/next.rs", "\nuse crate::{model::Run, evidence::Tree};", ":2: decide (floor 3) names evidence"),
            ("src/driver/s3/act.rs", "fn f() { crate::store::memory::open(); }", "driver (floor 4) names store"),
            ("src/driver/s3/act.rs", "fn f() -> Option<crate::manifest::Finding> { None }", "names manifest (floor 4)"),
            ("src/engine/drive.rs", "use super::super::driver::fake;", "engine (floor 4) names driver"),
            ("src/engine/mod.rs", "use super::probe as p;", "engine (floor 4) names probe"),
            ("src/engine/mod.rs", "use self::super::app;", "engine (floor 4) names app"),
            ("src/port/store.rs", "mod inner { use super::super::super::net::tls; }", "port (floor 2) names net"),
            (
                "src/spec/group.rs",
                "#[serde(default = \"crate::manifest::zero\")] struct G;",
                "spec (floor 1) names manifest",
            ),
            ("src/spec/group.rs", "#[derive(crate::app::Wired)] struct G;", "spec (floor 1) names app"),
            ("src/model/id.rs", "fn f() { assert!(crate::spec::ok(1)); }", "model (floor 0) names spec"),
            ("src/model/id.rs", "fn f() { lifeboat::cli::run(); }", "model (floor 0) names cli"),
            ("src/cli/plan.rs", "use crate::server::routes;", "cli (floor 7) names server"),
            ("src/net/dns.rs", "use crate::Shortcut;", "`crate::Shortcut`, which is on no floor"),
            ("src/net/mod.rs", "use super::*;", "`crate::*`, which is on no floor"),
            ("src/net/dns.rs", "use crate::{self as root};", "names the whole crate"),
        ],
        &[
            ("src/app/wire.rs", "use crate::{driver::s3, store::sqlite, controller::judge}; use std::fs;"),
            (
                "src/model/run.rs",
                "use super::StepState; use crate::model::id; pub(super) fn f() { self::g(); } fn g() {}",
            ),
            ("src/model/run.rs", "/// See [`crate::engine`].\nfn f() {}"),
            ("src/model/run.rs", "#[cfg(test)] mod tests { use super::*; use crate::engine::drive; }"),
            ("src/model/run.rs", "#[cfg(all(test, unix))] use crate::engine::drive;"),
            ("src/model/run.rs", "mod inner { use super::super::id; }"),
            ("src/lib.rs", "pub mod app; pub use crate::app::run;"),
        ],
    );
    let other = planted(modules_name_only_lower_floors, "src/model/run.rs", "#[cfg(not(test))] use crate::engine::a;");
    assert_eq!(other.len(), 1, "`not(test)` is no test: {other:?}");
}

#[test]
fn no_driver_names_another_driver_and_no_store_another_store() {
    assert_holds(drivers_and_stores_are_strangers_to_each_other);
}

#[test]
fn a_driver_or_store_that_names_another_is_caught() {
    assert_catches(
        drivers_and_stores_are_strangers_to_each_other,
        &[
            ("src/driver/s3/act.rs", "use crate::driver::postgres::Client;", "driver::s3 names driver::postgres"),
            ("src/driver/s3/act.rs", "use super::super::postgres::Client;", "driver::s3 names driver::postgres"),
            ("src/driver/s3/mod.rs", "use super::http;", "driver::s3 names driver::http"),
            ("src/driver/s3/mod.rs", "fn f() { super::http::get(); }", "driver::s3 names driver::http"),
            ("src/driver/s3/mod.rs", "fn f() { vec![super::http::get()]; }", "driver::s3 names driver::http"),
            ("src/driver/s3/act.rs", "use crate::driver;", "names the whole of driver"),
            ("src/driver/s3/mod.rs", "use super::*;", "names the whole of driver"),
            ("src/store/memory.rs", "use super::sqlite::Row;", "store::memory names store::sqlite"),
            ("src/store/sqlite/mod.rs", "use crate::store::memory::Memory;", "store::sqlite names store::memory"),
        ],
        &[
            ("src/driver/s3/act.rs", "use super::observe; use crate::driver::s3::client; use crate::port::Driver;"),
            ("src/driver/mod.rs", "pub mod s3; use self::s3::Open; use crate::driver::postgres;"),
            ("src/store/memory.rs", "use super::contract;"),
            ("src/driver/s3/mod.rs", "#[cfg(test)] mod tests { use super::super::fake; }"),
        ],
    );
}

#[test]
fn no_face_names_a_driver_a_store_or_the_network() {
    assert_holds(faces_do_not_reach_outside);
}

#[test]
fn a_face_that_reaches_outside_is_caught() {
    assert_catches(
        faces_do_not_reach_outside,
        &[
            ("src/cli/plan.rs", "use crate::store::sqlite::Sqlite;", "cli is a face and names store"),
            ("src/server/mod.rs", "fn f() { crate::driver::s3::open(); }", "server is a face and names driver"),
            ("src/operator/apply.rs", "use super::super::net::http;", "operator is a face and names net"),
        ],
        &[("src/cli/plan.rs", "use crate::{app::Wired, engine::drive};"), ("src/app/wire.rs", "use crate::store;")],
    );
}

#[test]
fn no_permit_is_granted_outside_the_stores() {
    assert_holds(only_stores_grant_permits);
}

#[test]
fn a_permit_granted_outside_the_stores_is_caught() {
    assert_catches(
        only_stores_grant_permits,
        &[
            ("src/engine/drive.rs", "fn f() { Permit::granted(k, t); }", "for stores alone"),
            ("src/engine/drive.rs", "fn f() { crate::port::Permit::granted(k, t); }", "for stores alone"),
            ("src/engine/drive.rs", "use crate::port::Permit as P; fn f() { P::granted(k, t); }", "for stores alone"),
            ("src/engine/drive.rs", "type P = crate::port::Permit; fn f() { P::granted(k, t); }", "for stores alone"),
            ("src/engine/drive.rs", "fn f() { <Permit>::granted(k, t); }", "for stores alone"),
            ("src/engine/drive.rs", "fn f() { let g = Permit::granted; }", "for stores alone"),
            ("src/port/lease.rs", "impl Permit { fn again() { Self::granted(k, t); } }", "for stores alone"),
            ("src/app/wire.rs", "fn f() { some!(Permit::granted(k, t)); }", "for stores alone"),
            ("examples/two-regions.rs", "fn main() { Permit::granted(k, t); }", "for stores alone"),
        ],
        &[
            ("src/store/memory.rs", "fn f() { Permit::granted(k, t); }"),
            ("src/port/lease.rs", "impl Permit { pub fn granted(k: K, t: T) -> Self { Self { k, t } } }"),
            ("src/engine/drive.rs", "#[cfg(test)] mod tests { fn f() { Permit::granted(k, t); } }"),
            ("src/engine/drive.rs", "fn f(p: &Permit) { p.live(); Approval::granted(); }"),
        ],
    );
}

#[test]
fn no_file_is_above_the_cap() {
    assert_holds(files_are_short);
}

#[test]
fn a_file_above_the_cap_is_caught_and_its_tests_are_not_counted() {
    let code = |lines: usize| "const A: u8 = 0;\n".repeat(lines);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", code(FILE_CAP));
    let long = code(FILE_CAP + 1);
    let hidden = format!("#[cfg(test)]\nuse std::fs;\n{}", code(FILE_CAP + 1));
    assert_catches(
        files_are_short,
        &[("src/model/run.rs", &long, "501 lines of code"), ("src/model/run.rs", &hidden, "501 lines of code")],
        &[
            ("src/model/run.rs", &format!("{}\n\n\n{tests}", code(FILE_CAP))),
            ("src/model/run.rs", &format!("{tests}{}", code(FILE_CAP))),
        ],
    );
}

#[test]
fn no_function_is_above_the_cap() {
    for source in house().unwrap() {
        for long in functions_above(&source, FUNCTION_AIM) {
            println!("look again: {long}");
        }
    }
    assert_holds(functions_are_short);
}

#[test]
fn a_function_above_the_cap_is_caught() {
    let long = |lines: usize| format!("fn long() {{\n{}}}", "a();\n".repeat(lines - 2));
    let (bad, good) = (long(FUNCTION_CAP + 1), long(FUNCTION_CAP));
    let method = format!("impl A {{ {bad} }}");
    let default = format!("trait A {{ {bad} }}");
    let inner = format!("mod inner {{ {bad} }}");
    assert_catches(
        functions_are_short,
        &[
            ("src/engine/drive.rs", &bad, "fn long has 121 lines"),
            ("src/engine/drive.rs", &method, "fn long has 121 lines"),
            ("src/engine/drive.rs", &default, "fn long has 121 lines"),
            ("src/engine/drive.rs", &inner, "fn long has 121 lines"),
        ],
        &[
            ("src/engine/drive.rs", &format!("{}\n{good}", "/// Documented.\n".repeat(50))),
            ("src/engine/drive.rs", &format!("#[cfg(test)] mod tests {{ {bad} }}")),
        ],
    );
    let warned = planted(|s| functions_above(s, FUNCTION_AIM), "src/engine/drive.rs", &long(FUNCTION_AIM + 1));
    assert_eq!(warned, ["src/engine/drive.rs:1: fn long has 61 lines, above 60"]);
}

#[test]
fn file_names_are_nouns_or_verbs() {
    let found: Vec<String> = paths(&["src", "tests", "examples", "benches"])
        .unwrap()
        .iter()
        .flat_map(|path| file_names_say_what_they_hold(path))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn an_empty_file_name_is_caught() {
    for bad in ["src/engine/utils.rs", "src/core/mod.rs", "tests/common/mod.rs", "src/model/types.rs", "src/manager.rs"]
    {
        assert_eq!(file_names_say_what_they_hold(bad).len(), 1, "{bad} says nothing");
    }
    for good in ["src/engine/drive.rs", "src/model/mod.rs", "src/store/sqlite/mod.rs", "src/cli/typescript.rs"] {
        assert!(file_names_say_what_they_hold(good).is_empty(), "{good} says enough");
    }
}

#[test]
fn a_module_file_declared_for_tests_is_a_test() {
    let parse = |path, text| Source::parse(path, text).unwrap().test_modules();
    assert_eq!(parse("src/model/mod.rs", "#[cfg(test)] mod trials; mod run;"), ["src/model/trials"]);
    assert_eq!(parse("src/model/run.rs", "#[cfg(test)] mod trials;"), ["src/model/run/trials"]);
    assert_eq!(parse("src/lib.rs", "#[cfg(test)] mod trials { }"), [""; 0]);
}
