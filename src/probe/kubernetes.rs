//! A Kubernetes API server is ready, or a Deployment in it has enough ready replicas.
//!
//! Without a Deployment the API server is the thing itself, and a closed port is *unhealthy*. With one it is a witness: when it
//! does not answer, the replicas may serve all the same, so that is *silent*. A token or certificate of ours that is refused is
//! *silent* in both cases: it says nothing about readiness.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use super::{
    Asks, Found, Ill,
    prometheus::{fetch, with_bearer},
    trust::Authorities,
    web::{self, Site},
};
use crate::{
    port::Secrets,
    spec::{KubernetesDeployment, KubernetesProbe},
};

/// A Deployment with a long pod template.
const MOST: usize = 1024 * 1024;

pub(super) struct Kubernetes {
    spec: KubernetesProbe,
    site: Site,
    secrets: Arc<dyn Secrets>,
}

impl Kubernetes {
    pub(super) fn new(
        spec: &KubernetesProbe,
        authorities: &Authorities,
        secrets: Arc<dyn Secrets>,
    ) -> Result<Self, Ill> {
        let mut url = web::url(&spec.url)?;
        let path = match &spec.deployment {
            Some(at) => format!("/apis/apps/v1/namespaces/{}/deployments/{}", at.namespace, at.name),
            None => "/readyz".to_owned(),
        };
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        let identity = spec.certificate.as_deref().zip(spec.key.as_deref());
        let site = Site::new(&url, || authorities.of(spec.ca.as_deref(), identity))?;
        Ok(Self { spec: spec.clone(), site, secrets })
    }

    async fn once(&self) -> Result<Found, Ill> {
        let shown = &self.site.place.shown;
        let headers = with_bearer(self.spec.bearer.as_ref(), self.secrets.as_ref(), shown)?;
        let answered = fetch(&self.site, &headers, MOST).await;
        match (answered, &self.spec.deployment) {
            (Ok((status, body)), None) => ready(shown, status, &body),
            (Ok((status, body)), Some(at)) => replicas(at, shown, status, &body),
            (Err(ill), None) => Err(ill),
            (Err(Ill::Unhealthy(why) | Ill::Silent(why)), Some(_)) => Err(Ill::Silent(why)),
        }
    }
}

impl Asks for Kubernetes {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(self.once())
    }

    fn shown(&self) -> &str {
        &self.site.place.shown
    }
}

/// Our own credentials are refused.
fn refused(shown: &str, status: u16) -> Option<Ill> {
    matches!(status, 401 | 403)
        .then(|| Ill::Silent(format!("{shown} does not let us ask: status {status}; look at the token and its role")))
}

/// Kubernetes, "API health endpoints": status 200 is ready; the body names what is not.
fn ready(shown: &str, status: u16, body: &[u8]) -> Result<Found, Ill> {
    if let Some(ill) = refused(shown, status) {
        return Err(ill);
    }
    if status == 200 {
        return Ok(Found::Well);
    }
    let body = String::from_utf8_lossy(body);
    let failed: Vec<_> = body.lines().filter(|line| line.starts_with("[-]")).take(5).collect();
    Err(Ill::Unhealthy(format!("{shown}: expected status 200, found {status} {}", failed.join(" "))))
}

/// `apps/v1` Deployment: `spec.replicas` are wanted (default 1), `status.readyReplicas` are there (absent: none).
fn replicas(at: &KubernetesDeployment, shown: &str, status: u16, body: &[u8]) -> Result<Found, Ill> {
    if let Some(ill) = refused(shown, status) {
        return Err(ill);
    }
    if status == 404 {
        return Err(Ill::Unhealthy(format!("{shown}: there is no Deployment {}/{}", at.namespace, at.name)));
    }
    let silent = |why: &str| Err(Ill::Silent(format!("{shown}: {why}; nothing is known of the replicas")));
    if status != 200 {
        return silent(&format!("expected status 200, found {status}"));
    }
    let Ok(found) = serde_json::from_slice::<Value>(body) else { return silent("the answer is no JSON") };
    if found["kind"] != "Deployment" {
        return silent("the answer is no Deployment");
    }
    let ready = found["status"]["readyReplicas"].as_u64().unwrap_or(0);
    let wanted = found["spec"]["replicas"].as_u64().unwrap_or(1);
    let least = u64::from(at.min_ready.unwrap_or(1));
    if ready < least {
        Err(Ill::Unhealthy(format!("{shown}: expected {least} ready replicas, found {ready} of {wanted}")))
    } else if ready < wanted {
        Ok(Found::Weak(format!("{shown}: expected {wanted} ready replicas, found {ready}")))
    } else {
        Ok(Found::Well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(found: &Result<Found, Ill>) -> &'static str {
        match found {
            Ok(Found::Well) => "well",
            Ok(Found::Weak(_)) => "weak",
            Err(Ill::Unhealthy(_)) => "unhealthy",
            Err(Ill::Silent(_)) => "silent",
        }
    }

    #[test]
    fn ready_replicas_are_counted_against_the_least_and_the_wanted() {
        let at = |least| KubernetesDeployment { namespace: "shop".into(), name: "orders".into(), min_ready: least };
        let body = |wanted: u32, ready: &str| {
            format!(r#"{{"kind":"Deployment","spec":{{"replicas":{wanted}}},"status":{{"replicas":{wanted}{ready}}}}}"#)
        };
        let cases = [
            (None, 200, body(3, r#","readyReplicas":3"#), "well"),
            (None, 200, body(3, r#","readyReplicas":2"#), "weak"),
            (None, 200, body(3, ""), "unhealthy"),
            (None, 200, body(0, ""), "unhealthy"),
            (Some(2), 200, body(3, r#","readyReplicas":1"#), "unhealthy"),
            (Some(2), 200, body(3, r#","readyReplicas":2"#), "weak"),
            (None, 404, r#"{"kind":"Status"}"#.into(), "unhealthy"),
            (None, 403, r#"{"kind":"Status"}"#.into(), "silent"),
            (None, 500, String::new(), "silent"),
            (None, 200, "ok".into(), "silent"),
            (None, 200, "{}".into(), "silent"),
        ];
        for (least, status, body, expected) in cases {
            assert_eq!(word(&replicas(&at(least), "x", status, body.as_bytes())), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_api_server_says_what_is_not_ready() {
        let body = b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n";
        let found = ready("x", 500, body);
        assert!(matches!(&found, Err(Ill::Unhealthy(why)) if why.contains("[-]etcd failed")), "{found:?}");
        assert_eq!(word(&ready("x", 200, b"ok")), "well");
        assert_eq!(word(&ready("x", 401, b"")), "silent");
    }
}
