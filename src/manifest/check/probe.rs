//! Probes: ranges, addresses, and settings that cannot mean anything together.

use super::{
    Notes, address,
    region::{check_server, check_url, choice},
};
use crate::{
    manifest::{code::Code, document::Kind, locate::Path},
    spec::{
        CommandProbe, DnsProbe, HttpProbe, KubernetesProbe, MysqlProbe, ProbeHeader, ProbeKind, ProbeMethod, ProbeSpec,
        PrometheusProbe,
    },
};

pub(super) fn check<T: Kind>(probe: &ProbeSpec, path: &Path, notes: &mut Notes<'_, T>) {
    check_times(probe, path, notes);
    match probe.kind() {
        Err(bad) => choice(&bad, path, notes, "probe"),
        Ok(ProbeKind::Http(http)) => check_http(http, &path.key("http"), notes),
        Ok(ProbeKind::Tcp(tcp)) => check_address(&tcp.address, &path.key("tcp"), notes),
        Ok(ProbeKind::Dns(dns)) => check_dns(dns, &path.key("dns"), notes),
        Ok(ProbeKind::Sql(sql)) => {
            check_url(&sql.url, &["postgres", "postgresql"], &path.key("sql").key("url"), notes);
        }
        Ok(ProbeKind::Mysql(mysql)) => check_mysql(mysql, &path.key("mysql"), notes),
        Ok(ProbeKind::Redis(redis)) => {
            let path = path.key("redis");
            check_address(&redis.address, &path, notes);
            if redis.user.is_some() && redis.password.is_none() {
                bad(notes, &path.key("user"), "the user has no password", "add `password: {file: PATH}`");
            }
        }
        Ok(ProbeKind::Prometheus(prometheus)) => check_prometheus(prometheus, &path.key("prometheus"), notes),
        Ok(ProbeKind::Kubernetes(kubernetes)) => check_kubernetes(kubernetes, &path.key("kubernetes"), notes),
        Ok(ProbeKind::Command(command)) => check_command(command, &path.key("command"), notes),
    }
}

fn bad<T: Kind>(notes: &mut Notes<'_, T>, path: &Path, message: impl Into<String>, help: &str) {
    notes.add(Code::BadProbe, path, message.into(), help);
}

fn out_of_range<T: Kind>(notes: &mut Notes<'_, T>, path: &Path, message: String, help: &str) {
    notes.add(Code::OutOfRange, path, message, help);
}

fn check_times<T: Kind>(probe: &ProbeSpec, path: &Path, notes: &mut Notes<'_, T>) {
    if !(1..=60_000).contains(&probe.timeout_ms) {
        let message = format!("a probe may take 1 to 60000 milliseconds, found {}", probe.timeout_ms);
        out_of_range(notes, &path.key("timeoutMs"), message, "two seconds are usual: 2000");
    }
    if let Some(limit) = probe.degraded_ms
        && !(1..probe.timeout_ms.max(2)).contains(&limit)
    {
        let message = format!(
            "`degradedMs` is 1 to less than `timeoutMs`, found {limit} with a timeout of {}: what takes longer than the \
             timeout is silent, never degraded",
            probe.timeout_ms
        );
        out_of_range(notes, &path.key("degradedMs"), message, "a quarter of the timeout is a start");
    }
    if let Some(period) = probe.period_seconds.filter(|period| !(0.05..=3_600.0).contains(period)) {
        let message = format!("a period is 0.05 to 3600 seconds, found {period}");
        out_of_range(notes, &path.key("periodSeconds"), message, "leave it out to use the group's detection");
    }
    for (key, threshold) in
        [("failureThreshold", probe.failure_threshold), ("successThreshold", probe.success_threshold)]
    {
        if let Some(times) = threshold.filter(|times| !(1..=100).contains(times)) {
            let message = format!("a threshold is 1 to 100 probes in a row, found {times}");
            out_of_range(notes, &path.key(key), message, "3 to fall and 1 to rise are usual");
        }
    }
}

fn check_address<T: Kind>(text: &str, path: &Path, notes: &mut Notes<'_, T>) {
    if let Err(why) = address::name_and_port(text) {
        let message = format!("`{text}` is no address: {why}");
        notes.add(Code::BadAddress, &path.key("address"), message, "write `host:port`");
    }
}

fn check_http<T: Kind>(http: &HttpProbe, path: &Path, notes: &mut Notes<'_, T>) {
    check_url(&http.url, &["http", "https"], &path.key("url"), notes);
    if let Some(status) = http.expect_status.filter(|status| !(100..=599).contains(status)) {
        let message = format!("a status is 100 to 599, found {status}");
        out_of_range(notes, &path.key("expectStatus"), message, "200 is usual");
    }
    if let Some(most) = http.follow_redirects.filter(|most| *most > 10) {
        let message = format!("at most 10 redirects are followed, found {most}");
        out_of_range(notes, &path.key("followRedirects"), message, "1 or 2 are usual");
    }
    if let Some(days) = http.min_certificate_days {
        let path = path.key("minCertificateDays");
        if !(1..=365).contains(&days) {
            out_of_range(notes, &path, format!("a certificate's days are 1 to 365, found {days}"), "14 is usual");
        }
        if http.url.starts_with("http://") && http.follow_redirects.unwrap_or(0) == 0 {
            bad(notes, &path, "a server that is asked by http shows no certificate", "ask by https, or leave it out");
        }
    }
    if http.method == Some(ProbeMethod::Head) && http.expect_body.is_some() {
        bad(notes, &path.key("expectBody"), "the answer to HEAD has no body", "ask by GET, or leave it out");
    }
    for (index, header) in http.headers.iter().enumerate() {
        check_header(header, &path.key("headers").at(index), notes);
    }
}

