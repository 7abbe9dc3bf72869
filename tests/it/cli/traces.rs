//! Traces of runs, as a collector gets them.

use std::{
    io::Write as _,
    net::TcpListener,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{FAILOVER, Stage};
use crate::servers::{
    agent::{Agent, Answer},
    venv,
};

/// The version of the Python package that holds OpenTelemetry's own definition of the protocol; `.ci/install` names it too.
const PROTOCOL: &str = "1.45.2";

/// Reads an export request strictly by the protocol's definition, and says the names of its spans. In OTLP's JSON, ids are hexadecimal;
/// in Protobuf's they would be base64 (OTLP specification, "JSON Protobuf Encoding").
const READER: &str = "
import base64, json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
body = json.load(sys.stdin)
for resource in body['resourceSpans']:
    for scope in resource['scopeSpans']:
        for span in scope['spans']:
            for name in ('traceId', 'spanId', 'parentSpanId'):
                if name in span:
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
request = json_format.ParseDict(body, ExportTraceServiceRequest())
for span in request.resource_spans[0].scope_spans[0].spans:
    assert len(span.trace_id) == 16 and len(span.span_id) == 8 and span.end_time_unix_nano >= span.start_time_unix_nano
    print(span.name)
";

fn by_the_protocol(body: &str) -> String {
    let python = venv::program("opentelemetry-proto", PROTOCOL, "opentelemetry-proto", "python");
    let mut child = Command::new(python)
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
}

fn stage(endpoint: &str) -> Stage {
    let mut stage = Stage::new(json!({}));
    stage.settings = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-token=hush-hush".into()),
        ("OTEL_SERVICE_NAME", "dr".into()),
    ];
    stage
}

#[test]
fn a_run_that_ended_is_told_once_with_a_span_for_each_step_and_attempt() {
    let collector = Agent::start("127.0.0.1".parse().unwrap(), |_| Answer::Status(200));
    let stage = stage(&collector.url(""));
    let ended = stage.run(FAILOVER).with(0);
    let asked = collector.asked();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(asked.head.starts_with("POST /v1/traces "), "{}", asked.head);
    assert_eq!((asked.header("content-type"), asked.header("x-token")), (Some("application/json"), Some("hush-hush")));
    assert!(!asked.body.contains("hush-hush") && !ended.err.contains("hush-hush") && !ended.out.contains("hush-hush"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let resource = &body["resourceSpans"][0];
    assert_eq!(resource["resource"]["attributes"][0], json!({"key": "service.name", "value": {"stringValue": "dr"}}));
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    for name in ["failover orders-1", "fence-db", "fence-db, attempt 1", "promote-db", "promote-db, attempt 1"] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    let roots: Vec<_> = spans.iter().filter(|span| span.get("parentSpanId").is_none()).collect();
    assert_eq!(roots.len(), 1, "{names:?}");
    assert!(spans.iter().all(|span| span["traceId"] == roots[0]["traceId"]));
    assert_eq!(by_the_protocol(&asked.body), names.join("\n"));
    // A run that ended is not told again by whoever looks at it.
    stage.run("run show orders-1").with(0);
    stage.run("run resume orders-1").with(0);
    let bodies: Vec<_> = collector.asked().into_iter().map(|asked| asked.body).collect();
    assert!(bodies.iter().all(|again| *again == asked.body), "told twice, it is the same trace");
}

#[test]
fn a_collector_that_hangs_or_is_not_there_changes_nothing_about_a_run() {
    // It accepts, and never answers.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", hangs.local_addr().unwrap());
    for endpoint in [silent.as_str(), "http://127.0.0.1:9", "no url at all"] {
        let ended = stage(endpoint).run(FAILOVER).with(0);
        assert!(ended.err.contains("the collector was not told of this run"), "{endpoint}: {}", ended.err);
        assert!(!ended.err.contains("hush-hush"), "{}", ended.err);
    }
}
