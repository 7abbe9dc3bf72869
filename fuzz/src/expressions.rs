//! Expressions: conditions, and the `{{ }}` of parameters.

use lifeboat::decide::{ExprError, compile_check, compile_check_text, constant, holds, render};
use serde_json::json;

/// Promises: any text compiles or is an error with a reason; what is evaluated ends, says the same each time, and is never
/// empty for something that is not there.
pub fn expressions(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let context = json!({
        "source": "fra", "destination": "dub", "group": "orders",
        "run": { "id": "orders-1", "kind": "failover", "rehearsal": false },
        "steps": { "fence-db": { "ok": true }, "promote-db": { "lag_bytes": 1024, "list": [1, 2.5, null, "ü"] } },
    });
    let compiled = compile_check(text);
    let held = holds(text, &context);
    assert_eq!(held, holds(text, &context), "the same question has two answers");
    if let Err(ExprError::Syntax { detail }) = &compiled {
        assert!(!detail.is_empty(), "a defect without a reason");
        assert!(held.is_err(), "what does not compile holds: {detail}");
    }
    if let Some(constant) = constant(text) {
        assert_eq!(held, Ok(constant), "a constant depends on something");
    }
    let _names = compile_check_text(text);
    assert_eq!(render(text, &context), render(text, &context), "the same text has two meanings");
}
