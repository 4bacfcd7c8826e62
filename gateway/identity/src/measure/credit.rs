//! How credit for a conversion is given: the models, how far back an exposure counts, and which kind goes before which.

use super::MeasureFault;
use super::apportion::apportion;
use super::decimal::MICROS;
use super::event::Kind;
use super::instant::{DAY, HOUR};
use serde::{Deserialize, Serialize};

/// The most models of one report.
pub const MOST_MODELS: usize = 5;

/// The longest half-life, in hours: that of the longest lookback.
pub const LONGEST_HALF_LIFE_HOURS: u32 = 24 * super::definition::LONGEST_LOOKBACK_DAYS;

/// The weight of the last touch where weight decays with time. What is 32 half-lives before it weighs nothing.
const UNDECAYED: f64 = (1_u64 << 32) as f64;

/// How the touches before a conversion share the credit for it. Touches are in the order of time; of those at the same
/// instant a view comes before an engaged view and that before a click, and of the same kind those whose campaign,
/// placement, creative sort first come first (values that are not listed sort after those that are).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Model {
    /// The last touch has all of it.
    LastTouch,
    /// The first touch has all of it.
    FirstTouch,
    /// All touches have the same.
    Linear,
    /// A touch has half of what one has that comes a half-life later.
    TimeDecay {
        /// 1 to 2,160.
        half_life_hours: u32,
    },
    /// The first and the last touch have fixed shares, those between them the rest, in equal parts. One touch has all;
    /// two share it in the ratio of the fixed shares, equally where both are 0.
    PositionBased {
        /// Of the first touch, in percent.
        first_percent: u32,
        /// Of the last touch, in percent. Both together are at most 100.
        last_percent: u32,
    },
}

impl Model {
    /// Decay with the half-life that is usual, a week.
    pub const TIME_DECAY: Self = Self::TimeDecay { half_life_hours: 7 * 24 };

    /// Shares that are usual, 40 and 40.
    pub const POSITION_BASED: Self = Self::PositionBased { first_percent: 40, last_percent: 40 };

    /// The credit of each touch in micros of a conversion, from the instants of all of them, in order. They add up to
    /// exactly a million.
    pub(crate) fn credit(self, times: &[i64], weights: &mut Vec<u64>, credit: &mut Vec<u64>) {
        weights.clear();
        let last = times.len().saturating_sub(1);
        let places = 0..times.len();
        match self {
            Self::LastTouch => weights.extend(places.map(|place| u64::from(place == last))),
            Self::FirstTouch => weights.extend(places.map(|place| u64::from(place == 0))),
            Self::Linear => weights.extend(places.map(|_| 1)),
            Self::TimeDecay { half_life_hours } => {
                let half_life = (i64::from(half_life_hours) * HOUR) as f64;
                let latest = times.last().copied().unwrap_or_default();
                let decayed = |time: &i64| (-((latest - time) as f64) / half_life).exp2();
                weights.extend(times.iter().map(|time| (decayed(time) * UNDECAYED).round() as u64));
            }
            Self::PositionBased { first_percent, last_percent } => {
                let between = times.len().saturating_sub(2).max(1) as u64;
                let [first, final_] = [first_percent, last_percent].map(u64::from);
                let rest = 100_u64.saturating_sub(first + final_);
                weights.extend(places.map(|place| match place {
                    0 => first * between,
                    place if place == last => final_ * between,
                    _ => rest,
                }));
            }
        }
        apportion(MICROS.unsigned_abs(), weights, credit);
    }

    fn check(self) -> Result<(), MeasureFault> {
        let refused = |reason| Err(MeasureFault::Definition { reason });
        match self {
            Self::TimeDecay { half_life_hours } if !(1..=LONGEST_HALF_LIFE_HOURS).contains(&half_life_hours) => {
                refused("a half-life must be between 1 and 2,160 hours")
            }
            Self::PositionBased { first_percent, last_percent } if first_percent.saturating_add(last_percent) > 100 => {
                refused("the shares of the first and the last touch must be at most 100 percent together")
            }
            _ => Ok(()),
        }
    }
}

