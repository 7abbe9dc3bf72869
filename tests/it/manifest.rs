//! Documents: every kind of defect has a file that shows it, every good document means the same to another reader.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lifeboat::{
    manifest::{self, Code, Documents, Finding, Loaded, Look, Severity, load_texts, render, scaffold},
    model::{RegionName, RunKind},
};

mod admission;
mod catalog;
mod meaning;
mod plan;
mod reading;
mod schema;

use catalog::TestCatalog;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// The files of a folder in order of their names.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// Loads and checks; names of files as the user would have typed them in the project's folder.
fn findings_of(loaded: Loaded) -> Vec<Finding> {
    let mut findings = loaded.findings;
    findings.extend(manifest::check(&loaded.documents, &TestCatalog));
    manifest::tidy(&mut findings);
    findings
}

fn check_text(text: &str) -> Vec<Finding> {
    findings_of(load_texts([("test.yaml", text)]))
}

/// Processor time that this process has used, all threads together (proc(5), `stat`, fields 14 and 15, in hundredths
/// of a second): a busy machine does not make it longer.
fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn every_code_has_a_file_that_shows_it_and_nothing_else() {
    let mut shown = BTreeSet::new();
    for path in files("tests/manifest/bad") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let expected = Code::parse(&name[..6]).unwrap_or_else(|| panic!("{name} begins with no code"));
        let relative = path.strip_prefix(root()).unwrap().to_path_buf();
        let findings = findings_of(manifest::load(&[relative]));
        let found: BTreeSet<_> = findings.iter().map(|finding| finding.code).collect();
        let drawn = render(&findings, Look::default());
        assert_eq!(found, BTreeSet::from([expected]), "{name}:\n{drawn}");
        insta::with_settings!({ snapshot_path => "../manifest/rendered", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, drawn);
        });
        shown.insert(expected);
    }
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !shown.contains(code)).collect();
    assert!(missing.is_empty(), "no file shows {missing:?}");
}

#[test]
fn every_code_is_explained_and_none_is_used_twice() {
    let mut seen = BTreeSet::new();
    for code in Code::ALL {
        assert!(seen.insert(code.as_str()), "{code} twice");
        assert!(code.paragraph().len() > 60 && code.paragraph().ends_with('.'), "{code}");
        assert!(!code.title().is_empty() && !code.title().ends_with('.'), "{code}");
        assert_eq!(Code::parse(&code.as_str().to_lowercase()), Some(*code));
    }
    assert!(seen.len() >= 30);
}
