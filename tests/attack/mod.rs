//! An attacker who tries everything. It controls one side, and two accounts besides; it has made as many people as it
//! likes members of the other side's audiences; it uploads what it likes as often as it likes, and asks thousands of
//! questions through the public API. Members are recognised no more often than p and strangers taken for members no less
//! often than q, whatever it does; with the coins switched off the same attacks recognise nearly everybody.
//!
//! Targets, company and uploads come from fixed seeds; the coins are new ones each time, as each account has its own.
//! Which database keeps the rows does not matter here, so that only SQLite is attacked.
//!
//! `ENTENTE_TEST_ATTACK=full cargo test --release --workspace --test workflows attack:: -- --nocapture` attacks at full
//! size, with more than 10,000 questions for each of three views, and prints what each attack achieves: the share of
//! members that it recognises, and the share of strangers that it takes for members.

mod algebra;
mod attacker;
mod classifier;
mod collusion;
mod complement;
mod crafted;
mod evidence;
mod learned;
mod pads;
mod ranking;
mod reuploads;
mod subtraction;
mod threshold;
mod verdict;
mod victim;
mod world;

use crate::harness::{Gateway, Kind, Options};
use attacker::Attacker;
use classifier::judge;
use evidence::Evidence;
use rand::{SeedableRng, rngs::StdRng};
use threshold::Threshold;
use verdict::{Coins, Tally};
use victim::Victim;
use world::{Aim, Rows, World};

/// How many people are asked about.
pub struct Size {
    /// Audiences of the victim that are seen.
    audiences: usize,
    known_in_audiences: usize,
    known_in_all: usize,
    audience_targets: usize,
    all_targets: usize,
    /// Of each kind, those for whom a file or a send each is spent.
    known_by_hand: usize,
    targets_by_hand: usize,
    /// Subjects in one file.
    block: usize,
}

const SMALL: Size = Size {
    audiences: 16,
    known_in_audiences: 16,
    known_in_all: 40,
    audience_targets: 50,
    all_targets: 160,
    known_by_hand: 12,
    targets_by_hand: 16,
    block: 133,
};
const FULL: Size = Size {
    audiences: 20,
    known_in_audiences: 60,
    known_in_all: 100,
    audience_targets: 240,
    all_targets: 500,
    known_by_hand: 40,
    targets_by_hand: 120,
    block: 150,
};

fn is_full() -> bool {
    std::env::var("ENTENTE_TEST_ATTACK").is_ok_and(|size| size == "full")
}

