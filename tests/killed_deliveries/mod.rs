//! kill -9 of workers and gateways at random moments of deliveries to real servers, and servers that go away themselves:
//! every identity arrives once, nothing half-written ever has a final name, and the API counts what is there.
//!
//! `ENTENTE_TEST_KILLS=100 cargo test --release --workspace --test workflows killed_deliveries` kills 100 times per server.
//! The moments are drawn from a seed, which is printed when a test fails; `ENTENTE_TEST_SEED` draws them again.

mod blows;
mod servers;
mod worker;

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    people::{self, Form},
    stories::{ACTIVATE, Party, today},
};
use blows::{Blow, Phase, Tally, Target, blows, parts};
use entente_destination::testkit::delivered;
use entente_test_servers::{Files, by_last_name, s3::S3};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use serde_json::{Value, json};
use servers::{LandingZone, Server, container, openssh};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use worker::{runs, worker_of};

/// Few, so that a delivery has many batches.
const BATCH_ROWS: usize = 100;
/// How long the gateway leaves a job to another one that says nothing.
const LEASE: Duration = Duration::from_secs(46);
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether a moment has come.
const LOOK_AGAIN: Duration = Duration::from_millis(3);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A sender and a receiver, and what the one sent to the other.
struct Story {
    gateway: Gateway,
    receiver: Party,
    sent: String,
    /// How often each identity is to arrive.
    expected: BTreeMap<String, u32>,
}

impl Story {
    async fn begin(kind: Kind) -> Self {
        let settings = vec![
            ("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8, ::1/128".to_owned()),
            ("TEST_BATCH_ROWS", BATCH_ROWS.to_string()),
        ];
        let gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let receiver = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source(people::customers(0..24_000, Form::Hashed, people::luma), Form::Hashed).await;
        receiver.source(people::customers(4_000..28_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
        // Nothing is sent to who has no destination.
        receiver.create_destination().await;
        let connection = luma.connect(&receiver, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let sent = luma.send(&project, &luma.audiences().await["Running"], &[]).await;
        assert_eq!(sent["userErrors"], json!([]));
        let sent = receiver.received().await[0]["id"].as_str().unwrap().to_owned();
        let runners = (4_000..24_000).filter(|person| people::luma(*person).contains(&"Running"));
        let expected = runners.map(|person| (people::digest(&people::email(person)), 1)).collect();
        Self { gateway, receiver, sent, expected }
    }

    fn batches(&self) -> usize {
        self.expected.len().div_ceil(BATCH_ROWS)
    }

    /// Activates what was sent to a new destination, since an audience is activated to each once.
    async fn activate(&self, server: &dyn Server, folder: &str) -> String {
        let document = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
            destination { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.receiver.account, "name": folder, "destinationType": server.destination_type(),
            "settings": server.settings(folder), "matchKeys": [{ "kind": "HASHED_EMAIL" }],
        });
        let made = self.receiver.client.mutate(document, input).await;
        // The worker that tried the settings is not the delivery's.
        while worker_of(self.gateway.id().unwrap()).is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let input = json!({
            "accountId": self.receiver.account, "sentAudienceId": self.sent,
            "destinationId": made["destination"]["id"], "on": today(),
        });
        let made = self.receiver.client.mutate(ACTIVATE, input).await;
        made["activation"]["id"].as_str().unwrap().to_owned()
    }

    async fn activation(&self, id: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Activation {
            status failure delivered rejected deliveries { nodes { status added removed rejected } } } } }";
        self.receiver.client.query(query, json!({ "id": id })).await["node"].take()
    }