/// How far before a conversion an exposure of one kind counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindLookback {
    /// The kind.
    pub kind: Kind,
    /// At most this many times 24 hours before it.
    pub days: u32,
}

/// What paths to a conversion are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Steps {
    /// Kinds of exposure.
    Kinds,
    /// Campaigns; only in a report of at most [`super::MOST_CAMPAIGNS_OF_PATHS`].
    Campaigns,
}

/// How credit for conversions is given, and which paths to them are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRules {
    /// One to five; each spends its share of ε.
    pub models: Vec<Model>,
    /// Kinds with a lookback that is shorter than the report's.
    pub lookbacks: Vec<KindLookback>,
    /// Kinds of exposure, the best first; those that are not named come after them, as one. Only touches of the best kind
    /// that there is within its lookback share the credit of a conversion. Empty: all kinds share it.
    pub priority: Vec<Kind>,
    /// Paths to be counted; each spends its share of ε.
    pub paths: Vec<Steps>,
}

impl Default for CreditRules {
    fn default() -> Self {
        Self { models: vec![Model::LastTouch], lookbacks: Vec::new(), priority: Vec::new(), paths: Vec::new() }
    }
}

impl CreditRules {
    /// The lookback of a kind in microseconds, the report's being `days`.
    pub(crate) fn lookback(&self, kind: Kind, days: u32) -> i64 {
        let own = self.lookbacks.iter().find(|lookback| lookback.kind == kind);
        i64::from(own.map_or(days, |lookback| lookback.days)) * DAY
    }

    /// How good a kind is; the least is best.
    pub(crate) fn rank(&self, kind: Kind) -> usize {
        self.priority.iter().position(|best| *best == kind).unwrap_or(self.priority.len())
    }

    /// Refuses what cannot be computed, in a report with this lookback and so many campaigns.
    pub(crate) fn check(&self, lookback_days: u32, campaigns: usize) -> Result<(), MeasureFault> {
        let refused = |reason| Err(MeasureFault::Definition { reason });
        if !(1..=MOST_MODELS).contains(&self.models.len()) {
            return refused("between one and five models are computed");
        }
        if repeats(&self.models) {
            return refused("a model is named twice");
        }
        self.models.iter().try_for_each(|model| model.check())?;
        let kinds: Vec<Kind> = self.lookbacks.iter().map(|lookback| lookback.kind).collect();
        if repeats(&kinds) || repeats(&self.priority) {
            return refused("a kind of exposure is named twice");
        }
        if self.lookbacks.iter().any(|lookback| !(1..=lookback_days).contains(&lookback.days)) {
            return refused("the lookback of a kind must be between one day and the report's");
        }
        if repeats(&self.paths) {
            return refused("paths are asked for twice");
        }
        if self.paths.contains(&Steps::Campaigns) && campaigns > super::MOST_CAMPAIGNS_OF_PATHS {
            return refused("paths over campaigns are counted for at most five campaigns");
        }
        Ok(())
    }
}

