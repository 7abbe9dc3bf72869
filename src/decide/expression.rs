//! Expressions: `when`, `verify` and the `{{ }}` of parameters. One language, minijinja, without any access to the
//! outside and with a bounded number of steps.
//!
//! Promises: the answer depends on the text and the context alone. What is undefined is an error that says what is
//! undefined, never an empty text. A runaway expression ends after [`FUEL`] instructions. A condition is true or
//! false; a number or a text where a condition is needed is an error, so that nothing is "truthy" by accident.
//!
//! In a text, the step `promote-db` is written `steps.promote_db` (names of steps hold no `_`, so there is no doubt) or
//! `steps["promote-db"]`. A step that gave no output has no fields, so that `steps.x.y is defined` and
//! `steps.x.y | default(0)` are how a text asks for something that may be missing.

use std::{collections::BTreeMap, sync::Arc, sync::LazyLock};

use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Enumerator, Object, Serde, ValueKind},
};
use serde_json::{Map, Value};

use super::bound;

/// Instructions that one evaluation may take. The longest sensible condition takes about 50; 50,000 take under a
/// millisecond.
const FUEL: u64 = 50_000;

/// The names that a context holds besides `steps`.
pub const TOP_NAMES: &[&str] = &["source", "destination", "group", "run", "steps"];

/// A name that a text uses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsedName {
    /// Its parts: `["steps", "promote-db", "lag_bytes"]`. The step is written as it is named.
    pub path: Vec<String>,
    /// Every use is covered by `is defined`, `is undefined` or `default` on this very name.
    pub guarded: bool,
}

impl UsedName {
    /// The name as one text: `steps.promote-db.lag_bytes`.
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// An expression that gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// It does not compile.
    #[error("the expression does not compile: {detail}")]
    Syntax {
        /// What the compiler says.
        detail: String,
    },
    /// It uses something that is not there.
    #[error("the expression uses something that is not there: {detail}")]
    Undefined {
        /// What is undefined.
        detail: String,
    },
    /// It ran for too long.
    #[error("the expression takes more than {FUEL} steps")]
    OutOfFuel,
    /// It is larger than any sensible expression.
    #[error("the expression has {bytes} bytes; {} are allowed", bound::MAX_TEXT)]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// It nests or chains more than any sensible expression.
    #[error("the expression has more than {allowed} {what}; make it in several steps")]
    TooDeep {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        allowed: usize,
    },
    /// A condition that is neither true nor false.
    #[error("a condition must be true or false, and this one is {found}")]
    NotACondition {
        /// What it is.
        found: String,
    },
    /// It failed while it ran.
    #[error("the expression failed: {detail}")]
    Failed {
        /// Why.
        detail: String,
    },
}

impl From<Error> for ExprError {
    fn from(error: Error) -> Self {
        let detail = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
        match error.kind() {
            ErrorKind::SyntaxError
            | ErrorKind::BadEscape
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction => Self::Syntax { detail },
            ErrorKind::UndefinedError => Self::Undefined { detail },
            ErrorKind::OutOfFuel => Self::OutOfFuel,
            _ => Self::Failed { detail },
        }
    }
}

/// Built once: the tables of filters and tests take longer to fill than an expression to run.
static STRICT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::Strict));
/// For a trial run without a context: it finds filters that do not exist, and nothing else.
static TRIAL: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::Chainable));

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    // A body that ends in a line break keeps it. The builder refuses only delimiters that clash, and sets none here.
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment
}

/// Whether a text holds anything to interpolate.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Compiles a condition and lists the names that it uses.
pub fn compile_check(text: &str) -> Result<Vec<UsedName>, ExprError> {
    bound::expression(text)?;
    let plain = without_subscripts(text);
    let expression = STRICT.compile_expression_owned(plain.clone())?;
    if let Err(error) = TRIAL.compile_expression_owned(plain.clone())?.eval(()) {
        unknown_word(error)?;
    }
    Ok(used(expression.undeclared_variables(true), &plain))
}

/// Compiles a text with `{{ }}` and lists the names that it uses.
pub fn compile_check_text(text: &str) -> Result<Vec<UsedName>, ExprError> {
    if !is_template(text) {
        return Ok(Vec::new());
    }
    bound::template(text)?;
    let plain = without_subscripts(text);
    let names = {
        // A template borrows its text from the environment's lifetime, so it needs one of its own.
        let environment = Environment::empty();
        let template = environment.template_from_str(&plain)?;
        template.undeclared_variables(true)
    };
    if let Err(error) = TRIAL.render_str(&plain, ()) {
        unknown_word(error)?;
    }
    Ok(used(names, &plain))
}

