//! What `command` takes, and the facts about it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    model::{Effect, Verb},
    port::{Descriptor, Touches},
    spec::CommandParams,
};

static COMMAND: Descriptor = Descriptor {
    verb: Verb::Command,
    effect: Effect::Changes,
    reversible: false,
    observable: false,
    touches: Touches::Neither,
    expected: Duration::from_secs(1),
    timeout: Duration::from_mins(1),
    attempts: 1,
    outputs: &["exit_code", "stdout"],
    check,
};

/// The facts about `command`.
pub fn descriptor(verb: Verb) -> Option<&'static Descriptor> {
    (verb == Verb::Command).then_some(&COMMAND)
}

fn check(with: &Map<String, Value>) -> Result<(), String> {
    parse(with).map(|_| ())
}

pub(super) fn parse(with: &Map<String, Value>) -> Result<CommandParams, String> {
    let params: CommandParams =
        serde_json::from_value(Value::Object(with.clone())).map_err(|error| error.to_string())?;
    words(&params)?;
    for (field, program) in [("run", &params.run), ("check", &params.check)] {
        if program.first().is_some_and(String::is_empty) {
            return Err(format!("`{field}`: the program's name is empty"));
        }
        if program.iter().any(|word| word.contains('\0')) {
            return Err(format!("`{field}`: a word holds a zero byte, which no program can be given"));
        }
    }
    let names = || params.env.keys().chain(params.secret_env.keys());
    if let Some(name) = names().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        return Err(format!("`env`: {name:?} is no name of an environment variable"));
    }
    match names().find(|name| name.starts_with("LIFEBOAT_")) {
        Some(name) => Err(format!("`env`: {name} is set by lifeboat; choose another name")),
        None => Ok(params),
    }
}

/// The program and its arguments.
pub(super) fn words(params: &CommandParams) -> Result<Vec<&str>, String> {
    match (params.run.as_slice(), params.shell.as_deref()) {
        ([], None) => Err("`run: [program, argument …]` or `shell: text` is needed".into()),
        ([_, ..], Some(_)) => Err("`run` and `shell` are given together; exactly one is allowed".into()),
        ([], Some(text)) => Ok(vec!["/bin/sh", "-c", text]),
        (run, None) => Ok(run.iter().map(String::as_str).collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_checked_with_the_field_in_the_message() {
        for with in [
            json!({"run": ["true"]}),
            json!({"shell": "exit {{ n }}", "check": ["test", "-e", "x"], "secretEnv": {"T": {"env": "T"}}}),
        ] {
            assert_eq!(check(with.as_object().unwrap()), Ok(()), "{with}");
        }
        let bad = [
            (json!({}), "run"),
            (json!({"run": []}), "run"),
            (json!({"run": [""]}), "run"),
            (json!({"run": "true"}), "sequence"),
            (json!({"run": ["true"], "shell": "true"}), "shell"),
            (json!({"run": ["true"], "check": ["a\u{0}"]}), "check"),
            (json!({"run": ["true"], "env": {"a=b": "c"}}), "env"),
            (json!({"run": ["true"], "env": {"LIFEBOAT_RUN": "c"}}), "LIFEBOAT_RUN"),
            (json!({"run": ["true"], "dir": "/"}), "dir"),
        ];
        for (with, field) in bad {
            let error = check(with.as_object().unwrap()).unwrap_err();
            assert!(error.contains(field), "{with}: {error}");
        }
    }
}
