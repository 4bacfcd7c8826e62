//! What operators see of a gateway that runs: traces, slow statements, figures, and the dashboard that shows them.

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    people::{self, Form},
    stories::{self, Party},
};
use entente_destination::testkit::FakeServer;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value as Attribute, trace::v1::Span,
};
use prost::Message;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const DASHBOARD: &str = include_str!("../docs/grafana.json");
const OPERATING: &str = include_str!("../docs/operating.md");

/// Spans that a collector was sent.
fn spans(collector: &FakeServer) -> Vec<Span> {
    let requests = collector.requests();
    let decoded = requests.iter().map(|request| {
        assert_eq!(
            (request.uri.path(), request.header("content-type")),
            ("/v1/traces", Some("application/x-protobuf"))
        );
        ExportTraceServiceRequest::decode(request.body.clone()).unwrap()
    });
    let resources = decoded.flat_map(|export| export.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Attribute::StringValue(text)) => text,
        Some(Attribute::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// Names of spans, with those of the spans that they are in, the outermost first.
fn paths(spans: &[Span]) -> BTreeSet<String> {
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.span_id.clone(), span)).collect();
    let path = |span: &Span| {
        let mut names = vec![span.name.clone()];
        let mut parent = by_id.get(&span.parent_span_id);
        while let Some(span) = parent {
            names.push(span.name.clone());
            parent = by_id.get(&span.parent_span_id);
        }
        names.reverse();
        names.join(" > ")
    };
    spans.iter().map(path).collect()
}

fn settings(name: &'static str, value: impl Into<String>) -> Options {
    Options { settings: vec![(name, value.into())] }
}

/// What nobody but the accounts may read: names, addresses, keys and identities.
fn tells_of_somebody(text: &str, party: &Party) -> bool {
    let digest = people::digest(&people::email(5_000));
    ["Luma", "TV Tube", "Running", "@", &party.client.token, &digest].iter().any(|word| text.contains(word))
}

on_both_databases! {
    /// From the request that a client traces, through its statements, to the job that it leads to and what a destination
    /// is asked for.
    async fn a_trace_leads_from_the_request_to_the_worker(kind: Kind) {
        let collector = FakeServer::start().unwrap();
        let mut gateway = Gateway::start_with(kind, settings("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url(""))).await;
        let (luma, tv_tube) = stories::two_sides(&gateway).await;
        let destination = tv_tube.create_destination().await;
        stories::deliver_runners(&luma, &tv_tube, &destination).await;

        let form = Form::Hashed;
        let upload = luma.upload(people::customers(0..9, form, people::luma)).await;
        let (_, first) = luma.create_data_connection(&upload, form).await;
        luma.job(&first).await;
        let query = "query Mine($a: ID!) { account(id: $a) { name dataConnections(first: 1) { nodes { id } } } }";
        let variables = json!({ "a": luma.account });
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = luma.client.http().post(format!("{}/graphql", gateway.url)).header("traceparent", trace);
        let asked = json!({ "query": query, "operationName": "Mine", "variables": variables });
        let answer = request.bearer_auth(&luma.client.token).json(&asked).send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["data"]["account"]["name"], "Luma");
        gateway.stop();

        let spans = spans(&collector);
        let traced: Vec<_> = spans.iter().filter(|s| hex::encode(&s.trace_id) == trace[3..35]).cloned().collect();
        let system = if kind == Kind::Sqlite { "sqlite" } else { "postgresql" };
        let paths_of_mine = paths(&traced);
        for path in ["POST /graphql", "POST /graphql > SELECT", "POST /graphql > query Mine > SELECT"] {
            assert!(paths_of_mine.contains(path), "{path} is not among {paths_of_mine:#?}");
        }
        for span in &traced {
            match span.name.as_str() {
                "POST /graphql" => {
                    assert_eq!(hex::encode(&span.parent_span_id), trace[36..52]);
                    assert_eq!(attribute(span, "http.response.status_code"), "200");
                }
                "SELECT" => {
                    assert_eq!(attribute(span, "db.system.name"), system);
                    assert!(attribute(span, "db.query.text").starts_with("SELECT "), "{span:?}");
                }
                _ => assert_eq!(attribute(span, "graphql.operation.type"), "query", "{span:?}"),
            }
        }
        let all = paths(&spans);
        for path in [
            "POST /graphql > mutation > refresh > UPDATE",
            "POST /graphql > mutation > deliver > open",
            "POST /graphql > mutation > deliver > write",
            "POST /graphql > mutation > deliver > finish",
        ] {
            assert!(all.contains(path), "{path} is not among {all:#?}");
        }
        assert!(!tells_of_somebody(&format!("{spans:?}"), &luma));
    }
}

on_both_databases! {
    async fn slow_statements_are_logged_without_what_is_bound_to_them(kind: Kind) {
        let gateway = Gateway::start_with(kind, settings("ENTENTE_SLOW_STATEMENT_MS", "0")).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let log = gateway.log();
        let slow: Vec<_> = log.lines().filter(|line| line.contains("a slow statement")).collect();
        for expected in ["INSERT INTO", "request{id=", "took_ms="] {
            assert!(slow.iter().any(|line| line.contains(expected)), "{expected} is not in {slow:#?}");
        }
        assert!(!tells_of_somebody(&slow.join("\n"), &luma));
    }
}

/// Every string in a part of the dashboard that says what is shown.
fn expressions(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// Words that begin as the names of figures do.
fn figures(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let family = |word: &str| {
        ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()
    };
    words.filter(|word| word.starts_with("entente_")).map(family).collect()
}

/// The dashboard asks for what there is, and the documentation tells of all of it.
#[tokio::test]
async fn the_dashboard_shows_figures_that_there_are() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let (luma, tv_tube) = stories::two_sides(&gateway).await;
    let destination = tv_tube.create_destination().await;
    stories::deliver_runners(&luma, &tv_tube, &destination).await;
    luma.client.ask("{ nothing }", json!({})).await;
    let text = gateway.anonymous().get("/metrics").await.text().await.unwrap();
    assert!(!tells_of_somebody(&text, &luma), "{text}");

    let there = figures(&text);
    let mut asked = vec![];
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut asked);
    assert!(asked.len() >= 12, "{asked:?}");
    for expression in asked {
        let names = figures(&expression);
        assert!(!names.is_empty() && names.is_subset(&there), "{expression} is not among {there:#?}");
    }
    let (_, told) = OPERATING.split_once("### Figures").unwrap();
    let told = figures(told.split_once("### Traces").unwrap().0);
    assert_eq!(there, told, "docs/operating.md tells of other figures");
    for labelled in [
        "entente_http_requests_total{route=\"/graphql\",status=\"200\"}",
        "entente_jobs_total{kind=\"deliver\",ended=\"done\"}",
        "entente_delivered_rows_total{destination=\"landing-zone\",outcome=\"accepted\"}",
        "entente_http_request_seconds_bucket{route=\"/graphql\",le=\"0.0005\"}",
    ] {
        assert!(text.contains(labelled), "{labelled} is not in {text}");
    }
}