/// The value of a condition that uses no names, and so is the same whatever happens.
pub fn constant(text: &str) -> Option<bool> {
    match compile_check(text) {
        Ok(names) if names.is_empty() => holds(text, &Value::Null).ok(),
        Ok(_) | Err(_) => None,
    }
}

/// Whether a condition holds.
pub fn holds(text: &str, context: &Value) -> Result<bool, ExprError> {
    bound::expression(text)?;
    let value = STRICT.compile_expression_owned(text.to_owned())?.eval(in_context(context))?;
    match value.kind() {
        ValueKind::Bool => Ok(value.is_true()),
        ValueKind::Undefined => Err(ExprError::Undefined { detail: format!("{} is undefined", text.trim()) }),
        kind => Err(ExprError::NotACondition { found: format!("a {kind}") }),
    }
}

/// Fills in the `{{ }}` of a text.
pub fn render(text: &str, context: &Value) -> Result<String, ExprError> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    bound::template(text)?;
    Ok(STRICT.render_str(text, in_context(context))?)
}

/// Fills in every text of a step's parameters, however deep. Keys and all other values stay as they are.
pub fn render_params(params: &Map<String, Value>, context: &Value) -> Result<Map<String, Value>, ExprError> {
    params.iter().map(|(key, value)| Ok((key.clone(), render_value(value, context)?))).collect()
}

fn render_value(value: &Value, context: &Value) -> Result<Value, ExprError> {
    match value {
        Value::String(text) => render(text, context).map(Value::String),
        Value::Array(items) => {
            items.iter().map(|item| render_value(item, context)).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(map) => render_params(map, context).map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

/// A trial without a context fails for many reasons that a real context takes away; a word that does not exist stays.
fn unknown_word(error: Error) -> Result<(), ExprError> {
    match ExprError::from(error) {
        syntax @ ExprError::Syntax { .. } => Err(syntax),
        ExprError::Undefined { .. }
        | ExprError::OutOfFuel
        | ExprError::TooLong { .. }
        | ExprError::TooDeep { .. }
        | ExprError::NotACondition { .. }
        | ExprError::Failed { .. } => Ok(()),
    }
}

/// The context as minijinja sees it.
fn in_context(context: &Value) -> minijinja::Value {
    let Value::Object(map) = context else { return minijinja::Value::from(Serde(context)) };
    let mut names: BTreeMap<String, minijinja::Value> = BTreeMap::new();
    for (name, value) in map {
        let value = match (name.as_str(), value) {
            ("steps", Value::Object(steps)) => minijinja::Value::from_object(Steps(
                steps.iter().map(|(step, output)| (step.clone(), minijinja::Value::from(Serde(output)))).collect(),
            )),
            _ => minijinja::Value::from(Serde(value)),
        };
        names.insert(name.clone(), value);
    }
    minijinja::Value::from(names)
}

/// The outputs of all steps. A step without output is a map without fields.
#[derive(Debug)]
struct Steps(BTreeMap<String, minijinja::Value>);

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let name = key.as_str()?;
        let found = self.0.get(name).or_else(|| self.0.get(&name.replace('_', "-")));
        Some(found.cloned().unwrap_or_else(|| minijinja::Value::from(BTreeMap::<String, minijinja::Value>::new())))
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(minijinja::Value::from).collect())
    }
}

/// `steps["promote-db"].x` as `steps.promote_db.x`: the compiler lists only names with dots.
fn without_subscripts(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, from) = rest.split_at(open);
        plain.push_str(before);
        if let Some((word, after)) = subscript(from) {
            plain.push('.');
            plain.push_str(&word.replace('-', "_"));
            rest = after;
        } else {
            plain.push('[');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    plain
}

/// The word of `["word"]` at the start of a text, and what follows.
fn subscript(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?.trim_start();
    let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (word, after) = inner.get(1..)?.split_once(quote)?;
    let is_name = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let after = after.trim_start().strip_prefix(']')?;
    is_name.then_some((word, after))
}

fn used(names: std::collections::HashSet<String>, text: &str) -> Vec<UsedName> {
    let globals = ["range", "dict", "debug", "namespace", "loop", "self", "true", "false", "none"];
    let mut all: Vec<UsedName> = names
        .into_iter()
        .filter(|name| !globals.contains(&name.split('.').next().unwrap_or_default()))
        .map(|name| {
            let guarded = is_guarded(text, &name);
            let mut path: Vec<String> = name.split('.').map(ToOwned::to_owned).collect();
            if let [first, step, ..] = path.as_mut_slice()
                && first == "steps"
            {
                *step = step.replace('_', "-");
            }
            UsedName { path, guarded }
        })
        .collect();
    all.sort();
    all
}

