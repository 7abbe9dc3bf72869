//! E-mail, through a real mail server.

use lifeboat::port::NotifyError;

use super::*;
use crate::servers::{
    authority::Authority,
    mail::{MailServer, PASSWORD, Protection, USER},
};

/// The folder holds the authority's file and the secrets.
fn start(protection: Protection) -> (tempfile::TempDir, Authority, MailServer) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::make(folder.path());
    let server = MailServer::start(protection, &authority, folder.path());
    (folder, authority, server)
}

fn spec(server: &MailServer, security: &str, to: &str, rest: &str) -> String {
    format!(
        "smtp:\n  server: \"{}\"\n  security: {security}\n  from: Lifeboat <lifeboat@example.com>\n  to: [{to}]\n{rest}",
        server.address()
    )
}

fn login(folder: &Path, password: &str) -> String {
    format!("  user: {USER}\n  password: {}\n", secret(folder, "password", password))
}

fn trust(authority: &Authority) -> String {
    format!("  ca: {}\n", authority.file().display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_submitted_over_tls_after_a_login() {
    for (protection, security) in [(Protection::StartTls, "StartTls"), (Protection::Tls, "Tls")] {
        let (folder, authority, server) = start(protection);
        let rest = trust(&authority) + &login(folder.path(), PASSWORD);
        let to = "ops@example.com, Continuity <continuity@example.com>";
        channel("mail", &spec(&server, security, to, &rest)).notifier.notify(&outage()).await.unwrap();
        let letter = elsewhere(move || server.await_letters(1).remove(0)).await;
        assert!(letter.tls && letter.login, "{security}: {letter:?}");
        assert_eq!(letter.from, "lifeboat@example.com");
        assert_eq!(letter.to, ["ops@example.com", "continuity@example.com"]);
        insta::assert_snapshot!("letter", letter.text.replace("\r\n", "\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_nothing_is_asked_for() {
    let (_folder, _, server) = start(Protection::Plain);
    channel("mail", &spec(&server, "None", "ops@example.com", "")).notifier.notify(&over()).await.unwrap();
    let letter = elsewhere(move || server.await_letters(1).remove(0)).await;
    assert!(!letter.tls && !letter.login);
    assert!(letter.text.contains("Subject: [info] orders: fra is up again"), "{}", letter.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_and_not_shown() {
    let (folder, authority, server) = start(Protection::StartTls);
    let rest = trust(&authority) + &login(folder.path(), SECRET);
    let mail = channel("mail", &spec(&server, "StartTls", "ops@example.com", &rest));
    let error = mail.notifier.notify(&outage()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("check the channel's user and password") && !text.contains(SECRET), "{text}");
    assert!(error.again(), "whoever renews passwords may be at it");
    assert!(server.letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_a_server_that_is_not_who_it_should_be() {
    let (folder, _, server) = start(Protection::StartTls);
    let other = tempfile::tempdir().unwrap();
    let stranger = Authority::make(other.path());
    let rest = trust(&stranger) + &login(folder.path(), PASSWORD);
    let mail = channel("mail", &spec(&server, "StartTls", "ops@example.com", &rest));
    let error = mail.notifier.notify(&outage()).await.unwrap_err();
    assert!(error.again() && format!("{error}").contains("certificate"), "{error}");
    assert!(server.letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_offers_no_tls_is_sent_nothing_in_the_clear() {
    let (folder, authority, server) = start(Protection::Plain);
    let rest = trust(&authority) + &login(folder.path(), PASSWORD);
    let mail = channel("mail", &spec(&server, "StartTls", "ops@example.com", &rest));
    mail.notifier.notify(&outage()).await.unwrap_err();
    assert!(server.letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_is_busy_is_tried_again_and_one_that_is_not_there_is_not() {
    let (_folder, authority, server) = start(Protection::Tls);
    for (to, again) in [("busy@example.com", true), ("nobody@example.com", false)] {
        let mail = channel("mail", &spec(&server, "Tls", to, &trust(&authority)));
        let error = mail.notifier.notify(&outage()).await.unwrap_err();
        assert_eq!(error.again(), again, "{error}");
        assert_eq!(matches!(error, NotifyError::Refused { .. }), !again);
    }
}
