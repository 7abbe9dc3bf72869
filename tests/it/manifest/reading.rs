//! Reading: nothing stops it, nothing exhausts it, no secret leaves it.

use std::fmt::Write as _;

use super::*;

fn region(name: &str) -> String {
    format!("apiVersion: lifeboat.dev/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\nspec: {{provider: other}}\n")
}

#[test]
fn a_broken_document_does_not_hide_the_others_of_its_file() {
    let text = format!(
        "{}---\nthis: [is\n--- # no YAML\n{}---\nkind: Region\n---\n{}",
        region("fra"),
        region("Dub"),
        region("ams").replace("other", "azure"),
    );
    let loaded = load_texts([("test.yaml", text.as_str())]);
    assert_eq!(codes(&loaded.findings), ["LB0002", "LB0011", "LB0009", "LB0008"]);
    let names: Vec<_> = loaded.documents.regions.iter().map(|region| region.name.as_str()).collect();
    assert_eq!(names, ["fra"]);
    let lines: Vec<_> = loaded.findings.iter().map(|finding| finding.place.as_ref().unwrap().span.line).collect();
    assert_eq!(lines, [6, 10, 13, 18]);
}

#[test]
fn a_reference_to_a_document_that_could_not_be_read_is_no_finding_of_its_own() {
    let group = fs::read_to_string(root().join("tests/manifest/good/orders.yaml")).unwrap();
    let text = group.replace("provider: gcp", "provider: azure");
    assert_eq!(codes(&check_text(&text)), ["LB0008"]);
}

#[test]
fn a_mistyped_field_is_one_finding_and_is_taken_for_what_was_meant() {
    let text = "apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: {name: move}\nspec:\n  steps:\n  \
        - {name: fence, uses: database.fence, target: db}\n  \
        - {name: promote, uses: database.promote, target: db, need: [fence]}\n";
    assert_eq!(codes(&check_text(text)), ["LB0007"]);
}

#[test]
fn every_wrong_value_of_a_document_is_reported_at_once() {
    let text = "apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: {name: move}\nspec:\n  steps:\n  \
        - {name: 5, uses: wait, with: [1], colour: red}\n  \
        - {name: rest, timeoutSeconds: -1, drill: Sometimes}\n  \
        - just text\n";
    let findings = check_text(text);
    assert_eq!(codes(&findings), ["LB0008", "LB0008", "LB0007", "LB0009", "LB0008", "LB0008", "LB0008"]);
    let paths: Vec<_> = findings.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "spec.steps[0].name",
            "spec.steps[0].with",
            "spec.steps[0].colour",
            "spec.steps[1].uses",
            "spec.steps[1].timeoutSeconds",
            "spec.steps[1].drill",
            "spec.steps[2]",
        ],
    );
}

#[test]
fn no_secret_is_drawn_or_written_whatever_else_is_wrong() {
    let secret = "hunter2";
    let group = fs::read_to_string(root().join("tests/manifest/good/orders.yaml")).unwrap();
    let broken = [
        group.replace("secret: {env: TSIG_SECRET}", &format!("secret: {secret}")),
        group.replace("secret: {env: TSIG_SECRET}", &format!("secret: [{secret}]")),
        group.replace("secret: {env: TSIG_SECRET}", &format!("secret: {secret}, algoritm: x")),
        group.replace("secret: {env: TSIG_SECRET}", &format!("secret: \"{secret}\", [")),
        group.replace(
            "algorithm: hmac-sha256, secret: {env: TSIG_SECRET}",
            &format!("secret: {secret}, algorithm: md5"),
        ),
        group.replace("postgres://10.1.0.10", &format!("postgres://me:{secret}@10.1.0.10")),
        group.replace(
            "expectStatus: 200",
            &format!("expectStatus: 200, headers: [{{value: \"Bearer {secret}\", name: authorization}}]"),
        ),
        group.replace(
            "\"postgres://10.1.0.10:5432/orders\", user",
            &format!("\"postgres://me:{secret}@10.1.0.10\", [, user"),
        ),
        group.replace("password: {file: /run/secrets/pg}", &format!("password: |\n        {secret}\n      ")),
    ];
    for text in broken {
        assert!(text.contains(secret));
        let findings = check_text(&text);
        assert!(manifest::has_errors(&findings), "{text}");
        let drawn = render(&findings, Look::default());
        assert!(!drawn.contains(secret), "{drawn}");
        assert!(!serde_json::to_string(&findings).unwrap().contains(secret));
    }
}

