//! E-mail by submission (RFC 6409): STARTTLS or TLS from the first byte, a login only over TLS, one plain text (RFC 5322).

use std::{path::Path, sync::Arc, time::SystemTime};

use futures::future::BoxFuture;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use secrecy::{ExposeSecret, SecretString};

use super::{post::TIMEOUT, text};
use crate::{
    net::{postgres::told, tls},
    port::{Notice, Notifier, NotifyError, Secrets},
    spec::{SmtpChannel, SmtpSecurity},
};

pub(super) struct Smtp {
    pub(super) spec: SmtpChannel,
    pub(super) template: Option<String>,
    pub(super) secrets: Arc<dyn Secrets>,
}

impl Notifier for Smtp {
    fn notify<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), NotifyError>> {
        Box::pin(async move {
            let password = self.spec.password.as_ref().map(|reference| self.secrets.resolve(reference)).transpose()?;
            let message = message(&self.spec, notice, self.template.as_deref())?;
            let transport = self.transport(password.as_ref())?;
            let secret = password.as_ref().map_or("", ExposeSecret::expose_secret);
            transport.send(message).await.map(|_| ()).map_err(|error| self.judge(&error, secret))
        })
    }
}

impl Smtp {
    fn transport(&self, password: Option<&SecretString>) -> Result<AsyncSmtpTransport<Tokio1Executor>, NotifyError> {
        let (host, port) = self.place()?;
        let tls = match self.spec.security {
            SmtpSecurity::None => Tls::None,
            SmtpSecurity::StartTls => Tls::Required(self.tls(host)?),
            SmtpSecurity::Tls => Tls::Wrapper(self.tls(host)?),
        };
        let plain = matches!(tls, Tls::None);
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port).tls(tls).timeout(Some(TIMEOUT));
        match (&self.spec.user, password) {
            (Some(_), Some(_)) if plain => {
                let why = "a login is only sent over TLS; write security: StartTls or Tls";
                return Err(NotifyError::Refused { why: why.to_owned() });
            }
            (Some(user), Some(password)) => {
                let password = password.expose_secret().to_owned();
                builder = builder.credentials(Credentials::new(user.clone(), password));
            }
            (Some(_) | None, _) => {}
        }
        Ok(builder.build())
    }

    fn place(&self) -> Result<(&str, u16), NotifyError> {
        let place = self.spec.server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        place
            .map(|(host, port)| (host.trim_start_matches('[').trim_end_matches(']'), port))
            .ok_or_else(|| NotifyError::Refused { why: "the channel's server is none; write host:port".to_owned() })
    }

    fn tls(&self, host: &str) -> Result<TlsParameters, NotifyError> {
        let ca = self.spec.ca.as_deref().map(Path::new);
        let authorities = tls::authorities(ca).map_err(|error| later(told(&error)))?;
        let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
        for authority in authorities {
            let authority = Certificate::from_der(authority.as_ref().to_vec()).map_err(|error| later(told(&error)))?;
            builder = builder.add_root_certificate(authority);
        }
        builder.build().map_err(|error| later(told(&error)))
    }

    /// What a refusal means (RFC 5321 section 4.2.1): 4xx may heal, 5xx does not, except for a login that was refused, whose
    /// secret may be about to be renewed.
    fn judge(&self, error: &lettre::transport::smtp::Error, secret: &str) -> NotifyError {
        let why = text::line(&told(error));
        let why = text::conceal(format!("{}: {}", self.spec.server, text::cut(&why, 300)), &[secret]);
        let code = error.status().map(|code| code.to_string()).unwrap_or_default();
        match code.as_str() {
            "530" | "534" | "535" | "538" => later(format!("{why}; check the channel's user and password")),
            _ if error.is_permanent() => NotifyError::Refused { why: format!("{why}; check the channel's addresses") },
            _ => later(why),
        }
    }
}

fn later(why: String) -> NotifyError {
    NotifyError::Later { why, after: None }
}

fn message(spec: &SmtpChannel, notice: &Notice, template: Option<&str>) -> Result<Message, NotifyError> {
    let mailbox = |text: &str| {
        text.parse::<Mailbox>()
            .map_err(|_| NotifyError::Refused { why: format!("`{text}` is no mail address; write name@host") })
    };
    let from = mailbox(&spec.from)?;
    let domain = from.email.domain().to_owned();
    let subject = format!("[{}] {}", notice.severity, text::cut(&text::line(&notice.title), 200));
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mut builder = Message::builder()
        .from(from)
        .subject(subject)
        .date(SystemTime::from(notice.at))
        // The same for every try: a server or a reader that saw it once can tell.
        .message_id(Some(format!("<{}@{domain}>", text::identity(notice))))
        // What is about one thing stands in one thread.
        .references(format!("<{}@{domain}>", text::hash(&notice.key)))
        // RFC 3834 section 5: nobody's holiday answer comes back.
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    for to in &spec.to {
        builder = builder.to(mailbox(to)?);
    }
    builder
        .body(text::message(notice, template))
        .map_err(|error| NotifyError::Refused { why: format!("the message cannot be written: {error}") })
}
