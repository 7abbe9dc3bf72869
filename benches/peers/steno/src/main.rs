//! No-op actions of one steno saga, each event synced to a file before the next: `compare-steno chain|fan-out STEPS FILE`.

use std::{
    fs::File,
    io::Write,
    sync::{Arc, Mutex},
};

use newtype_uuid::GenericUuid;
use steno::*;

#[derive(Debug)]
struct Saga;
#[derive(Debug)]
struct Context;
impl SagaType for Saga {
    type ExecContextType = Context;
}

async fn act(_: ActionContext<Saga>) -> Result<u64, ActionError> {
    Ok(1)
}
async fn undo(_: ActionContext<Saga>) -> Result<(), anyhow::Error> {
    Ok(())
}

/// What steno leaves to its user: where events are kept.
#[derive(Debug)]
struct Journal(Mutex<File>);

#[async_trait::async_trait]
impl SecStore for Journal {
    async fn saga_create(&self, _: SagaCreateParams) -> Result<(), anyhow::Error> {
        Ok(())
    }
    async fn record_event(&self, event: SagaNodeEvent) {
        let mut line = serde_json::to_vec(&event).expect("an event");
        line.push(b'\n');
        let mut file = self.0.lock().expect("the file");
        file.write_all(&line).and_then(|()| file.sync_data()).expect("a durable event");
    }
    async fn saga_update(&self, _: SagaId, _: SagaCachedState) {}
}

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, shape, steps, file] = words.as_slice() else { panic!("compare-steno chain|fan-out STEPS FILE") };
    let steps: usize = steps.parse().expect("a number of steps");
    let action = ActionFunc::new_action("noop", act, undo);
    let mut registry: ActionRegistry<Saga> = ActionRegistry::new();
    registry.register(action.clone());
    let node = |n: usize| Node::action(format!("s{n}"), format!("s{n}"), &*action);
    let mut dag = DagBuilder::new(SagaName::new("compare"));
    if shape == "chain" {
        (0..steps).for_each(|n| dag.append(node(n)));
    } else {
        dag.append_parallel((0..steps).map(node).collect());
        dag.append(node(steps));
    }
    let dag = Arc::new(SagaDag::new(dag.build().expect("a dag"), serde_json::Value::Null));
    let journal = Arc::new(Journal(Mutex::new(File::create(file).expect("a journal"))));
    let sec = sec(slog::Logger::root(slog::Discard, slog::o!()), journal);
    let id = SagaId::from_untyped_uuid(uuid::Uuid::new_v4());
    let end = sec.saga_create(id, Arc::new(Context), dag, Arc::new(registry)).await.expect("a saga");
    sec.saga_start(id).await.expect("a start");
    end.await.kind.expect("success");
}
