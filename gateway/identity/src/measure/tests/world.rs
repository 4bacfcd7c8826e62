//! Small worlds of exposures and conversions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::measure::attribution::AttributionTally;
use crate::measure::credit::{CreditRules, KindLookback, Model, Steps};
use crate::measure::definition::{Combine, ConversionEvent, Definition, Dimensions, Period, ValueRule};
use crate::measure::event::{Conversion, Exposure, Kind, Ordered, Place};
use crate::measure::instant::{DAY, midnight};
use crate::measure::join::join;
use crate::measure::protection::{Bounds, Counts, Protection, Whose};
use crate::measure::raw::Raw;
use crate::measure::summary::SummaryTally;
use chrono::NaiveDate;
use proptest::prelude::*;

pub(super) const EXACT: Protection =
    Protection { exposures: Whose::Mine, conversions: Whose::Mine, counts: Counts::Exact, threshold: 0 };

pub(super) const BOUNDS: Bounds =
    Bounds { impressions: 3, cost_micros: 2_000_000, conversions: 2, value_micros: 5_000_000 };

pub(super) fn protected(exposures: Whose, conversions: Whose) -> Protection {
    Protection { exposures, conversions, counts: Counts::Protected { epsilon: 2.0, bounds: BOUNDS }, threshold: 50 }
}

pub(super) fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap()
}

/// An instant so many quarters of a day after the start of the period.
pub(super) fn quarter(quarters: i64) -> i64 {
    midnight(first_day()) + quarters * (DAY / 4)
}

pub(super) fn event(name: &str, value: ValueRule) -> ConversionEvent {
    ConversionEvent {
        name: name.into(),
        kind: "purchase".into(),
        value,
        deduplicate: true,
        combine: Combine::All,
        conditions: vec![],
    }
}

/// Five days, two campaigns, two placements, one creative, a lookback of two days, two events.
pub(super) fn definition() -> Definition {
    Definition {
        period: Period { first: first_day(), last: NaiveDate::from_ymd_opt(2026, 3, 5).unwrap() },
        match_keys: vec!["hashed_email".into()],
        dimensions: Dimensions {
            campaigns: vec!["spring".into(), "summer".into()],
            placements: vec!["home".into(), "player".into()],
            creatives: vec!["shoes".into()],
        },
        events: vec![event("Purchases", ValueRule::SumOfValue), event("Visits", ValueRule::Count)],
        lookback_days: 2,
        credit: CreditRules::default(),
    }
}

/// The same with five models and paths, and rules about kinds.
pub(super) fn five_models() -> Definition {
    let credit = CreditRules {
        models: vec![
            Model::LastTouch,
            Model::FirstTouch,
            Model::Linear,
            Model::TimeDecay { half_life_hours: 18 },
            Model::PositionBased { first_percent: 50, last_percent: 20 },
        ],
        lookbacks: vec![KindLookback { kind: Kind::View, days: 1 }],
        priority: vec![Kind::Click, Kind::EngagedView],
        paths: vec![Steps::Kinds, Steps::Campaigns],
    };
    Definition { credit, ..definition() }
}

/// Any rules for five models.
pub(super) fn rules() -> impl Strategy<Value = CreditRules> {
    let lookbacks = prop::collection::vec(prop::option::of(1_u32..3), 3);
    let priority = prop::sample::subsequence(Kind::ALL.to_vec(), 0..=3).prop_shuffle();
    (lookbacks, priority, 1_u32..72, 0_u32..=100, any::<u64>()).prop_map(
        |(lookbacks, priority, half_life_hours, first_percent, seed)| {
            let last_percent = (seed % u64::from(101 - first_percent)) as u32;
            let mut rules = five_models().credit;
            rules.models[3] = Model::TimeDecay { half_life_hours };
            rules.models[4] = Model::PositionBased { first_percent, last_percent };
            rules.models.rotate_left((seed % 5) as usize);
            let lookback = |(kind, days): (Kind, Option<u32>)| days.map(|days| KindLookback { kind, days });
            let lookbacks = Kind::ALL.into_iter().zip(lookbacks).filter_map(lookback).collect();
            CreditRules { lookbacks, priority, ..rules }
        },
    )
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) exposures: Vec<Exposure>,
    pub(super) conversions: Vec<Conversion>,
}

impl World {
    pub(super) fn without(&self, key: u64, exposures: Whose, conversions: Whose) -> Self {
        let mut other = self.clone();
        if exposures == Whose::Theirs {
            other.exposures.retain(|exposure| exposure.key != key);
        }
        if conversions == Whose::Theirs {
            other.conversions.retain(|conversion| conversion.key != key);
        }
        other
    }

    pub(super) fn count(&self, definition: &Definition, protection: Protection) -> Raw {
        let mut exposures = self.exposures.clone();
        let mut conversions = self.conversions.clone();
        exposures.sort_by_key(Ordered::order);
        conversions.sort_by_key(Ordered::order);
        let mut summary = SummaryTally::new(definition, protection.exposure_bounds());
        let mut attribution = AttributionTally::new(definition, protection.credit_bounds());
        let exposures = exposures.into_iter().map(Ok);
        let conversions = conversions.into_iter().map(Ok);
        join(exposures, conversions, definition.period, &mut summary, &mut attribution, &|_| true).unwrap();
        Raw { summary: summary.finish(), events: attribution.finish() }
    }
}

pub(super) fn exposure(key: u64, time: i64) -> Exposure {
    let place = Place { campaign: 0, placement: 0, creative: 0 };
    Exposure { key, time, place, kind: Kind::View, viewable: true, cost: 0 }
}

pub(super) fn conversion(key: u64, time: i64) -> Conversion {
    Conversion { key, time, value: 1_000_000, events: 1 }
}

/// Few identities and times, so that they meet and tie.
pub(super) fn worlds() -> impl Strategy<Value = World> {
    let place = (0_u32..2, 0_u32..3, 0_u32..2).prop_map(|(campaign, placement, creative)| Place {
        campaign,
        placement,
        creative,
    });
    let exposure = (0_u64..6, -6_i64..30, place, 0_usize..3, any::<bool>(), 0_i64..4_000_000);
    let exposure = exposure.prop_map(|(key, time, place, kind, viewable, cost)| Exposure {
        key,
        time: quarter(time),
        place,
        kind: Kind::ALL[kind],
        viewable,
        cost,
    });
    let conversion = (0_u64..6, -6_i64..40, -9_000_000_i64..9_000_000, 1_u8..4);
    let conversion =
        conversion.prop_map(|(key, time, value, events)| Conversion { key, time: quarter(time), value, events });
    (prop::collection::vec(exposure, 0..60), prop::collection::vec(conversion, 0..30))
        .prop_map(|(exposures, conversions)| World { exposures, conversions })
}
