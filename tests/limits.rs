//! What an operator limits: requests, their size, which documents are answered, what they may cost, which pages may ask.

use crate::{
    harness::{Client, Gateway, Kind, Options, Socket},
    stories::Party,
};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const WHO: &str = "{ viewer { kind } }";
const CREATE: &str = "mutation($input: CreateUserInput!) { createUser(input: $input) { userErrors { code } } }";

async fn gateway(settings: &[(&'static str, &str)]) -> Gateway {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Gateway::start_with(Kind::Sqlite, Options { settings }).await
}

fn hash(document: &str) -> String {
    hex::encode(Sha256::digest(document))
}

/// A request that names its document, and has it where one is given.
fn persisted(hash: &str, document: Option<&str>) -> Value {
    let mut request = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } });
    if let Some(document) = document {
        request["query"] = document.into();
    }
    request
}

fn post(client: &Client, body: &Value) -> RequestBuilder {
    client.http().post(format!("{}/graphql", client.base())).bearer_auth(&client.token).json(body)
}

fn get(client: &Client, parameters: &[(&str, &str)]) -> RequestBuilder {
    let mut url = reqwest::Url::parse(&format!("{}/graphql", client.base())).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    client.http().get(url).bearer_auth(&client.token)
}

async fn answer(request: RequestBuilder) -> Value {
    request.send().await.unwrap().json().await.unwrap()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Each answer says how many requests a key has left, over a socket as well they count, and 429 says how long to wait.
#[tokio::test]
async fn a_key_is_told_how_it_stands() {
    let gateway = gateway(&[("ENTENTE_REQUESTS_PER_MINUTE", "6")]).await;
    let operator = gateway.operator();
    let body = json!({ "query": WHO });
    for left in ["5", "4", "3"] {
        let response = post(&operator, &body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "ratelimit-policy"), Some("\"requests\";q=6;w=60"));
        let standing = header(&response, "ratelimit").unwrap();
        assert!(standing.starts_with(&format!("\"requests\";r={left};t=")), "{standing}");
    }
    // Opening a socket counts, and so does each of its operations.
    let mut socket = Socket::subscribe(&gateway.url, &operator.token, WHO, json!({})).await;
    assert_eq!(socket.next().await.unwrap()["data"]["viewer"]["kind"], "OPERATOR");
    let refused = Socket::subscribe(&gateway.url, &operator.token, WHO, json!({})).await.next().await.unwrap();
    assert_eq!(code(&refused), "RATE_LIMITED", "{refused}");
    let response = post(&operator, &body).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let wait: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(header(&response, "ratelimit").unwrap().starts_with("\"requests\";r=0;t="));
    assert_eq!(code(&response.json().await.unwrap()), "RATE_LIMITED");
    let nobody = gateway.anonymous().get("/graphql?query=%7B__typename%7D").await;
    assert!(header(&nobody, "ratelimit-policy").is_some() && header(&nobody, "ratelimit").is_none());
}

/// What is too long, several requests in one, and what costs too much are refused by a code, and a cost by its sum.
#[tokio::test]
async fn what_is_too_much_is_refused_by_a_code() {
    let gateway = gateway(&[]).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await.client;
    let long = json!({ "query": WHO, "variables": { "picture": "A".repeat(2 << 20) } });
    let response = post(&luma, &long).send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(code(&response.json().await.unwrap()), "REQUEST_TOO_LARGE");
    let batch = post(&luma, &json!([{ "query": WHO }, { "query": WHO }])).send().await.unwrap();
    assert_eq!(batch.status(), 400);
    assert_eq!(code(&batch.json().await.unwrap()), "BATCHING_NOT_SUPPORTED");

    let dear = |accounts: u32| {
        format!(
            "query Dear {{ viewer {{ accounts(first: {accounts}) {{ nodes {{ connections(first: 100) {{ nodes {{
                projects {{ nodes {{ name }} }} }} }} }} }} }} }}"
        )
    };
    let refused = luma.ask(&dear(100), json!({})).await;
    let cost = &refused["errors"][0]["extensions"]["cost"];
    // accounts, nodes, connections, nodes, projects, nodes and the name.
    let name_of_projects = 1 + 20 * 2;
    let expected = 1 + 1 + 100 * (1 + 1 + 100 * (1 + name_of_projects));
    assert_eq!(code(&refused), "TOO_COMPLEX", "{refused}");
    assert_eq!(*cost, json!({ "requested": expected, "allowed": 100_000 }));
    assert!(refused["errors"][0]["extensions"]["requestId"].is_string());
    assert!(luma.ask(&dear(20), json!({})).await.get("errors").is_none());
    let mut socket = Socket::subscribe(&gateway.url, &luma.token, &dear(100), json!({})).await;
    assert_eq!(socket.next().await.unwrap()["errors"][0]["extensions"]["cost"], *cost);
}

/// A client that sends the hash of a document first sends the document once.
#[tokio::test]
async fn documents_are_asked_for_by_their_hash() {
    let gateway = gateway(&[]).await;
    let operator = gateway.operator();
    let by_hash = persisted(&hash(WHO), None);
    let unknown = answer(post(&operator, &by_hash)).await;
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND");
    let wrong = post(&operator, &persisted(&hash("{ __typename }"), Some(WHO))).send().await.unwrap();
    assert_eq!(wrong.status(), 400);
    let expected = json!({ "data": { "viewer": { "kind": "OPERATOR" } } });
    assert_eq!(answer(post(&operator, &persisted(&hash(WHO), Some(WHO)))).await, expected);
    assert_eq!(answer(post(&operator, &by_hash)).await, expected);
    let extensions = by_hash["extensions"].to_string();
    assert_eq!(answer(get(&operator, &[("extensions", &extensions)])).await, expected);

    // A mutation does not become a query by its hash.
    let input = json!({ "input": { "email": "new@luma.example", "name": "New" } });
    let mut mutation = persisted(&hash(CREATE), Some(CREATE));
    mutation["variables"] = input.clone();
    assert_eq!(answer(post(&operator, &mutation)).await["data"]["createUser"]["userErrors"], json!([]));
    let extensions = mutation["extensions"].to_string();
    let parameters = [("extensions", extensions.as_str()), ("variables", &input.to_string())];
    assert_eq!(get(&operator, &parameters).send().await.unwrap().status(), 405);
}

