//! Discover over GraphQL, 5 M against 20 M identities: the first question, narrowed ones, repeated ones, and narrowed ones
//! while all 20 M are refreshed. `cargo bench --workspace --bench discover`; takes some minutes and 6 GB of disk.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench fails by panicking")]

#[path = "../harness/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "what tests need and this does not")]
mod harness;
#[path = "../people.rs"]
#[expect(dead_code, reason = "what tests need and this does not")]
mod people;
#[path = "../stories.rs"]
#[expect(dead_code, reason = "what tests need and this does not")]
mod stories;

use harness::{Gateway, Kind, Options};
use people::Form;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::{
    fmt::Write,
    ops::Range,
    time::{Duration, Instant},
};
use stories::Party;

const MINE: Range<u64> = 0..5_000_000;
const THEIRS: Range<u64> = 4_000_000..24_000_000;
const QUESTIONS: usize = 500;

#[tokio::main(worker_threads = 1)]
async fn main() {
    let settings = vec![("ENTENTE_REQUESTS_PER_MINUTE", "1000000".to_owned())];
    let gateway = Gateway::start_with(Kind::Sqlite, Options { settings }).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    let begin = Instant::now();
    luma.source(customers(MINE, 20), Form::Hashed).await;
    let data_connection = tv_tube.source(customers(THEIRS, 50), Form::Hashed).await;
    println!("sourced in {:.0} s, the uploads included", begin.elapsed().as_secs_f64());
    let connection = luma.connect(&tv_tube, "RECIPIENT").await;
    let project = luma.create_project(&connection, "Spring").await;
    let mut asked = Asked {
        mine: luma.audiences().await.into_values().collect(),
        theirs: luma.public_audiences_of(&tv_tube).await.into_values().collect(),
        random: StdRng::seed_from_u64(7),
    };

    written_back().await;
    let floor = Times::of(QUESTIONS, async || drop(luma.client.ask("{ __typename }", json!({})).await)).await;
    floor.print("nothing but GraphQL");
    let begin = Instant::now();
    luma.compare(&project, json!({ "all": true }), json!({ "all": true })).await;
    println!("first question: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);

    let narrowed = Times::of(QUESTIONS, async || asked.a_new_question(&luma, &project).await).await;
    narrowed.print("narrowed");
    let repeated = async || drop(luma.compare(&project, json!({ "all": true }), json!({ "all": true })).await);
    Times::of(QUESTIONS, repeated).await.print("repeated");

    let upload = tv_tube.upload(customers(THEIRS, 50)).await;
    written_back().await;
    let quiet = Times::of(QUESTIONS, async || asked.a_new_question(&luma, &project).await).await;
    quiet.print("narrowed, quiet again");
    let job = tv_tube.begin_refresh(&data_connection, &upload).await;
    let mut busy = Times::default();
    let begin = Instant::now();
    while !ended(&tv_tube, &job).await {
        busy.add(20, async || asked.a_new_question(&luma, &project).await).await;
    }
    println!("refresh of 20 M: {:.0} s", begin.elapsed().as_secs_f64());
    busy.print("narrowed, while it ran");
    println!("p99 {:.2} times the quiet one (wanted: at most 2)", busy.at(0.99) / quiet.at(0.99));
    println!("narrowed: p99 {:.1} ms (wanted: under 10)", narrowed.at(0.99));
}

/// What uploads leave to be written to the disk is no part of what is measured.
async fn written_back() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}

async fn ended(party: &Party, job: &str) -> bool {
    let query = "query($id: ID!) { node(id: $id) { ... on Job { state error } } }";
    let job = party.client.query(query, json!({ "id": job })).await["node"].clone();
    assert_ne!(job["state"], "FAILED", "{job}");
    job["state"] == "DONE"
}

/// Questions that were not asked before.
struct Asked {
    mine: Vec<String>,
    theirs: Vec<String>,
    random: StdRng,
}

impl Asked {
    async fn a_new_question(&mut self, party: &Party, project: &str) {
        let some = |random: &mut StdRng, ids: &[String]| -> Value {
            let several = random.random_range(1..=10);
            json!({ "audienceIds": ids.sample(random, several).collect::<Vec<_>>() })
        };
        let (mine, theirs) = (some(&mut self.random, &self.mine), some(&mut self.random, &self.theirs));
        let answer = party.compare(project, mine, theirs).await;
        assert_ne!(answer["__typename"], "Unavailable", "{answer}");
    }
}

/// How long answers took, in milliseconds.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    async fn of(count: usize, ask: impl AsyncFnMut()) -> Self {
        let mut times = Self::default();
        times.add(count, ask).await;
        times
    }

    async fn add(&mut self, count: usize, mut ask: impl AsyncFnMut()) {
        for _ in 0..count {
            let begin = Instant::now();
            ask().await;
            self.0.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        self.0.sort_by(f64::total_cmp);
    }

    fn at(&self, share: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * share).ceil() as usize]
    }

    fn print(&self, what: &str) {
        let (middle, high) = (self.at(0.5), self.at(0.99));
        println!("{what}: p50 {middle:.1} ms, p99 {high:.1} ms, {} questions", self.0.len());
    }
}

/// Hashed e-mails of made-up people, each in one audience.
fn customers(people: Range<u64>, audiences: u64) -> String {
    let mut csv = "hashed_email,hashed_phone,audience\n".to_owned();
    for person in people {
        let words: [u64; 4] = std::array::from_fn(|word| scramble(person * 4 + word as u64));
        let audience = words[0] % audiences;
        let [a, b, c, d] = words;
        writeln!(csv, "{a:016x}{b:016x}{c:016x}{d:016x},,{audience}").expect("a string takes it");
    }
    csv
}

/// SplitMix64.
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}
