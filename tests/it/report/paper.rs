//! PDF reports, read with qpdf and poppler: the structure of the file, what it says, what is attached, and the rules of PDF/A that can
//! be looked at without a validator. krilla checks all of them when it writes.

use std::{fs, path::PathBuf};

use lifeboat::{
    app,
    evidence::{Record, Redacted, later::Opinion},
    report::{self, Format, Keeping, Signature, Terms},
};
use tempfile::TempDir;

use super::story;
use crate::servers::reader::{self, Said};

fn signature() -> Signature {
    Signature {
        key: "orders-ledger SHA256:abc".into(),
        entry: 41,
        checkpoint: "42 entries, root q6XV".into(),
        anchors: vec!["witness peer since 2026-03-01T12:00:00Z".into()],
    }
}

fn bytes(record: &Record, signature: Option<&Signature>) -> Vec<u8> {
    let controls = app::controls(None).unwrap();
    // What the ledger holds was accepted by somebody else here, so that it is no draft.
    let sign_offs = signature.map(|_| super::sign_off("ben", Opinion::Accepted));
    let terms = Terms {
        controls: &controls,
        keeping: Keeping::Kept,
        signature,
        sign_offs: sign_offs.as_slice(),
        programme: None,
        observations_only: false,
    };
    report::write(Format::Pdf, &Redacted::of(record).unwrap(), &terms).unwrap()
}

/// The report in a folder of its own.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.pdf");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn text(bytes: &[u8], pages: &[&str]) -> String {
    let (_folder, path) = file(bytes);
    took(reader::pdf("pdftotext", &[&["-layout"], pages].concat(), &path, &["-"]))
}

#[track_caller]
fn took(said: Said) -> String {
    assert!(said.took, "{}", said.words);
    said.words
}

fn pages(info: &str) -> usize {
    info.lines().find_map(|line| line.strip_prefix("Pages:")).unwrap().trim().parse().unwrap()
}

/// What qpdf shows of the file, streams decoded.
fn inside(bytes: &[u8]) -> String {
    let (_folder, path) = file(bytes);
    took(reader::pdf("qpdf", &["--qdf", "--object-streams=disable"], &path, &["-"]))
}

#[test]
fn qpdf_finds_no_fault_in_any_report_and_finds_one_that_was_planted() {
    for record in [story::failover(), story::rehearsal(), story::interrupted(), story::switchover(), story::long(100)] {
        let (_folder, path) = file(&bytes(&record, None));
        let said = took(reader::pdf("qpdf", &["--check"], &path, &[]));
        assert!(said.contains("No syntax or stream encoding errors found"), "{said}");
    }
    let mut whole = bytes(&story::failover(), None);
    let end = whole.len();
    whole.drain(end - 400..end - 200);
    let (_folder, path) = file(&whole);
    assert!(!reader::pdf("qpdf", &["--check"], &path, &[]).took, "a part of the file is missing");
}

#[test]
fn a_failover_reads_on_paper_as_approved() {
    insta::assert_snapshot!("failover.pdf", text(&bytes(&story::failover(), None), &[]));
}

#[test]
fn the_attached_record_is_the_redacted_one_byte_for_byte() {
    const SECRET: &str = "hunter2-correct-horse";
    for record in [story::failover(), story::talkative(SECRET)] {
        let redacted = Redacted::of(&record).unwrap();
        let pdf = bytes(&record, None);
        let (folder, path) = file(&pdf);
        let out = folder.path().join("attached.json");
        took(reader::pdf("pdfdetach", &["-save", "1", "-o", out.to_str().unwrap()], &path, &[]));
        let attached = fs::read(&out).unwrap();
        assert_eq!(attached, serde_json::to_vec(redacted.record()).unwrap());
        assert!(!String::from_utf8(attached.clone()).unwrap().contains(SECRET), "{}", record.run);
        assert!(!text(&pdf, &[]).contains(SECRET) && !inside(&pdf).contains(SECRET), "{}", record.run);
        // Where nothing was taken out, whoever has the file can hold it against the ledger.
        let cover = text(&pdf, &["-l", "1"]).split_whitespace().collect::<String>();
        let digest = lifeboat::model::Digest::of(&attached);
        assert!(cover.contains(&format!("Itsdigestis{digest}")), "{cover}");
        assert_eq!(redacted.redactions().is_empty(), digest == *redacted.digest());
        assert_eq!(redacted.redactions().is_empty(), cover.contains("nothingwastakenoutofit"), "{cover}");
    }
}

#[test]
fn the_file_says_what_it_is_and_takes_its_dates_from_the_record() {
    let (_folder, path) = file(&bytes(&story::failover(), None));
    let info = took(reader::pdf("pdfinfo", &["-isodates"], &path, &[]));
    for line in [
        "Title:           orders-17: failover of orders from fra to dub (REAL)",
        "CreationDate:    2026-05-04T03:00:12Z",
        "ModDate:         2026-05-04T03:00:12Z",
        "Tagged:          yes",
        "Page size:       595.28 x 841.89 pts (A4)",
        "PDF version:     1.7",
    ] {
        assert!(info.contains(line), "no {line:?} in\n{info}");
    }
}