const STANDARD: [Coins; 2] = [Coins { p: 7.0 / 8.0, q: 1.0 / 32.0 }, Coins { p: 7.0 / 8.0, q: 1.0 / 8.0 }];
const STRONG: [Coins; 2] = [Coins { p: 3.0 / 4.0, q: 1.0 / 8.0 }, Coins { p: 3.0 / 4.0, q: 1.0 / 4.0 }];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_coins_hold() {
    protected("STANDARD", STANDARD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strong_coins_hold() {
    // They are the same coins with other odds: at the small size one level is enough.
    if is_full() {
        protected("STRONG", STRONG).await;
    }
}

/// One account's coins for single audiences and for all of them.
async fn protected(level: &str, coins: [Coins; 2]) {
    let attacked = Attacked::with(level, "on").await;
    let judged = judge(&attacked.world, &attacked.evidence, None);
    for (place, tally) in attacked.by_place(&judged) {
        tally.check(coins[usize::from(place == attacked.world.all())], &format!("{level}, audience {place}"));
    }
    let [audiences, all] = attacked.tallies(None);
    audiences.check(coins[0], &format!("{level}, audiences"));
    all.check(coins[1], &format!("{level}, all audiences"));
    for attack in attacked.evidence.attacks() {
        for (tally, coins) in attacked.tallies(Some(attack)).iter().zip(coins) {
            if !tally.is_empty() {
                tally.check_every_threshold(coins, &format!("{level}, {attack}"));
            }
        }
    }
    // The coins are read: the attacks reach what is allowed, and the attacker knows what it does.
    for (tally, coins) in [audiences, all].iter().zip(coins) {
        assert!(tally.recognised_share() > coins.p - 0.2, "{}", tally.recognised_share());
        assert!(tally.taken_share() < coins.q + 0.2, "{}", tally.taken_share());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_coins_nearly_everybody_is_recognised() {
    let attacked = Attacked::with("STANDARD", "off").await;
    for tally in attacked.tallies(None) {
        assert!(tally.recognised_share() > 0.98, "{}", tally.recognised_share());
        assert!(tally.taken_share() < 0.02, "{}", tally.taken_share());
    }
    // Each attack works on its own, but for those that only count together with others.
    let only_help = ["delivery", "difference", "standard error", "time to answer", "union"];
    for attack in attacked.evidence.attacks().into_iter().filter(|attack| !only_help.contains(attack)) {
        let at_its_best = attacked.tallies(Some(attack)).into_iter().filter(|tally| !tally.is_empty());
        let advantage = at_its_best.map(|tally| tally.recognised_share() - tally.taken_share()).fold(0.0, f64::max);
        assert!(advantage > 0.9, "{attack}: {advantage}");
    }
}

/// A world in which everything was tried.
struct Attacked {
    world: World,
    evidence: Evidence,
}

impl Attacked {
    async fn with(level: &str, view: &str) -> Self {
        let settings = [("ENTENTE_REQUESTS_PER_MINUTE", "10000000"), ("TEST_VIEW", view)];
        let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
        let gateway = Gateway::start_with(Kind::Sqlite, Options { settings }).await;
        let size = if is_full() { FULL } else { SMALL };
        let world = World::new(&size, 2_026);
        let mut evidence = Evidence::new(world.subjects.len(), world.audiences + 1);
        let asked = attack(&gateway, level, &size, &world, &mut evidence).await;
        let attacked = Self { world, evidence };
        attacked.print(level, view, asked);
        attacked
    }

    /// At single audiences together, and at all audiences, by one attack or all of them. An attack is only tallied
    /// where it saw something.
    fn tallies(&self, attack: Option<&str>) -> [Tally; 2] {
        let judged = judge(&self.world, &self.evidence, attack);
        let all = self.world.all();
        let saw = |subject: usize, place: usize| {
            attack.is_none_or(|attack| !self.evidence.mean(attack, subject, place).is_nan())
        };
        [false, true].map(|is_all| {
            let at = judged.iter().filter(|j| (j.place == all) == is_all && saw(j.subject, j.place));
            Tally::of(&self.world, at)
        })
    }

    fn by_place(&self, judged: &[classifier::Judged]) -> Vec<(usize, Tally)> {
        let of = |place| Tally::of(&self.world, judged.iter().filter(|j| j.place == place));
        let tallies = (0..=self.world.all()).map(|place| (place, of(place)));
        tallies.filter(|(_, tally)| !tally.is_empty()).collect()
    }

    fn print(&self, level: &str, view: &str, asked: usize) {
        println!("{level}, coins {view}: {asked} questions");
        let attacks = self.evidence.attacks();
        for attack in std::iter::once(None).chain(attacks.iter().copied().map(Some)) {
            for (tally, of) in self.tallies(attack).iter().zip(["audiences", "all"]) {
                if !tally.is_empty() {
                    let (recognised, taken) = (tally.recognised_share(), tally.taken_share());
                    println!("  {:26} {of:9} {recognised:.3} {taken:.3}", attack.unwrap_or("all attacks together"));
                }
            }
        }
    }
}

/// Everything is tried; how many questions that took.
async fn attack(gateway: &Gateway, level: &str, size: &Size, world: &World, evidence: &mut Evidence) -> usize {
    let victim = Victim::create(gateway, level, world).await;
    let mut tv_tube = Attacker::create(gateway, "TV Tube", "PUBLISHER", &victim).await;
    let mut fit = Attacker::create(gateway, "Fit Apparel", "ADVERTISER", &victim).await;
    let mut datam8 = Attacker::create(gateway, "DataM8", "DATA_PARTNER", &victim).await;
    tv_tube.source(pads::csv()).await;

    let threshold = Threshold::find(&tv_tube, world).await;
    let mut random = StdRng::seed_from_u64(7);
    let everybody: Vec<usize> = (0..world.subjects.len()).collect();
    for block in everybody.chunks(size.block) {
        let mut file = Rows::new();
        complement::push(&mut file, world, block);
        let data_connection = tv_tube.source(subtraction::csv(file, world, block)).await;
        subtraction::run(&tv_tube, world, block, evidence).await;
        complement::run(&tv_tube, world, block, evidence).await;
        threshold.run(&tv_tube, world, block, evidence).await;
        tv_tube.delete(&data_connection).await;
        reuploads::run(&mut tv_tube, world, block, &mut random, evidence).await;
        collusion::run(&mut fit, world, block, evidence).await;
    }
    let some = |aim| world.some(aim, size.known_by_hand, size.targets_by_hand);
    for aim in [Aim::Audiences, Aim::All] {
        crafted::run(&mut tv_tube, world, &some(aim), evidence).await;
    }
    threshold.send(&mut tv_tube, world, some, evidence).await;
    ranking::run(&mut tv_tube, &mut datam8, world, &some(Aim::Audiences), evidence).await;
    let mut file = Rows::new();
    world.subjects.iter().for_each(|subject| file.push(subject.person, "everybody"));
    tv_tube.source(file.csv).await;
    learned::run(gateway, &victim, &tv_tube, world, evidence).await;
    tv_tube.asked() + fit.asked() + datam8.asked()
}
