//! What strikes a delivery, and when.

use rand::{RngExt, rngs::StdRng};
use std::{collections::BTreeMap, time::Duration};

/// What is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// kill -9 of the process that has the plugin.
    Worker,
    /// kill -9 of the gateway, which is started again.
    Gateway,
    /// The server goes away for a moment.
    Server,
}

/// How far a delivery was when it was struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No part was there: the plugin was loaded, or opened the delivery.
    Opening,
    /// Some parts were there: one was written or acknowledged.
    Writing,
    /// All parts were there: the last one was acknowledged, or the manifest was made.
    Finishing,
    /// The manifest was there: what the parts left was tidied up, or the end was noted.
    Noting,
}

impl Phase {
    /// By the names of what is at the server.
    pub fn of(names: &[String], batches: usize) -> Self {
        match parts(names) {
            _ if names.iter().any(|name| name.ends_with("/manifest.json")) => Self::Noting,
            0 => Self::Opening,
            parts if parts < batches => Self::Writing,
            _ => Self::Finishing,
        }
    }
}

/// How many parts have their final names.
pub fn parts(names: &[String]) -> usize {
    names.iter().filter(|name| name.contains("/part-")).count()
}

/// One blow.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    pub target: Target,
    /// How many parts have to be there.
    pub parts: usize,
    /// How long after that, and after there is a worker.
    pub after: Duration,
}

/// The blows that one delivery gets, in order: with one at its beginning, one at its end and others at any moment.
pub fn blows(random: &mut StdRng, batches: usize) -> Vec<Blow> {
    let mut moments = vec![0, batches];
    moments.extend((0..3).map(|_| random.random_range(0..=batches)));
    moments.sort_unstable();
    let mut target = if random.random_bool(0.5) { Target::Worker } else { Target::Gateway };
    let mut blows: Vec<Blow> = Vec::new();
    for parts in moments {
        target = if target == Target::Worker { Target::Gateway } else { Target::Worker };
        // A worker is there for some time before it has opened the delivery; all else is quick, and the end quickest.
        let within = if parts == 0 { 60_000 } else { [2_000, 20_000][random.random_range(0..2)] };
        blows.push(Blow { target, parts, after: Duration::from_micros(random.random_range(0..within)) });
    }
    let outage = random.random_range(0..blows.len() - 1);
    let at = Blow { target: Target::Server, ..blows[outage] };
    blows.insert(outage, at);
    blows
}

/// What was struck so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub deliveries: usize,
    /// Kills, whether or not the delivery was over by then.
    pub kills: usize,
    /// How often the server went away.
    pub outages: usize,
    /// Kills after which the delivery had to go on with a new worker.
    pub hits: BTreeMap<(Target, Phase), usize>,
}

impl Tally {
    /// How many kills struck a delivery that was in hand.
    pub fn hits(&self) -> usize {
        self.hits.values().sum()
    }

    /// How many of them were such.
    pub fn hits_of(&self, target: Target) -> usize {
        self.hits.iter().filter(|((struck, _), _)| *struck == target).map(|(_, count)| count).sum()
    }

    /// Whether both were killed, and deliveries at their beginning, in their middle and at their end.
    pub fn is_everywhere(&self) -> bool {
        let mut phases: Vec<_> = self.hits.keys().map(|(_, phase)| (*phase).min(Phase::Finishing)).collect();
        phases.sort_unstable();
        phases.dedup();
        phases.len() == 3 && [Target::Worker, Target::Gateway].iter().all(|target| self.hits_of(*target) > 0)
    }
}
