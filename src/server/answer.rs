//! Answers, all with the headers that keep a browser from guessing and a cache from remembering.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse as _, Response},
};

/// Plain text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn answer(status: StatusCode, content: &'static str, body: String) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body).into_response()
}

pub(super) async fn no_such_place() -> Response {
    answer(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /livez and /readyz\n".to_owned())
}

pub(super) async fn no_such_method() -> Response {
    answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "everything here is read with GET\n".to_owned())
}