/// Names are tokens (RFC 9110 section 5.6.2), values visible text (section 5.5).
fn check_header<T: Kind>(header: &ProbeHeader, path: &Path, notes: &mut Notes<'_, T>) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if header.name.is_empty() || !header.name.bytes().all(token) {
        let message = format!("`{}` is no name of a header", header.name);
        bad(notes, &path.key("name"), message, "letters, digits and `-` are usual");
    }
    match (&header.value, &header.secret) {
        (Some(value), None) if value.chars().any(|c| c.is_control() && c != '\t') => {
            bad(notes, &path.key("value"), "the value has a character that cannot be sent", "write one line of text");
        }
        (Some(_), None) | (None, Some(_)) => {}
        (None, None) => bad(notes, path, "the header has no value", "add `value`, or `secret: {file: PATH}`"),
        (Some(_), Some(_)) => bad(notes, path, "the header has two values", "keep one of `value` and `secret`"),
    }
}

fn check_dns<T: Kind>(dns: &DnsProbe, path: &Path, notes: &mut Notes<'_, T>) {
    match (&dns.server, dns.servers.is_empty()) {
        (Some(server), true) => check_server(server, &path.key("server"), notes),
        (None, false) => {
            for (index, server) in dns.servers.iter().enumerate() {
                check_server(server, &path.key("servers").at(index), notes);
            }
        }
        (None, true) => bad(notes, path, "no server is named", "add `server: IP:PORT`, or a list `servers`"),
        (Some(_), false) => bad(notes, path, "`server` and `servers` are given together", "keep one of them"),
    }
    if !address::is_host_name(&dns.name) {
        let message = format!("`{}` is no name", dns.name);
        notes.add(Code::BadAddress, &path.key("name"), message, "write the full name to ask for");
    }
}

fn check_mysql<T: Kind>(mysql: &MysqlProbe, path: &Path, notes: &mut Notes<'_, T>) {
    check_address(&mysql.address, path, notes);
    if mysql.user.is_empty() {
        bad(notes, &path.key("user"), "no account is named", "name one that may log in; it needs no rights");
    }
}

fn check_prometheus<T: Kind>(prometheus: &PrometheusProbe, path: &Path, notes: &mut Notes<'_, T>) {
    check_url(&prometheus.url, &["http", "https"], &path.key("url"), notes);
    if prometheus.expr.trim().is_empty() {
        bad(notes, &path.key("expr"), "the query is empty", "write a PromQL query that gives a number");
    }
    match (prometheus.above, prometheus.below) {
        (None, None) => {
            bad(notes, path, "nothing says which values are healthy", "add `above`, `below`, or both");
        }
        (Some(above), Some(below)) if above >= below => {
            let message = format!("no value is above {above} and below {below}");
            bad(notes, &path.key("above"), message, "exchange the two, or keep one");
        }
        (Some(_), _) | (None, Some(_)) => {}
    }
}

fn check_kubernetes<T: Kind>(kubernetes: &KubernetesProbe, path: &Path, notes: &mut Notes<'_, T>) {
    check_url(&kubernetes.url, &["https", "http"], &path.key("url"), notes);
    match (&kubernetes.certificate, &kubernetes.key) {
        (Some(_), None) => bad(notes, &path.key("certificate"), "the certificate has no key", "add `key: PATH`"),
        (None, Some(_)) => bad(notes, &path.key("key"), "the key has no certificate", "add `certificate: PATH`"),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if let Some(deployment) = &kubernetes.deployment {
        for (key, text) in [("namespace", &deployment.namespace), ("name", &deployment.name)] {
            if !address::is_host_name(text) {
                let message = format!("`{text}` is no name of a Kubernetes object");
                bad(notes, &path.key("deployment").key(key), message, "a-z, 0-9 and `-`");
            }
        }
        if let Some(least) = deployment.min_ready.filter(|least| !(1..=100_000).contains(least)) {
            let path = path.key("deployment").key("minReady");
            out_of_range(notes, &path, format!("`minReady` is 1 to 100000 replicas, found {least}"), "1 is usual");
        }
    }
}

fn check_command<T: Kind>(command: &CommandProbe, path: &Path, notes: &mut Notes<'_, T>) {
    if command.run.first().is_none_or(String::is_empty) {
        bad(notes, &path.key("run"), "no program is named", "write `run: [PROGRAM, ARGUMENT, …]`");
    }
}
