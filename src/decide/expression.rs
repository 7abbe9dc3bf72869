//! Expressions.

use serde_json::{Map, Value};

/// An expression that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ExprError {
    /// Why.
    pub what: String,
}

fn env() -> minijinja::Environment<'static> {
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.set_fuel(Some(50_000));
    env
}
/// Whether it holds.
pub fn holds(expr: &str, ctx: &Value) -> Result<bool, ExprError> {
    let env = env();
    let e = env.compile_expression(expr).map_err(|e| ExprError { what: e.to_string() })?;
    let v = e
        .eval(minijinja::value::Value::from(minijinja::value::Serde(ctx)))
        .map_err(|e| ExprError { what: e.to_string() })?;
    Ok(v.is_true())
}
/// Renders params.
pub fn render_params(params: &Map<String, Value>, ctx: &Value) -> Result<Map<String, Value>, ExprError> {
    fn walk(env: &minijinja::Environment<'_>, v: &Value, ctx: &Value) -> Result<Value, ExprError> {
        Ok(match v {
            Value::String(s) if s.contains("{{") => Value::String(
                env.render_str(s, minijinja::value::Value::from(minijinja::value::Serde(ctx)))
                    .map_err(|e| ExprError { what: e.to_string() })?,
            ),
            Value::Array(a) => Value::Array(a.iter().map(|v| walk(env, v, ctx)).collect::<Result<_, _>>()?),
            Value::Object(o) => Value::Object(
                o.iter().map(|(k, v)| Ok((k.clone(), walk(env, v, ctx)?))).collect::<Result<_, ExprError>>()?,
            ),
            other => other.clone(),
        })
    }
    let env = env();
    params.iter().map(|(k, v)| Ok((k.clone(), walk(&env, v, ctx)?))).collect()
}