#[test]
fn the_file_declares_pdf_a_3b_and_embeds_what_it_needs() {
    let pdf = bytes(&story::failover(), None);
    let inside = inside(&pdf);
    // ISO 19005-3, sections 6.6.4 and 6.2.3; ISO 32000-2, section 14.13.
    for mark in [
        "<pdfaid:part>3</pdfaid:part>",
        "<pdfaid:conformance>B</pdfaid:conformance>",
        "/OutputIntents",
        "/GTS_PDFA1",
        "/AFRelationship /Data",
        "/AF ",
        "/MarkInfo",
        "/Lang (en)",
    ] {
        assert!(inside.contains(mark), "no {mark}");
    }
    for forbidden in ["/JavaScript", "/Launch", "/Encrypt", "/URI"] {
        assert!(!inside.contains(forbidden), "{forbidden}");
    }
    let (_folder, path) = file(&pdf);
    let fonts = took(reader::pdf("pdffonts", &[], &path, &[]));
    let rows: Vec<&str> = fonts.lines().skip(2).collect();
    assert_eq!(rows.len(), 2, "{fonts}");
    for row in rows {
        // Name, type, encoding, embedded, subset, to Unicode.
        let words: Vec<&str> = row.split_whitespace().collect();
        assert!(words[0].contains("+DejaVuSansCondensed"), "{fonts}");
        assert_eq!(words[words.len() - 5..words.len() - 2], ["yes", "yes", "yes"], "{fonts}");
    }
}

#[test]
fn the_structure_names_headings_tables_and_what_pictures_show() {
    let (_folder, path) = file(&bytes(&story::failover(), None));
    let tree = took(reader::pdf("pdfinfo", &["-struct-text"], &path, &[]));
    for part in ["H1", "H2 \"1. Summary\"", "Table", "TH", "TD", "Caption", "Figure"] {
        assert!(tree.lines().any(|line| line.trim().starts_with(part)), "no {part} in\n{tree}");
    }
    let inside = inside(&bytes(&story::failover(), None));
    assert!(inside.contains("/Alt (One bar of 12.045 s in "), "the picture of the phases is described");
    // In reading order.
    let at = |words: &str| tree.find(words).unwrap_or_else(|| panic!("no {words} in\n{tree}"));
    assert!(at("Verdict: ") < at("1. Summary") && at("1. Summary") < at("Control cross-walk"));
}

#[test]
fn every_page_of_a_draft_is_marked_and_no_page_of_one_that_was_accepted() {
    for record in [story::failover(), story::long(100)] {
        let of = |pdf: &[u8]| {
            let (_folder, path) = file(pdf);
            let count = pages(&took(reader::pdf("pdfinfo", &[], &path, &[])));
            let heads =
                text(pdf, &[]).lines().filter(|line| line.trim_start().starts_with("REAL DRAFT orders-17")).count();
            (count, heads, inside(pdf).matches("/Subtype/Watermark").count())
        };
        let (draft, signed) = (of(&bytes(&record, None)), of(&bytes(&record, Some(&signature()))));
        assert_eq!((draft.1, draft.2), (draft.0, draft.0), "{draft:?}");
        assert!(signed.0 > 1 && (signed.1, signed.2) == (0, 0), "{signed:?}");
    }
}

#[test]
fn a_table_that_goes_over_pages_shows_its_head_again_and_loses_no_row() {
    let record = story::long(100);
    let pdf = bytes(&record, None);
    let (_folder, path) = file(&pdf);
    let count = pages(&took(reader::pdf("pdfinfo", &[], &path, &[])));
    let all: Vec<String> =
        (1..=count).map(|page| text(&pdf, &["-f", &page.to_string(), "-l", &page.to_string()])).collect();
    for (page, words) in (1..).zip(&all) {
        assert!(words.contains(&format!("Page {page} of {count}")), "{words}");
        assert!(words.trim_start().starts_with("REAL DRAFT orders-17: failover of orders from fra to dub"), "{words}");
    }
    let plan: Vec<&String> = all.iter().filter(|page| page.contains("The plan as executed")).collect();
    assert!(plan.len() > 1, "{} pages", plan.len());
    for page in &plan {
        let head = page.lines().find(|line| line.contains("Started (UTC)") && line.contains("Tries"));
        assert!(head.is_some(), "{page}");
    }
    let whole: String = all.concat().split_whitespace().collect();
    for at in 0..100 {
        assert!(whole.matches(&format!("copy-objects-{at:03}")).count() >= 3, "step {at}: picture, plan, journal");
    }
    // Two hundred times what one step said, none of it lost where pages end, and what the fonts lack by its number.
    assert_eq!(whole.matches("arrived;").count(), 200);
    assert!(whole.contains("objectsof[U+4E0A][U+6D77]arrived;"));
}

#[test]
fn the_outline_leads_to_every_section() {
    let pdf = bytes(&story::failover(), None);
    let (_folder, path) = file(&pdf);
    let json = took(reader::pdf("qpdf", &["--json=2", "--json-key=outlines"], &path, &[]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let titles: Vec<&str> = json["outlines"].as_array().unwrap().iter().map(|o| o["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), 17, "{titles:?}");
    for entry in json["outlines"].as_array().unwrap() {
        let (title, page) = (entry["title"].as_str().unwrap(), entry["destpageposfrom1"].to_string());
        if title != "Cover" {
            assert!(text(&pdf, &["-f", &page, "-l", &page]).contains(title), "{title} is not on page {page}");
        }
    }
}

#[test]
fn the_same_record_gives_the_same_paper() {
    assert_eq!(bytes(&story::failover(), None), bytes(&story::failover(), None));
    assert_ne!(bytes(&story::failover(), None), bytes(&story::failover_because("dub is down"), None));
}