fn repeats<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().any(|(place, value)| values[..place].contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credit(model: Model, hours: &[i64]) -> Vec<u64> {
        let times: Vec<i64> = hours.iter().map(|hours| hours * HOUR).collect();
        let (mut weights, mut credit) = (Vec::new(), Vec::new());
        model.credit(&times, &mut weights, &mut credit);
        credit
    }

    /// The cases of `docs/measurement.md`.
    #[test]
    fn each_model_shares_as_it_says() {
        let decay = Model::TimeDecay { half_life_hours: 24 };
        let position = |first_percent, last_percent| Model::PositionBased { first_percent, last_percent };
        for (model, hours, expected) in [
            (Model::LastTouch, &[0, 24, 48][..], &[0, 0, 1_000_000][..]),
            (Model::FirstTouch, &[0, 24, 48], &[1_000_000, 0, 0]),
            (Model::Linear, &[0, 24, 48], &[333_334, 333_333, 333_333]),
            (Model::Linear, &[0, 24, 48, 72, 72, 72], &[166_667, 166_667, 166_667, 166_667, 166_666, 166_666]),
            // 1/7, 2/7, 4/7.
            (decay, &[0, 24, 48], &[142_857, 285_714, 571_429]),
            (decay, &[0, 0, 24], &[250_000, 250_000, 500_000]),
            // 33 half-lives before the last one.
            (decay, &[0, 33 * 24], &[0, 1_000_000]),
            (Model::POSITION_BASED, &[0], &[1_000_000]),
            (Model::POSITION_BASED, &[0, 24], &[500_000, 500_000]),
            (Model::POSITION_BASED, &[0, 24, 48], &[400_000, 200_000, 400_000]),
            (Model::POSITION_BASED, &[0, 1, 2, 3, 4], &[400_000, 66_667, 66_667, 66_666, 400_000]),
            (position(30, 10), &[0, 24], &[750_000, 250_000]),
            (position(0, 0), &[0, 24], &[500_000, 500_000]),
            (position(0, 0), &[0, 24, 48], &[0, 1_000_000, 0]),
            (position(50, 50), &[0, 24, 48], &[500_000, 0, 500_000]),
        ] {
            assert_eq!(credit(model, hours), expected, "{model:?} {hours:?}");
        }
    }

    pub(crate) fn models() -> impl Strategy<Value = Model> {
        prop_oneof![
            Just(Model::LastTouch),
            Just(Model::FirstTouch),
            Just(Model::Linear),
            (1..=LONGEST_HALF_LIFE_HOURS).prop_map(|half_life_hours| Model::TimeDecay { half_life_hours }),
            (0..=100_u32, 0..=100_u32).prop_map(|(one, other)| {
                let first_percent = one.min(100 - other.min(100));
                Model::PositionBased { first_percent, last_percent: other.min(100 - first_percent) }
            }),
        ]
    }

    proptest! {
        #[test]
        fn the_credit_of_a_conversion_is_exactly_one(
            model in models(),
            mut times in prop::collection::vec(0..90 * DAY, 1..600),
        ) {
            prop_assert!(model.check().is_ok());
            times.sort_unstable();
            let (mut weights, mut credit) = (vec![9], vec![9]);
            model.credit(&times, &mut weights, &mut credit);
            prop_assert_eq!(credit.len(), times.len());
            prop_assert_eq!(credit.iter().sum::<u64>(), 1_000_000);
        }
    }

    #[test]
    fn rules_that_cannot_be_computed_are_refused() {
        let rules = CreditRules::default;
        let with = |models: &[Model]| CreditRules { models: models.to_vec(), ..rules() };
        let decay = |half_life_hours| Model::TimeDecay { half_life_hours };
        let position = |first_percent, last_percent| Model::PositionBased { first_percent, last_percent };
        let lookbacks = |days: &[u32]| CreditRules {
            lookbacks: days.iter().map(|days| KindLookback { kind: Kind::View, days: *days }).collect(),
            ..rules()
        };
        let kinds = CreditRules { priority: vec![Kind::Click, Kind::Click], ..rules() };
        let paths = CreditRules { paths: vec![Steps::Campaigns], ..rules() };
        let twice = CreditRules { paths: vec![Steps::Kinds, Steps::Kinds], ..rules() };
        let five = [Model::LastTouch, Model::FirstTouch, Model::Linear, decay(1), decay(2)];
        for (good, campaigns) in [(rules(), 6), (with(&five), 1), (paths.clone(), 5), (lookbacks(&[7]), 1)] {
            assert!(good.check(7, campaigns).is_ok(), "{good:?}");
        }
        for (wrong, campaigns) in [
            (with(&[]), 1),
            (with(&[&five[..], &[decay(3)]].concat()), 1),
            (with(&[Model::Linear, Model::Linear]), 1),
            (with(&[decay(0)]), 1),
            (with(&[decay(2_161)]), 1),
            (with(&[position(60, 41)]), 1),
            (with(&[position(u32::MAX, u32::MAX)]), 1),
            (lookbacks(&[0]), 1),
            (lookbacks(&[8]), 1),
            (lookbacks(&[1, 2]), 1),
            (kinds, 1),
            (paths, 6),
            (twice, 1),
        ] {
            assert!(matches!(wrong.check(7, campaigns), Err(MeasureFault::Definition { .. })), "{wrong:?}");
        }
    }
}
