//! To be written.

mod expression;

pub use expression::{
    ExprError, TOP_NAMES, UsedName, compile_check, compile_check_text, constant, holds, is_template, render,
    render_params,
};