/// With `documents_only` a gateway answers what is in the operator's file, by its hash or in full, and nothing else.
#[tokio::test]
async fn only_documents_of_the_file_are_answered() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ hash(WHO): WHO }).to_string()).unwrap();
    let gateway =
        gateway(&[("ENTENTE_DOCUMENTS", file.path().to_str().unwrap()), ("ENTENTE_DOCUMENTS_ONLY", "true")]).await;
    let operator = gateway.operator();
    let other = "{ __typename }";
    let listed = [persisted(&hash(WHO), None), persisted(&hash(WHO), Some(WHO)), json!({ "query": WHO })];
    let not_listed = [persisted(&hash(other), None), persisted(&hash(other), Some(other)), json!({ "query": other })];
    for body in listed {
        let socket = Socket::open(&gateway.url, &operator.token, &body).await.next().await.unwrap();
        assert_eq!(answer(post(&operator, &body)).await["data"]["viewer"]["kind"], "OPERATOR", "{body}");
        assert_eq!(socket["data"]["viewer"]["kind"], "OPERATOR", "{body}");
    }
    for body in not_listed {
        let socket = Socket::open(&gateway.url, &operator.token, &body).await.next().await.unwrap();
        assert_eq!(code(&answer(post(&operator, &body)).await), "DOCUMENT_NOT_ALLOWED", "{body}");
        assert_eq!(code(&socket), "DOCUMENT_NOT_ALLOWED", "{body}");
    }
    assert_eq!(code(&answer(get(&operator, &[("query", other)])).await), "DOCUMENT_NOT_ALLOWED");
    let events = post(&operator, &json!({ "query": other })).header("accept", "text/event-stream");
    assert_eq!(code(&answer(events).await), "DOCUMENT_NOT_ALLOWED");
}

/// A file that says something else than it is stops the start, and so does the mode without a file.
#[tokio::test]
async fn a_gateway_does_not_start_with_a_wrong_file_of_documents() {
    let mut gateway = gateway(&[]).await;
    gateway.stop();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ hash("{ __typename }"): WHO }).to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    for (setting, value, says) in
        [("ENTENTE_DOCUMENTS", path, "is not the SHA-256"), ("ENTENTE_DOCUMENTS_ONLY", "true", "it needs a file")]
    {
        let (started, said) = gateway.run(&["serve"], &[(setting, value)]);
        assert!(!started && said.contains(says), "{said}");
    }
}

/// Switched off, introspection is refused wherever it is asked for, and a mistake is not told what would be right.
#[tokio::test]
async fn introspection_can_be_switched_off() {
    let gateway = gateway(&[("ENTENTE_INTROSPECTION", "false")]).await;
    let operator = gateway.operator();
    let hidden = "{ ...f } fragment f on Query { __type(name: \"Account\") { name } }";
    for document in ["{ __schema { types { name } } }", hidden] {
        assert_eq!(code(&operator.ask(document, json!({})).await), "INTROSPECTION_DISABLED");
        let mut socket = Socket::subscribe(&gateway.url, &operator.token, document, json!({})).await;
        assert_eq!(code(&socket.next().await.unwrap()), "INTROSPECTION_DISABLED");
    }
    assert_eq!(operator.query("{ __typename viewer { kind } }", json!({})).await["__typename"], "Query");
    let mistaken = operator.ask("{ viewr { kind } }", json!({})).await;
    assert!(!mistaken["errors"][0]["message"].as_str().unwrap().contains("viewer"), "{mistaken}");
}

/// A page of a listed origin may ask and read how it stands; others may not, and nobody with a browser's own credentials.
#[tokio::test]
async fn pages_of_listed_origins_may_ask() {
    const ORIGIN: &str = "access-control-allow-origin";
    let gateway = gateway(&[("ENTENTE_CORS_ORIGINS", "https://app.luma.example, http://localhost:3000")]).await;
    let operator = gateway.operator();
    let url = format!("{}/graphql", gateway.url);
    for (origin, allowed) in [
        ("https://app.luma.example", true),
        ("http://localhost:3000", true),
        ("https://app.luma.example.evil.example", false),
        ("null", false),
    ] {
        let expected = allowed.then_some(origin);
        let preflight = operator.http().request(reqwest::Method::OPTIONS, &url).header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST");
        let preflight = preflight.header("access-control-request-headers", "authorization,content-type").send().await;
        let preflight = preflight.unwrap();
        assert_eq!(preflight.status(), 200);
        assert_eq!(header(&preflight, ORIGIN), expected, "{origin}");
        assert!(header(&preflight, "access-control-allow-headers").unwrap().contains("authorization"));
        let asked = post(&operator, &json!({ "query": WHO })).header("origin", origin).send().await.unwrap();
        assert_eq!(header(&asked, ORIGIN), expected, "{origin}");
        assert!(header(&asked, "access-control-expose-headers").unwrap().contains("ratelimit"));
        assert!(header(&asked, "access-control-allow-credentials").is_none());
    }
}