    /// Waits for a worker; `None` when the delivery is over.
    async fn worker(&self, activation: &str) -> Option<u32> {
        let began = Instant::now();
        let mut asked: Option<Instant> = None;
        loop {
            if let Some(worker) = worker_of(self.gateway.id().unwrap()) {
                return Some(worker);
            }
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_millis(100)) {
                let status = self.activation(activation).await["status"].take();
                if status != "SCHEDULED" && status != "DELIVERING" {
                    return None;
                }
                asked = Some(Instant::now());
            }
            assert!(began.elapsed() < PATIENCE, "nobody goes on with the delivery");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Kills a worker, and waits until the gateway knows; false where it had ended before.
    async fn kill_worker(&self, worker: u32) -> bool {
        match kill_process(Pid::from_raw(worker as i32).unwrap(), Signal::KILL) {
            Err(Errno::SRCH) => return false,
            killed => killed.unwrap(),
        }
        while runs(worker) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        true
    }

    /// How many workers the gateway missed. One that had just described a plugin, or finished, is on its way out, and nobody
    /// misses it.
    fn lost(&self) -> usize {
        self.gateway.log().matches("worker lost").count()
    }

    fn kill_gateway(&mut self) {
        self.gateway.kill();
        self.gateway.pass(LEASE);
        self.gateway.start_again();
        self.receiver = self.receiver.at(&self.gateway);
    }

    /// What arrived is what was sent, and the API says so.
    async fn check(&self, activation: &str, files: Files) {
        let count = self.expected.len();
        let expected = json!({
            "status": "DELIVERED", "failure": null, "delivered": count, "rejected": 0,
            "deliveries": { "nodes": [{ "status": "DELIVERED", "added": count, "removed": 0, "rejected": 0 }] },
        });
        assert_eq!(self.activation(activation).await, expected);
        // That the parts are those of the manifest, whole, and nothing else is there, is looked at in here.
        let (manifest, rows) = delivered(&by_last_name(files)).unwrap();
        assert_eq!(manifest.files.len(), self.batches());
        let mut identities = BTreeMap::new();
        for row in rows {
            *identities.entry(hex::encode(row.identity)).or_insert(0) += 1;
        }
        assert_eq!(identities, self.expected);
    }
}

/// Whatever had a final name at some moment. It must never change.
#[derive(Default)]
struct Seen(Files);

impl Seen {
    fn look(&mut self, files: &Files) {
        let is_final = |name: &str| !name.rsplit('/').next().unwrap().starts_with('.');
        for (name, content) in files.iter().filter(|(name, _)| is_final(name)) {
            let before = self.0.entry(name.clone()).or_insert_with(|| content.clone());
            assert!(before == content, "{name} had {} bytes, then {}", before.len(), content.len());
        }
    }
}

/// Makes one delivery and strikes it until it is over.
async fn deliver(story: &mut Story, server: &mut dyn Server, random: &mut StdRng, tally: &mut Tally) {
    let folder = format!("delivery-{}", tally.deliveries);
    let activation = story.activate(server, &folder).await;
    let (mut blows, mut seen) = (blows(random, story.batches()).into_iter(), Seen::default());
    let mut struck = None;
    while let Some(worker) = story.worker(&activation).await {
        if let Some((target, phase, lost)) = struck.take()
            && (target == Target::Gateway || story.lost() > lost)
        {
            *tally.hits.entry((target, phase)).or_default() += 1;
        }
        let Some(blow) = blows.next() else {
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        };
        if !has_come(&blow, worker, server, &folder).await {
            continue;
        }
        let (phase, lost) = (Phase::of(&server.names(&folder), story.batches()), story.lost());
        match blow.target {
            Target::Worker => {
                if !story.kill_worker(worker).await {
                    continue;
                }
            }
            Target::Gateway => story.kill_gateway(),
            Target::Server => {
                if server.stop() {
                    tokio::time::sleep(Duration::from_millis(random.random_range(50..400))).await;
                    server.start_again();
                    tally.outages += 1;
                }
                continue;
            }
        }
        tally.kills += 1;
        struck = Some((blow.target, phase, lost));
        seen.look(&server.files(&folder));
    }
    let files = server.files(&folder);
    seen.look(&files);
    story.check(&activation, files).await;
    tally.deliveries += 1;
}

/// Waits for the moment of a blow; false when the worker ends before it.
async fn has_come(blow: &Blow, worker: u32, server: &dyn Server, folder: &str) -> bool {
    let began = Instant::now();
    while parts(&server.names(folder)) < blow.parts {
        if !runs(worker) {
            return false;
        }
        assert!(began.elapsed() < PATIENCE, "the delivery stands still");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    tokio::time::sleep(blow.after).await;
    runs(worker)
}

/// Makes deliveries to a server until enough kills have struck one that was in hand.
async fn survive(mut story: Story, mut server: impl Server) {
    let seed = number("ENTENTE_TEST_SEED").unwrap_or_else(rand::random);
    eprintln!("ENTENTE_TEST_SEED={seed}");
    let most = number("ENTENTE_TEST_KILLS").map_or(5, |kills| kills as usize);
    if let Some(plugin) = server.plugin() {
        story.gateway.allow(plugin);
        story.receiver = story.receiver.at(&story.gateway);
    }
    let (mut random, mut tally, began) = (StdRng::seed_from_u64(seed), Tally::default(), Instant::now());
    while tally.hits() < most || !tally.is_everywhere() {
        assert!(tally.deliveries < 10 + most, "kills strike nothing: {tally:?}");
        deliver(&mut story, &mut server, &mut random, &mut tally).await;
        println!("{}: {tally:?} within {:?}", server.destination_type(), began.elapsed());
    }
}

on_both_databases! {
    async fn to_a_landing_zone(kind: Kind) {
        let story = Story::begin(kind).await;
        let zone = LandingZone::of(&story.receiver, &story.gateway);
        survive(story, zone).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_s3() {
    survive(Story::begin(Kind::Sqlite).await, S3::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_azure() {
    if let Some(container) = container() {
        survive(Story::begin(Kind::Sqlite).await, container).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_sftp() {
    if let Some(server) = openssh() {
        survive(Story::begin(Kind::Sqlite).await, server).await;
    }
}
