//! Channels: exactly one way of telling, addresses that can be reached, a template that works.

use lettre::message::Mailbox;

use super::{Notes, World, address, region};
use crate::{
    decide,
    manifest::{code::Code, locate::Path, suggest},
    spec::{ChannelKind, NotificationChannelSpec, ProtectionGroupSpec, SmtpChannel, SmtpSecurity, TEMPLATE_NAMES},
};

pub(super) fn check(world: &World<'_>, notes: &mut Notes<'_, NotificationChannelSpec>) {
    let spec = &notes.document.spec;
    match spec.kind() {
        Err(bad) => region::choice(&bad, &Path::spec(), notes, "channel"),
        Ok(ChannelKind::Webhook(webhook)) => {
            region::check_url(&webhook.url, &["https", "http"], &Path::spec().key("webhook").key("url"), notes);
        }
        Ok(ChannelKind::PagerDuty(pagerduty)) => {
            region::check_url(&pagerduty.url, &["https", "http"], &Path::spec().key("pagerduty").key("url"), notes);
        }
        // Its URL is a secret, which nobody reads before there is something to tell.
        Ok(ChannelKind::Slack(_)) => {}
        Ok(ChannelKind::Smtp(smtp)) => mail(smtp, notes),
    }
    for (index, group) in spec.groups.iter().enumerate() {
        if world.documents.group(group).is_none() && !world.documents.is_broken::<ProtectionGroupSpec>(group) {
            let known = world.documents.groups.iter().map(|group| group.name.as_str());
            let help = suggest::help(group.as_str(), known, "load the file that declares it");
            let path = Path::spec().key("groups").at(index);
            notes.add(Code::UnknownChannelGroup, &path, format!("there is no group `{group}`"), help);
        }
    }
    if let Some(text) = &spec.template {
        template(text, notes);
    }
}

fn mail(smtp: &SmtpChannel, notes: &mut Notes<'_, NotificationChannelSpec>) {
    let path = Path::spec().key("smtp");
    if let Err(why) = address::name_and_port(&smtp.server) {
        let message = format!("`{}` is no address: {why}", smtp.server);
        notes.add(Code::BadAddress, &path.key("server"), message, "write `host:port`, such as mail.example.com:587");
    }
    let to = smtp.to.iter().enumerate().map(|(index, text)| (text, path.key("to").at(index)));
    for (text, path) in std::iter::once((&smtp.from, path.key("from"))).chain(to) {
        if text.parse::<Mailbox>().is_err() {
            notes.add(Code::BadMailAddress, &path, format!("`{text}` is no mail address"), "write name@host");
        }
    }
    if smtp.to.is_empty() {
        notes.add_at_key(Code::BadMailAddress, &path.key("to"), "nobody receives the message", "add an address");
    }
    match (&smtp.user, &smtp.password, smtp.security) {
        (None, None, _) | (Some(_), Some(_), SmtpSecurity::StartTls | SmtpSecurity::Tls) => {}
        (Some(_), Some(_), SmtpSecurity::None) => {
            let message = "the login would be sent in the clear";
            notes.add(Code::LoginInTheClear, &path.key("security"), message, "write StartTls or Tls");
        }
        (Some(_), None, _) => {
            let help = "add `password: {file: PATH}`, or leave the user out";
            notes.add(Code::LoginInTheClear, &path.key("user"), "the user has no password", help);
        }
        (None, Some(_), _) => {
            let help = "add `user:`, or leave the password out";
            notes.add(Code::LoginInTheClear, &path.key("password"), "the password has no user", help);
        }
    }
}

fn template(text: &str, notes: &mut Notes<'_, NotificationChannelSpec>) {
    let path = Path::spec().key("template");
    let names = match decide::compile_check_text(text) {
        Ok(names) => names,
        Err(error) => {
            return notes.add(Code::BadTemplate, &path, error.to_string(), "correct the text between the braces");
        }
    };
    let mut found = false;
    for name in names.iter().filter_map(|name| name.path.first()) {
        if !TEMPLATE_NAMES.contains(&name.as_str()) {
            found = true;
            let help = suggest::help(name, TEMPLATE_NAMES.iter().copied(), "see `lifeboat explain LB0701`");
            notes.add(Code::BadTemplate, &path, format!("no notice has a `{name}`"), help);
        }
    }
    // A trial with every name, so that a filter that cannot take a text is found now and not in the night.
    let trial = TEMPLATE_NAMES.iter().map(|name| ((*name).to_owned(), (*name).into())).collect();
    if let (false, Err(error)) = (found, decide::render(text, &serde_json::Value::Object(trial))) {
        notes.add(Code::BadTemplate, &path, error.to_string(), "every name is a text, which may be empty");
    }
}
