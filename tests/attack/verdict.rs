//! How often members are recognised and strangers taken for members, and whether that is more than coins allow.

use super::{classifier::Judged, world::World};

/// What is as unlikely as four standard deviations to one side is no accident.
const ACCIDENT: f64 = 3.2e-5;

/// What a view shows: members with probability p, strangers with q.
#[derive(Clone, Copy, Debug)]
pub struct Coins {
    pub p: f64,
    pub q: f64,
}

#[derive(Clone, Default)]
pub struct Tally {
    /// The attacker's sureness about members and about strangers.
    members: Vec<f64>,
    strangers: Vec<f64>,
}

impl Tally {
    pub fn of<'a>(world: &World, judged: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut tally = Self::default();
        for pair in judged {
            let is_member = world.is_member(pair.subject, pair.place);
            if is_member { &mut tally.members } else { &mut tally.strangers }.push(pair.sureness);
        }
        tally
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty() || self.strangers.is_empty()
    }

    fn recognised(&self) -> usize {
        self.members.iter().filter(|sureness| **sureness > 0.5).count()
    }

    fn taken(&self) -> usize {
        self.strangers.iter().filter(|sureness| **sureness > 0.5).count()
    }

    /// The share of members that are recognised.
    pub fn recognised_share(&self) -> f64 {
        self.recognised() as f64 / self.members.len() as f64
    }

    /// The share of strangers that are taken for members.
    pub fn taken_share(&self) -> f64 {
        self.taken() as f64 / self.strangers.len() as f64
    }

    /// Members are recognised no more often than p, strangers taken for members no less often than q.
    pub fn check(&self, coins: Coins, what: &str) {
        let (recognised, taken) = (self.recognised(), self.taken());
        let by_chance = at_least(recognised, self.members.len(), coins.p);
        assert!(by_chance > ACCIDENT, "{what}: {recognised} of {} members are recognised", self.members.len());
        let by_chance = at_least(self.strangers.len() - taken, self.strangers.len(), 1.0 - coins.q);
        assert!(by_chance > ACCIDENT, "{what}: only {taken} of {} strangers are taken", self.strangers.len());
        self.check_every_threshold(coins, what);
    }

    /// However sure the attacker wants to be, it does not do better than who sees the coins. Distances between a
    /// distribution and its sample are bounded by Dvoretzky, Kiefer, Wolfowitz and Massart.
    pub fn check_every_threshold(&self, coins: Coins, what: &str) {
        let slack = |sample: &[f64]| ((1.0 / ACCIDENT).ln() / 2.0 / sample.len() as f64).sqrt();
        let above = |sample: &[f64], threshold: f64| {
            sample.iter().filter(|sureness| **sureness > threshold).count() as f64 / sample.len() as f64
        };
        for threshold in self.members.iter().chain(&self.strangers) {
            let recognised = above(&self.members, *threshold) - slack(&self.members);
            let taken = above(&self.strangers, *threshold) + slack(&self.strangers);
            let best = best(coins, taken.min(1.0));
            assert!(recognised <= best + 1e-9, "{what}: {recognised} and {taken} above {threshold}, not {best}");
        }
    }
}

/// The largest share of members that can be recognised where this share of strangers is taken for members.
fn best(Coins { p, q }: Coins, taken: f64) -> f64 {
    if taken <= q { taken * p / q } else { p + (taken - q) / (1.0 - q) * (1.0 - p) }
}

/// The probability of at least this many successes.
fn at_least(successes: usize, trials: usize, p: f64) -> f64 {
    let mut log_choose = 0.0;
    let mut sum = 0.0;
    for k in 0..=trials {
        if k > 0 {
            log_choose += ((trials - k + 1) as f64 / k as f64).ln();
        }
        if k >= successes {
            sum += (log_choose + k as f64 * p.ln() + (trials - k) as f64 * (1.0 - p).ln()).exp();
        }
    }
    sum
}

#[test]
fn tails_are_those_of_the_binomial_distribution() {
    assert!((at_least(2, 2, 0.875) - 0.765625).abs() < 1e-12);
    assert!((at_least(0, 50, 0.3) - 1.0).abs() < 1e-12);
    assert!((at_least(1, 3, 0.5) - 0.875).abs() < 1e-12);
}

#[test]
fn who_recognises_too_many_is_noticed() {
    let coins = Coins { p: 0.875, q: 1.0 / 32.0 };
    let tally = |recognised: usize, taken: usize| Tally {
        members: (0..400).map(|n| f64::from(u8::from(n < recognised))).collect(),
        strangers: (0..400).map(|n| f64::from(u8::from(n < taken))).collect(),
    };
    tally(350, 13).check(coins, "as the coins show");
    for (recognised, taken) in [(380, 13), (350, 0), (390, 5)] {
        let caught = std::panic::catch_unwind(|| tally(recognised, taken).check(coins, "more than the coins show"));
        assert!(caught.is_err(), "{recognised} and {taken}");
    }
}
