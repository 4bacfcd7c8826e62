//! Two gateways on one PostgreSQL: subscribers of either hear of everything at once, and go on at the other one.

use crate::{
    harness::{Database, Gateway, Kind, Socket},
    stories::Party,
};
use rand::RngExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EVENTS: &str = "subscription($a: ID!, $after: String) { accountEvents(accountId: $a, after: $after) { cursor } }";
/// Before the first event.
const START: &str = "ZTA";

fn cursor(payload: &Value) -> String {
    payload["data"]["accountEvents"]["cursor"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
}

impl Party {
    /// Makes an event.
    async fn describe(&self, description: &str) {
        let document = "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) {
            userErrors { code message } } }";
        self.client.mutate(document, json!({ "accountId": self.account, "description": description })).await;
    }

    /// The cursors of so many events from the first on.
    async fn cursors(&self, base: &str, count: usize) -> Vec<String> {
        let variables = json!({ "a": self.account, "after": START });
        let mut socket = Socket::subscribe(base, &self.client.token, EVENTS, variables).await;
        let mut cursors = vec![];
        while cursors.len() < count {
            cursors.push(cursor(&socket.next().await.unwrap()));
        }
        cursors
    }
}

/// Half of the events would take longer than half a second if they were looked for each second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_reaches_subscribers_of_the_other_gateway_at_once() {
    if !Database::postgres_is_there() {
        return;
    }
    let one = Gateway::start(Kind::Postgres).await;
    let other = one.beside();
    let luma = Party::create(&one, "Luma", "ADVERTISER").await;
    luma.describe("Begins").await;
    let variables = json!({ "a": luma.account, "after": START });
    let mut socket = Socket::subscribe(&other.url, &luma.client.token, EVENTS, variables).await;
    socket.next().await.unwrap();
    let mut took = vec![];
    for n in 0..9 {
        luma.describe(&format!("Sports apparel {n}")).await;
        let committed = Instant::now();
        socket.next().await.unwrap();
        took.push(committed.elapsed());
    }
    took.sort_unstable();
    assert!(took[4] < Duration::from_millis(250), "{took:?}");
}

/// kill -9 in the middle of a stream of events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_of_a_killed_gateway_goes_on_at_the_other() {
    const EVENTS_IN_ALL: usize = 300;
    if !Database::postgres_is_there() {
        return;
    }
    let mut one = Gateway::start(Kind::Postgres).await;
    let other = one.beside();
    let luma = Party::create(&other, "Luma", "ADVERTISER").await;
    let writer = tokio::spawn({
        let luma = luma.clone();
        async move {
            for n in 0..EVENTS_IN_ALL {
                luma.describe(&format!("Sports apparel {n}")).await;
            }
        }
    });
    let (die_after, moment) = (rand::rng().random_range(1..EVENTS_IN_ALL / 2), rand::rng().random_range(0..20_000));
    let variables = json!({ "a": luma.account, "after": START });
    let mut socket = Socket::subscribe(&one.url, &luma.client.token, EVENTS, variables).await;
    let mut read = vec![];
    while read.len() < die_after {
        read.push(cursor(&socket.next().await.unwrap()));
    }
    tokio::time::sleep(Duration::from_micros(moment)).await;
    one.kill();
    while let Some(payload) = socket.next().await {
        read.push(cursor(&payload));
    }
    assert!(read.len() < EVENTS_IN_ALL, "it was killed too late: {die_after} and {moment} µs");
    let variables = json!({ "a": luma.account, "after": read.last().unwrap() });
    let mut socket = Socket::subscribe(&other.url, &luma.client.token, EVENTS, variables).await;
    while read.len() < EVENTS_IN_ALL {
        read.push(cursor(&socket.next().await.unwrap()));
    }
    writer.await.unwrap();
    assert_eq!(read, luma.cursors(&other.url, EVENTS_IN_ALL).await, "killed after {die_after} and {moment} µs");
}
