//! What an error of the client library means: refused, answered, or silence.

use std::{error::Error, fmt, io};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing listens there, or the call could not even be made: certainly not done.
    Refused(String),
    /// No answer, or none that could be understood: it may have been done.
    Silent(String),
    /// The server answered that it may not be done.
    Denied(String),
    /// The server answered something else: certainly not done.
    Answered {
        /// Of HTTP.
        status: u16,
        /// The error code of S3.
        code: String,
        /// The beginning of what it said.
        message: String,
    },
    /// It could not be asked: a secret, a setting.
    NotAsked(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Silent(why) | Self::Denied(why) | Self::NotAsked(why) => f.write_str(why),
            Self::Answered { status, code, message } => write!(f, "the server answered {status} {code}: {message}"),
        }
    }
}

impl Trouble {
    /// The answer has this error code.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Answered { code, .. } if code == wanted)
    }
    /// The answer has this status.
    pub fn has_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Answered { status, .. } if *status == wanted)
    }
}

/// What an error of the client library means.
pub fn trouble<E>(error: &SdkError<E, HttpResponse>) -> Trouble
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let service = error.as_service_error();
    match (status, error) {
        (Some(403), _) => Trouble::Denied(format!(
            "the server answered 403 {}",
            service.and_then(ProvideErrorMetadata::code).unwrap_or("Forbidden")
        )),
        // A gateway that lost the reply of the server behind it says nothing about that server.
        (Some(502 | 504), _) => Trouble::Silent("a gateway lost the server's reply".into()),
        (Some(status @ 300..), _) => Trouble::Answered {
            status,
            code: service.and_then(ProvideErrorMetadata::code).unwrap_or("without a code").to_owned(),
            message: service
                .and_then(ProvideErrorMetadata::message)
                .unwrap_or("no message")
                .chars()
                .take(200)
                .collect(),
        },
        (Some(status), _) => Trouble::Silent(format!("the answer with status {status} was not understood")),
        (None, SdkError::ConstructionFailure(_)) => {
            Trouble::NotAsked(format!("the request could not be made: {}", deepest(error)))
        }
        (None, SdkError::TimeoutError(_)) => Trouble::Silent("no answer in time".into()),
        (None, error) => {
            let refused = std::iter::successors(error.source(), |cause| Error::source(*cause))
                .filter_map(|cause| cause.downcast_ref::<io::Error>())
                .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused);
            if refused {
                Trouble::Refused("connection refused: nothing listens there".into())
            } else {
                Trouble::Silent(format!("no answer: {}", deepest(error)))
            }
        }
    }
}

/// The last cause, which holds the least of our own words.
pub fn deepest(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |cause| Error::source(*cause))
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}
