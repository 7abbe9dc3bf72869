//! The documents of a story, and how a run is asked for: by the program's own preparation, with the theatre's drivers.

use std::{fs, path::Path, sync::Arc};

use futures::future::BoxFuture;
use lifeboat::{
    app::{App, AppError, FilesAndEnvironment, Request, Settings, Tools},
    model::{Opened, RunKind},
    port::{Clock, Drivers, Health, Prober, Store},
    spec::ProbeSpec,
};
use serde_json::{Value, json};

use super::story::{Book, Story};
use crate::theatre::hall::Hall;

/// The probe of `fra` and `dub`: healthy where the database takes writes.
struct Looks(Arc<Hall>);

impl Prober for Looks {
    fn probe<'a>(&'a self, probe: &'a ProbeSpec) -> BoxFuture<'a, Health> {
        Box::pin(async move {
            tokio::time::sleep(super::play::PACE).await;
            let text = serde_json::to_string(probe).unwrap_or_default();
            let region = if text.contains("10.1.0.80") { "fra" } else { "dub" };
            if self.0.world().place(region).writable() {
                Health::Healthy { took: super::play::PACE }
            } else {
                Health::Silent { why: "no answer".into() }
            }
        })
    }
}

/// All documents as one text; JSON is YAML.
pub(super) fn documents(story: &Story) -> Result<String, String> {
    let header = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "lifeboat.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
            .to_string()
    };
    let region = |name: &str, network: u8| {
        let probe = json!({"name": "orders-http", "tcp": {"address": format!("10.{network}.0.80:443")}});
        header("Region", name, json!({"provider": "other", "probes": [probe]}))
    };
    let mut texts = vec![region("fra", 1), region("dub", 2)];
    let mut names = serde_json::Map::new();
    for (kind, usual) in
        [(RunKind::Failover, "short"), (RunKind::Switchover, "short-planned"), (RunKind::Failback, "short-planned")]
    {
        let book = story.runbooks.get(&kind).cloned().unwrap_or_else(|| Book::Named(usual.into()));
        let name = match book {
            Book::Named(name) => {
                let text = shipped(&name)?;
                if !texts.contains(&text) {
                    texts.push(text);
                }
                name
            }
            Book::Steps(steps) => {
                let name = format!("own-{kind}");
                texts.push(header("Runbook", &name, json!({"steps": steps})));
                name
            }
        };
        names.insert(kind.to_string(), name.into());
    }
    let policy = &story.group;
    texts.push(header(
        "ProtectionGroup",
        "orders",
        json!({
            "regions": [{"name": "fra", "role": "Preferred"}, {"name": "dub", "role": "Standby"}],
            "objectives": {"recoveryTimeSeconds": 300, "recoveryPointSeconds": policy.recovery_point_seconds},
            "targets": [
                {"name": "orders-db", "fake": {"capability": "database"}},
                {"name": "uploads", "fake": {"capability": "storage"}},
                {"name": "www", "fake": {"capability": "dns"}},
            ],
            "fencing": policy.fencing,
            "cooldownSeconds": policy.cooldown_seconds,
            "approvals": {"required": policy.approvals},
            "runbooks": names,
        }),
    ));
    Ok(texts.join("\n---\n"))
}

fn shipped(name: &str) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["runbooks", "tests/scenario/runbooks"]
        .iter()
        .find_map(|folder| fs::read_to_string(root.join(folder).join(format!("{name}.yaml"))).ok())
        .ok_or_else(|| format!("there is no runbook {name} in runbooks/ or tests/scenario/runbooks/"))
}

/// The documents in a file, checked.
pub(super) fn written(story: &Story, folder: &Path) -> Result<std::path::PathBuf, String> {
    let file = folder.join("documents.yaml");
    fs::write(&file, documents(story)?).map_err(|error| error.to_string())?;
    let (_, findings) = lifeboat::app::documents::examine(std::slice::from_ref(&file));
    let errors: Vec<_> =
        findings.iter().filter(|found| found.severity() == lifeboat::manifest::Severity::Error).cloned().collect();
    if errors.is_empty() {
        Ok(file)
    } else {
        Err(lifeboat::manifest::render(&errors, lifeboat::manifest::Look::default()))
    }
}

/// What the program does before it opens a run: documents, way, plan, cool-down, a look at the world, objections.
pub(super) async fn ask(
    hall: Arc<Hall>,
    settings: Settings,
    request: Request,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    drivers: Drivers,
) -> Result<Opened, String> {
    let tools =
        Tools { secrets: Arc::new(FilesAndEnvironment), clock: Arc::clone(&clock), prober: Arc::new(Looks(hall)) };
    let app = App { settings, store, clock, tools, shelf: std::sync::Arc::default() };
    let mut drawn = app.draw(request).await.map_err(|error| words(&error))?;
    drawn.drivers = drivers;
    let seen = app.witness(&drawn, &[]).await.map_err(|error| words(&error))?;
    drawn.objections(&seen).map_err(|error| words(&error))?;
    Ok(Opened { version: "test".into(), ..drawn.opened(seen.outage, seen.estimates) })
}

fn words(error: &AppError) -> String {
    if let AppError::Findings { findings } = error {
        return lifeboat::manifest::render(findings, lifeboat::manifest::Look::default());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
