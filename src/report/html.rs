//! One self-contained page: no script, nothing loaded from anywhere, light and dark by the reader's preference, and fit to print.
//!
//! The template escapes everything that the record says (`report.html`, by its name). Its policy (CSP level 3, `default-src
//! 'none'`) lets a browser run no script and load nothing even if it did not.

use std::sync::LazyLock;

use minijinja::{Environment, syntax::SyntaxConfig, value::Serde};
use serde_json::json;

use super::{
    ReportError, Sheet,
    picture::{Bar, Picture},
    sheet::Block,
};
use crate::evidence::Redacted;

/// Compiled once.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        templates.set_syntax(syntax);
    }
    // A template that does not compile is missing, and every test of a page says so.
    let _ok = templates.add_template("report.html", include_str!("report.html"));
    templates
});

/// Writes a sheet.
pub(super) fn write(sheet: &Sheet, redacted: &Redacted) -> Result<String, ReportError> {
    let failed = |error: minijinja::Error| ReportError::Unwritten {
        run: redacted.record().run.clone(),
        why: format!("{error:#}"),
    };
    let pictures: Vec<Vec<Option<String>>> = sheet
        .sections
        .iter()
        .map(|section| {
            let draw = |block: &Block| match block {
                Block::Picture(picture) => Some(draw(picture)),
                Block::Text(_) | Block::Facts(_) | Block::Table(_) => None,
            };
            section.blocks.iter().map(draw).collect()
        })
        .collect();
    let context = json!({
        "sheet": sheet,
        "run": redacted.record().run,
        "banner": sheet.banner.as_str(),
        "verdict": sheet.verdict.as_str(),
        "words": sheet.verdict.words(),
        "pictures": pictures,
    });
    TEMPLATES
        .get_template("report.html")
        .and_then(|template| template.render(minijinja::Value::from(Serde(&context))))
        .map(|page| page.trim_end().to_owned() + "\n")
        .map_err(failed)
}

/// Width of the part of a picture that stands for time.
const WIDE: u64 = 700;
/// Height of a row.
const ROW: usize = 22;

fn draw(picture: &Picture) -> String {
    if picture.one_row { strip(picture) } else { rows(picture) }
}

/// All bars in one row, with their names under those that are wide enough to hold one.
fn strip(picture: &Picture) -> String {
    let mut inside = String::new();
    for bar in &picture.bars {
        let ms = bar.ms.unwrap_or(0);
        inside.push_str(&rect(bar, &tenths(bar.from_ms, picture.width_ms), 4, &tenths(ms, picture.width_ms), 26));
        if ms * 12 >= picture.width_ms && ms > 0 {
            let middle = tenths(bar.from_ms + ms / 2, picture.width_ms);
            inside.push_str(&label(&middle, 48, "middle", &bar.name));
        }
    }
    frame(picture, WIDE, 56, &inside)
}

/// One row for each bar, its name on the left.
fn rows(picture: &Picture) -> String {
    let longest = picture.bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0);
    // Eight hundredths of a name's width is more than any sans-serif needs for a character at 13 pixels.
    let names = u64::try_from(longest * 8 + 12).unwrap_or(0);
    let mut inside = String::new();
    for (row, bar) in picture.bars.iter().enumerate() {
        let top = row * ROW;
        inside.push_str(&label(&(names - 8).to_string(), top + 15, "end", &bar.name));
        if let Some(ms) = bar.ms {
            let left = shifted(names, bar.from_ms, picture.width_ms);
            // A bar of no length is still seen.
            let wide = if ms * WIDE < picture.width_ms { "1.0".into() } else { tenths(ms, picture.width_ms) };
            inside.push_str(&rect(bar, &left, top + 3, &wide, ROW - 6));
        }
    }
    frame(picture, names + WIDE + 4, picture.bars.len() * ROW + 4, &inside)
}

fn frame(picture: &Picture, wide: u64, high: usize, inside: &str) -> String {
    let id = escape(&picture.id);
    format!(
        "<svg viewBox=\"0 0 {wide} {high}\" role=\"img\" aria-labelledby=\"{id}-title {id}-words\">\
         <title id=\"{id}-title\">{}</title><desc id=\"{id}-words\">{}</desc>{inside}</svg>",
        escape(&picture.title),
        escape(&picture.description)
    )
}

fn rect(bar: &Bar, left: &str, top: usize, wide: &str, high: usize) -> String {
    let class = match bar.kind.as_str() {
        kind @ ("detect" | "decide" | "fence" | "promote" | "route" | "verify" | "done" | "skipped") => kind,
        "failed" | "stuck" | "blocked" => "bad",
        _ => "other",
    };
    let ms = bar.ms.map_or_else(|| super::sheet::NOT_MEASURED.into(), super::amount::ms);
    format!(
        "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{high}\"><title>{}: {}, {ms}</title></rect>",
        escape(&bar.name),
        escape(&bar.kind)
    )
}

fn label(left: &str, base: usize, anchor: &str, text: &str) -> String {
    format!("<text x=\"{left}\" y=\"{base}\" text-anchor=\"{anchor}\">{}</text>", escape(text))
}

/// A part of the picture's width, in pixels with one place, without a float.
fn tenths(part: u64, whole: u64) -> String {
    shifted(0, part, whole)
}

fn shifted(by: u64, part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * u128::from(WIDE) * 10 / u128::from(whole.max(1)) + u128::from(by) * 10;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Text between tags and in attributes (HTML, section 13.3; XML 1.0, section 2.4).
fn escape(text: &str) -> String {
    super::junit::escape(text)
}