#[test]
fn a_literal_secret_in_an_object_of_a_cluster_is_found_by_its_path() {
    let text = fs::read_to_string(root().join("tests/manifest/good/orders.yaml")).unwrap();
    let mut documents = load_texts([("test.yaml", text.as_str())]).documents;
    for region in &mut documents.regions {
        region.origin = None;
    }
    let group = documents.groups.pop().unwrap();
    let mut spec = serde_json::to_value(group.spec.as_ref()).unwrap();
    spec["targets"][0]["postgres"]["members"][1]["password"] = "hunter2".into();
    let spec = serde_json::from_value(spec).unwrap();
    documents.groups.push(manifest::Document::placeless(group.name, spec));
    let findings = manifest::check(&documents, &TestCatalog);
    assert_eq!(codes(&findings), ["LB0016"]);
    assert_eq!(findings[0].path, "spec.targets[0].postgres.members[1].password");
    insta::assert_snapshot!(render(&findings, Look::default()));
}

/// 10⁹ laughs (once, and 4,000 times), 20,000 levels, 300,000 nodes, 6 MiB: each refused within half a second of
/// processor time and 64 MiB; a debug build of all crates may take ten times that.
#[test]
fn a_bomb_is_refused_in_bounded_time_and_memory() {
    let mut laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        let _ok = writeln!(laughs, "{to}: &{to} [{}]", vec![format!("*{from}"); 10].join(", "));
    }
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 5_000 } else { 500 });
    let almost = "---\na: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
                  c: [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n";
    let bombs = [
        ("many laughs", format!("---\n{laughs}").repeat(4_000)),
        ("many that almost laugh", almost.repeat(900)),
        ("laughs", laughs),
        ("deep flow", "[".repeat(20_000)),
        ("deep block", (0..2_000).flat_map(|level| [" ".repeat(level), "a:\n".to_owned()]).collect()),
        ("deep list", "- ".repeat(20_000)),
        ("wide", format!("a: [{}]", "1, ".repeat(300_000))),
        ("large", "# comment\n".repeat(600_000)),
        ("documents", "---\na: 1\n".repeat(5_000)),
        ("self", "a: &a [*a]".to_owned()),
    ];
    for (name, text) in bombs {
        let before = peak_kib();
        let start = busy();
        let loaded = load_texts([("bomb.yaml", text.as_str())]);
        let took = busy().saturating_sub(start);
        let grown = peak_kib().saturating_sub(before);
        assert!(manifest::has_errors(&loaded.findings), "{name}");
        assert!(loaded.findings.iter().any(|finding| matches!(finding.code, Code::TooLarge | Code::NotYaml)), "{name}");
        assert!(took < limit, "{name} took {took:?}");
        assert!(grown < 64 * 1024, "{name} took {grown} KiB");
    }
}

/// The most memory this process ever had, in KiB (proc(5), `VmHWM`).
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn folders_are_read_in_order_and_hidden_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("b.yaml", &region("b"));
    write("a/z.yml", &region("az"));
    write("..2026/c.yaml", &region("old"));
    write(".hidden.yaml", "{");
    write("notes.txt", "{");
    write("c.yaml", "");
    let loaded = manifest::load(&[folder.path()]);
    let names: Vec<_> = loaded.documents.regions.iter().map(|region| region.name.as_str()).collect();
    assert_eq!(names, ["az", "b"]);
    assert_eq!(codes(&loaded.findings), ["LB0004"]);
    let missing = manifest::load(&[folder.path().join("none.yaml")]);
    assert_eq!(codes(&missing.findings), ["LB0001"]);
}

#[test]
fn a_finding_as_json_says_where_what_and_what_to_do() {
    let text = format!("{}---\n{}", region("fra"), region("dub").replace("provider: other", "provider: azure"));
    let json = serde_json::to_value(check_text(&text)).unwrap();
    insta::assert_json_snapshot!(json);
}

#[test]
fn colour_is_only_there_when_it_is_asked_for() {
    let findings = check_text("a: 1");
    assert!(!render(&findings, Look::default()).contains('\u{1b}'));
    assert!(render(&findings, Look { colour: true, ..Look::default() }).contains('\u{1b}'));
    assert_eq!(render(&[], Look::default()), "no findings\n");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Cut a good file anywhere, put a stray character anywhere: never a panic, and every place lies in the text.
    #[test]
    fn any_damage_is_reported_inside_of_the_text(at in 0_usize..4_000, cut in 0_usize..40, put in "[\\[\\]{}:,\"'&*#|>!%@`é\n -]{0,3}") {
        let mut text = fs::read_to_string(root().join("tests/manifest/good/everything.yaml")).unwrap();
        let floor = |at: usize, text: &str| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        let (from, to) = (floor(at, &text), floor(at + cut, &text));
        text.replace_range(from..to, &put);
        let findings = check_text(&text);
        for finding in &findings {
            let span = finding.place.as_ref().unwrap().span;
            assert!(span.offset + span.len <= text.len(), "{finding:?}");
        }
        let drawn = render(&findings, Look::default());
        assert!(!drawn.is_empty());
    }
}
