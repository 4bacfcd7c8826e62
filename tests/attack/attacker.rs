//! An account of the attacker's, and what it may ask.

use super::{victim::Victim, world::World};
use crate::{harness::Gateway, people::Form, stories::Party};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

/// Questions that are asked at a time.
const AT_ONCE: usize = 4;
/// One selection against each audience that is seen, all audiences, and the union of those that are seen.
const QUESTION: &str = "query($a: ID!, $p: ID!, $mine: SelectionInput!, $seen: [ID!]!) {
    project(accountId: $a, id: $p) { discover(accountId: $a) {
        overlaps(mine: $mine, first: 100) { nodes { audience { name } index answer { ...read } } }
        all: compare(mine: $mine, theirs: { all: true }) { ...read }
        union: compare(mine: $mine, theirs: { audienceIds: $seen }) { ...read } } } }
    fragment read on OverlapAnswer { ... on Overlap { percentage keys {
        matchKey { kind } identities standardError share } } }";

/// What is read about one place; `None` where it is below the threshold.
#[derive(Clone, Copy, Default)]
pub struct Reading {
    pub identities: Option<f64>,
    pub standard_error: f64,
    pub share: f64,
    pub percentage: f64,
    pub index: f64,
}

/// All that is read about one selection.
pub struct Answers {
    /// By audience, then all of them.
    pub places: Vec<Reading>,
    pub union: Reading,
    pub seconds: f64,
}

pub struct Attacker {
    pub party: Party,
    pub project: String,
    seen: Vec<String>,
    asked: AtomicUsize,
    own: BTreeMap<String, String>,
}

impl Attacker {
    pub async fn create(gateway: &Gateway, name: &str, role: &str, victim: &Victim) -> Self {
        let party = Party::create(gateway, name, role).await;
        let project = victim.connect(&party).await;
        Self { party, project, seen: vec![], asked: AtomicUsize::new(0), own: BTreeMap::new() }
    }

    /// Sources one more file; its data connection.
    pub async fn source(&mut self, csv: String) -> String {
        let data_connection = self.party.source(csv, Form::Hashed).await;
        self.look_around().await;
        data_connection
    }

    /// Replaces a file.
    pub async fn refresh(&mut self, data_connection: &str, csv: String) {
        let job = self.party.refresh(data_connection, csv).await;
        assert_eq!(self.party.job(&job).await["state"], "DONE");
    }

    /// Deletes a file's audiences.
    pub async fn delete(&self, data_connection: &str) {
        let document = "mutation($input: DeleteDataConnectionInput!) { deleteDataConnection(input: $input) {
            userErrors { code message } } }";
        let input = json!({ "accountId": self.party.account, "dataConnectionId": data_connection });
        self.party.client.mutate(document, input).await;
    }

    /// Learns the ids of its own audiences and of those that it sees.
    async fn look_around(&mut self) {
        let query = "query($a: ID!, $after: String) { account(id: $a) { audiences(first: 100, after: $after) {
            nodes { id name } pageInfo { hasNextPage endCursor } } } }";
        let mut after = Value::Null;
        loop {
            let data = self.party.client.query(query, json!({ "a": self.party.account, "after": after })).await;
            let page = &data["account"]["audiences"];
            let text = |node: &Value, field: &str| node[field].as_str().unwrap().to_owned();
            self.own.extend(page["nodes"].as_array().unwrap().iter().map(|n| (text(n, "name"), text(n, "id"))));
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        let query = "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) { discover(accountId: $a) {
            overlaps(first: 100) { nodes { audience { id name } } } } } }";
        let data = self.party.client.query(query, json!({ "a": self.party.account, "p": self.project })).await;
        let nodes = data["project"]["discover"]["overlaps"]["nodes"].as_array().unwrap();
        let mut seen: Vec<_> =
            nodes.iter().map(|n| (n["audience"]["name"].as_str().unwrap(), n["audience"]["id"].clone())).collect();
        seen.sort_by_key(|(name, _)| *name);
        self.seen = seen.into_iter().map(|(_, id)| id.as_str().unwrap().to_owned()).collect();
    }

    /// The id of an audience that it sees.
    pub fn seen(&self, audience: usize) -> &str {
        &self.seen[audience]
    }

    pub fn own(&self, name: &str) -> &str {
        &self.own[name]
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    pub fn count_question(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks about a union of its own audiences, by their names.
    pub async fn ask(&self, mine: &[String]) -> Answers {
        self.asked.fetch_add(3, Ordering::Relaxed);
        let mine: Vec<_> = mine.iter().map(|name| self.own(name)).collect();
        let variables = json!({
            "a": self.party.account, "p": self.project, "mine": { "audienceIds": mine }, "seen": self.seen,
        });
        let begin = Instant::now();
        let data = self.party.client.query(QUESTION, variables).await;
        let seconds = begin.elapsed().as_secs_f64();
        let discover = &data["project"]["discover"];
        let mut nodes: Vec<_> = discover["overlaps"]["nodes"].as_array().unwrap().iter().collect();
        nodes.sort_by_key(|n| n["audience"]["name"].as_str().unwrap());
        let mut places: Vec<_> = nodes.into_iter().map(|n| read(&n["answer"], &n["index"])).collect();
        places.push(read(&discover["all"], &Value::Null));
        Answers { places, union: read(&discover["union"], &Value::Null), seconds }
    }

    /// Asks many questions, some at a time.
    pub async fn ask_all(&self, questions: Vec<Vec<String>>) -> Vec<Answers> {
        stream::iter(questions).map(|mine| async move { self.ask(&mine).await }).buffered(AT_ONCE).collect().await
    }

    /// The five audiences most worth reaching, best first.
    pub async fn top_five(&self) -> Vec<String> {
        self.count_question();
        let query = "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) { discover(accountId: $a) {
            relevantAudiences { audience { name } } } } }";
        let data = self.party.client.query(query, json!({ "a": self.party.account, "p": self.project })).await;
        let ranked = data["project"]["discover"]["relevantAudiences"].as_array().unwrap();
        ranked.iter().map(|r| r["audience"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn read(answer: &Value, index: &Value) -> Reading {
    let email =
        answer["keys"].as_array().and_then(|keys| keys.iter().find(|k| k["matchKey"]["kind"] == "HASHED_EMAIL"));
    let number = |field: &str| email.and_then(|key| key[field].as_f64());
    Reading {
        identities: number("identities"),
        standard_error: number("standardError").unwrap_or(0.0),
        share: number("share").unwrap_or(0.0),
        percentage: answer["percentage"].as_f64().unwrap_or(0.0),
        index: index.as_f64().unwrap_or(0.0),
    }
}

/// The name of the audience that has one subject alone.
pub fn alone(world: &World, subject: usize) -> String {
    format!("person {}", world.subjects[subject].person)
}