/// Somewhere in the text the very name is asked for being there, or has a default.
fn is_guarded(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let after = text.get(at + name.len()..).unwrap_or_default();
        if after.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
            return false;
        }
        let after = after.trim_start();
        let piped = after.strip_prefix('|').map(str::trim_start);
        piped.is_some_and(|filter| filter.starts_with("default") || filter.starts_with("d("))
            || after.strip_prefix("is").map(str::trim_start).is_some_and(|asked| {
                let word = asked.strip_prefix("not ").map_or(asked, str::trim_start);
                word.starts_with("defined") || word.starts_with("undefined")
            })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> Value {
        json!({
            "source": "fra", "destination": "dub",
            "steps": { "promote-db": { "lag_bytes": 10 }, "skipped": {} },
        })
    }

    #[test]
    fn a_condition_holds_or_does_not() {
        for (text, expected) in [
            ("steps.promote_db.lag_bytes < 100", true),
            ("steps['promote-db'].lag_bytes < 5", false),
            ("destination == 'dub' and source != destination", true),
            ("steps.skipped.copied | default(0) == 0", true),
            ("steps.never_ran.copied is defined", false),
            ("'x' in ['x', 'y']", true),
        ] {
            assert_eq!(holds(text, &context()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_undefined_is_an_error_that_names_it() {
        let error = holds("steps.promote_db.lagbytes < 100", &context()).unwrap_err();
        let ExprError::Undefined { detail } = &error else { panic!("{error:?}") };
        assert!(detail.contains("lagbytes"), "{detail}");
        let error = render("to {{ steps.promote_db.lagbytes }}", &context()).unwrap_err();
        assert!(error.to_string().contains("lagbytes"), "{error}");
        assert!(matches!(holds("destinatio", &context()), Err(ExprError::Undefined { .. })));
    }

    #[test]
    fn a_number_is_no_condition() {
        assert!(matches!(holds("steps.promote_db.lag_bytes", &context()), Err(ExprError::NotACondition { .. })));
    }

    #[test]
    fn a_runaway_expression_ends() {
        let text = "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}";
        assert_eq!(render(text, &context()), Err(ExprError::OutOfFuel));
        assert!(matches!(holds(&"(".repeat(20_000), &context()), Err(ExprError::TooDeep { .. })));
        assert!(matches!(holds(&"1".repeat(70_000), &context()), Err(ExprError::TooLong { .. })));
    }

    #[test]
    fn used_names_are_listed_with_their_guards() {
        let names =
            |text| compile_check(text).unwrap().iter().map(|name| (name.dotted(), name.guarded)).collect::<Vec<_>>();
        assert_eq!(names("steps.promote_db.lag_bytes < 5"), [("steps.promote-db.lag_bytes".to_owned(), false)]);
        assert_eq!(names("steps['promote-db'].lag_bytes < 5"), [("steps.promote-db.lag_bytes".to_owned(), false)]);
        assert_eq!(names("steps.a.b | default(0) < 5"), [("steps.a.b".to_owned(), true)]);
        assert_eq!(names("steps.a.b is defined and steps.a.b < 5"), [("steps.a.b".to_owned(), true)]);
        assert_eq!(names("source == 'fra'"), [("source".to_owned(), false)]);
    }

    #[test]
    fn a_filter_that_does_not_exist_does_not_compile() {
        for text in ["source | shout == 'FRA'", "source is shouty", "shout(source) == 'FRA'", "source ==", "1 +"] {
            assert!(matches!(compile_check(text), Err(ExprError::Syntax { .. })), "{text}");
        }
        assert!(matches!(compile_check_text("{{ source | shout }}"), Err(ExprError::Syntax { .. })));
        assert!(matches!(compile_check_text("{{ source "), Err(ExprError::Syntax { .. })));
    }

    #[test]
    fn constants_are_recognised() {
        assert_eq!(constant("false"), Some(false));
        assert_eq!(constant("1 < 2"), Some(true));
        assert_eq!(constant("source == 'fra'"), None);
    }

    #[test]
    fn every_text_of_the_parameters_is_filled_in() {
        let params = json!({"url": "https://{{ destination }}/x", "list": ["{{ source }}", 1], "n": 5, "t": "plain\n"});
        let rendered = render_params(params.as_object().unwrap(), &context()).unwrap();
        assert_eq!(
            Value::Object(rendered),
            json!({"url": "https://dub/x", "list": ["fra", 1], "n": 5, "t": "plain\n"})
        );
    }
}
