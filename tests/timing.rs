//! The time of an answer does not tell members from strangers.
//!
//! Two groups of the same size, one of members and one of strangers, are cut into blocks, and halves of them are asked
//! about in turn, in random order, each time another half so that no answer is remembered. Times of pairs that were
//! asked one after the other are compared: what is slow for a while is slow for both. To look up tens of thousands of
//! members may take longer than to look up strangers, as one looks up more where there is more. What counts is how many
//! questions it would take to tell one member from one stranger by that, against the noise of a single question.

use crate::{
    harness::{Gateway, Kind, Options},
    people::{Form, digest, email},
    stories::Party,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write, time::Instant};

const PAIRS: usize = 100;
const BLOCKS: u32 = 16;
const BLOCK: u32 = 6_000;
/// Standard deviations beyond which a difference is none of chance.
pub const CHANCE: f64 = 4.5;
/// A thousand times as many questions as an attacker asks in ten thousand.
const OUT_OF_REACH: f64 = 1e7;

/// Blocks of a group: audiences that have people of their own.
fn blocks(csv: &mut String, group: &str, first: u32) {
    for block in 0..BLOCKS {
        for person in 0..BLOCK {
            writeln!(csv, "{},,{group} {block}", digest(&email(first + block * BLOCK + person))).unwrap();
        }
    }
}

/// How far the signed ranks are from those of chance, in standard deviations.
fn signed_ranks(differences: &[f64]) -> f64 {
    let mut ordered: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    ordered.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let sum: f64 = (1..).zip(&ordered).map(|(rank, d)| f64::from(rank) * d.signum()).sum();
    let count = ordered.len() as f64;
    sum / (count * (count + 1.0) * (2.0 * count + 1.0) / 6.0).sqrt()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Observer {
    party: Party,
    project: String,
    own: BTreeMap<String, String>,
}

impl Observer {
    /// Seconds that an answer takes about some blocks of a group.
    async fn time(&self, group: &str, blocks: &[u32]) -> f64 {
        let ids: Vec<_> = blocks.iter().map(|block| &self.own[&format!("{group} {block}")]).collect();
        let query = "query($a: ID!, $p: ID!, $mine: SelectionInput!) { project(accountId: $a, id: $p) {
            discover(accountId: $a) { overlaps(mine: $mine, first: 100) { nodes { answer { __typename } } } } } }";
        let variables = json!({ "a": self.party.account, "p": self.project, "mine": { "audienceIds": ids } });
        let begin = Instant::now();
        self.party.client.query(query, variables).await;
        begin.elapsed().as_secs_f64()
    }

    /// Times of one question and another, asked one after the other in random order.
    async fn pairs(&self, random: &mut StdRng, one: (&str, usize), other: (&str, usize)) -> Vec<(f64, f64)> {
        let mut times = vec![];
        for _ in 0..PAIRS {
            let all: Vec<u32> = (0..BLOCKS).collect();
            let some = |random: &mut StdRng, count: usize| all.sample(random, count).copied().collect::<Vec<_>>();
            let (of_one, of_other) = (some(random, one.1), some(random, other.1));
            times.push(if random.random() {
                let first = self.time(one.0, &of_one).await;
                (first, self.time(other.0, &of_other).await)
            } else {
                let first = self.time(other.0, &of_other).await;
                (self.time(one.0, &of_one).await, first)
            });
        }
        times
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_take_no_longer_than_strangers() {
    let settings = vec![("ENTENTE_REQUESTS_PER_MINUTE", "1000000".to_owned())];
    let gateway = Gateway::start_with(Kind::Sqlite, Options { settings }).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    let header = "hashed_email,hashed_phone,audience\n";
    let people = BLOCKS * BLOCK;
    let mut csv = header.to_owned();
    blocks(&mut csv, "member", 0);
    blocks(&mut csv, "stranger", people);
    luma.source(csv, Form::Hashed).await;
    let mut csv = header.to_owned();
    for person in (0..people).chain(2 * people..3 * people) {
        writeln!(csv, "{},,Sports {}", digest(&email(person)), person % 40).unwrap();
    }
    tv_tube.source(csv, Form::Hashed).await;
    let connection = luma.connect(&tv_tube, "RECIPIENT").await;
    let project = luma.create_project(&connection, "Spring").await;
    let own = luma.audiences().await;
    let observer = Observer { party: luma, project, own };

    let mut random = StdRng::seed_from_u64(5);
    let half = BLOCKS as usize / 2;
    observer.pairs(&mut random, ("member", half), ("stranger", half)).await;

    // The measurement sees a difference where there is one: more people. On a busy machine that takes more pairs.
    let mut pairs = vec![];
    let control = loop {
        pairs.extend(observer.pairs(&mut random, ("stranger", BLOCKS as usize - 1), ("stranger", 1)).await);
        let control = Compared::of(&pairs);
        if control.z > CHANCE || pairs.len() >= 5 * PAIRS {
            break control;
        }
    };
    println!("control, {} more people: {control}", (BLOCKS - 2) * BLOCK);
    assert!(control.z > CHANCE, "{control}");

    let compared = Compared::of(&observer.pairs(&mut random, ("member", half), ("stranger", half)).await);
    let people = f64::from(BLOCKS / 2 * BLOCK);
    let of_one = compared.at_most() / people;
    let questions = (compared.noise / of_one).powi(2);
    println!("{PAIRS} pairs, {people} members or strangers: {compared}");
    println!("one member: at most {:.1} ns, which {questions:.1e} questions would tell", of_one * 1e9);
    assert!(questions > OUT_OF_REACH, "{questions} questions, {compared}");
}

/// How much longer the first question of each pair took.
pub struct Compared {
    pub pairs: usize,
    /// In the median, in seconds.
    difference: f64,
    /// The spread of a single difference, as robust as a median.
    noise: f64,
    /// Wilcoxon's signed ranks, in standard deviations.
    pub z: f64,
}

impl Compared {
    pub fn of(times: &[(f64, f64)]) -> Self {
        let differences: Vec<f64> = times.iter().map(|(one, other)| one - other).collect();
        let difference = median(differences.clone());
        let distances = differences.iter().map(|d| (d - difference).abs()).collect();
        Self { pairs: times.len(), difference, noise: 1.4826 * median(distances), z: signed_ranks(&differences) }
    }

    /// What the difference is not above but by chance; the median of n has an error of 1.25 σ / √n.
    fn at_most(&self) -> f64 {
        self.difference.abs() + CHANCE * 1.25 * self.noise / (self.pairs as f64).sqrt()
    }
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (difference, noise) = (self.difference * 1e6, self.noise * 1e6);
        write!(f, "{difference:.0} µs longer, noise {noise:.0} µs, {:.1} standard deviations", self.z)
    }
}

#[test]
fn signed_ranks_are_those_of_the_book() {
    // Sums of signed ranks: 1 - 2 + 3 + 4 of a variance of 30.
    assert!((signed_ranks(&[0.1, -0.2, 0.3, 0.4]) - 6.0 / 30f64.sqrt()).abs() < 1e-12);
}
