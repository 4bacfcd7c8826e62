//! A client of the GraphQL API.

use futures::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Asks with one key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    pub token: String,
}

impl Client {
    pub fn new(base: &str, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: base.to_owned(), token: token.to_owned() }
    }

    /// The same key at another address.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The whole response.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        self.try_ask(query, variables).await.expect("the gateway answers")
    }

    /// The whole response, or that the gateway did not answer.
    pub async fn try_ask(&self, query: &str, variables: Value) -> Result<Value, reqwest::Error> {
        let mut request = self.http.post(format!("{}/graphql", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let body = json!({ "query": query, "variables": variables });
        let response = request.json(&body).send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_else(|_| json!({ "status": status.as_u16(), "text": text })))
    }

    /// The whole response; for a subscription, by server-sent events, its first.
    pub async fn ask_or_subscribe(&self, document: &str, variables: Value) -> Value {
        if !document.starts_with("subscription") {
            return self.ask(document, variables).await;
        }
        let mut request = self.http.post(format!("{}/graphql", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let body = json!({ "query": document, "variables": variables });
        let sent = request.header("accept", "text/event-stream").json(&body).send().await.unwrap();
        let mut events = sent.bytes_stream();
        let mut text = String::new();
        while let Ok(Some(bytes)) = tokio::time::timeout(Duration::from_secs(10), events.next()).await {
            text.push_str(&String::from_utf8_lossy(&bytes.unwrap()));
            if let Some(data) =
                text.lines().find_map(|line| line.strip_prefix("data:")).filter(|_| text.contains("\n\n"))
            {
                return serde_json::from_str(data.trim()).unwrap_or_else(|_| json!({ "text": text }));
            }
        }
        serde_json::from_str(&text).unwrap_or_else(|_| json!({ "text": text }))
    }

    /// The data of a query that has no errors.
    pub async fn query(&self, query: &str, variables: Value) -> Value {
        let mut response = self.ask(query, variables).await;
        assert!(response.get("errors").is_none() && response.get("data").is_some(), "{query}\n{response:#}");
        response["data"].take()
    }

    /// The payload of a mutation, refused or not. The document takes `$input`.
    pub async fn press(&self, mutation: &str, input: Value) -> Value {
        let data = self.query(mutation, json!({ "input": input })).await;
        data.as_object().unwrap().values().next().unwrap().clone()
    }

    /// The payload of a mutation that is not refused.
    pub async fn mutate(&self, mutation: &str, input: Value) -> Value {
        let payload = self.press(mutation, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{mutation}");
        payload
    }

    /// The code with which a mutation is refused.
    pub async fn refused(&self, mutation: &str, input: Value) -> String {
        let payload = self.press(mutation, input).await;
        payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("not refused: {payload}")).to_owned()
    }

    /// Uploads bytes to an address that a mutation gave.
    pub async fn upload(&self, url: &str, bytes: impl Into<reqwest::Body>) -> reqwest::Response {
        self.http.put(url).body(bytes).send().await.unwrap()
    }

    /// A plain GET.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Asks again and again until an answer suits.
    pub async fn until(&self, query: &str, variables: Value, suits: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let data = self.query(query, variables.clone()).await;
            if suits(&data) {
                return data;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "waited in vain: {data:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
