//! Generated campaigns with all that is nasty: equal instants, refunds, repeats, conversions before their exposures, events
//! that come late and those outside the period, edges of lookbacks, values that are not listed, people with too many
//! touches.

use crate::duckdb::Files;
use chrono::{DateTime, NaiveDate};
use entente_identity::measure::{
    Combine, Condition, ConversionEvent, ConversionPlan, CreditRules, Definition, Dimensions, ExposurePlan, Field,
    Kind, KindLookback, Model, Period, Sources, Steps, Test, TimeForm, ValueRule, load_conversions, load_exposures,
};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{Control, Input, Mapping};
use entente_identity::{IndexSecret, KeyName};
use std::fmt::Write;
use std::fs::File;
use std::path::Path;

const DAY: i64 = 86_400_000_000;
/// Midnight of the first day.
const FIRST: i64 = 20_513 * DAY;
const DAYS: i64 = 12;
const LOOKBACK_DAYS: u32 = 5;

/// A campaign as files.
pub struct Campaign {
    seed: u64,
    /// The second file was delivered late: its events lie among those of the first.
    exposures: [String; 2],
    conversions: String,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.below(values.len() as u64) as usize]
    }

    /// From two days before the period to a lookback and two days after it: on a grid of six hours, so that many are
    /// equal, or anywhere.
    fn instant(&mut self) -> i64 {
        let span = DAYS + i64::from(LOOKBACK_DAYS) + 4;
        let time = if self.one_in(2) {
            self.below(4 * span as u64) as i64 * (DAY / 4)
        } else {
            self.below((span * DAY) as u64) as i64
        };
        FIRST - 2 * DAY + time
    }
}

fn written(time: i64) -> String {
    DateTime::from_timestamp_micros(time).unwrap().to_rfc3339()
}

impl Campaign {
    pub fn generate(seed: u64) -> Self {
        let random = &mut Random(seed << 32);
        let header = "email,time,campaign,placement,creative,cost,viewable,kind\n";
        let mut exposures = [header.to_owned(), header.to_owned()];
        let mut conversions = "email,time,type,value,order,shop,items,row\n".to_owned();
        let mut rows = 0;
        for person in 0..400 {
            // Most are seldom exposed, one in forty much more often than touches are kept.
            let times = if person % 40 == 39 { 900 } else { random.below(12) };
            let mut seen: Vec<i64> = (0..times).map(|_| random.instant()).collect();
            if person % 40 == 39 {
                // Half of them within a day, so that they are within every lookback.
                seen.iter_mut().skip(450).for_each(|time| *time = FIRST + 3 * DAY + time.rem_euclid(DAY));
            }
            for time in &seen {
                let file = usize::from(random.one_in(3));
                exposure(&mut exposures[file], random, person, *time);
            }
            for _ in 0..random.below(5) {
                rows += 1;
                // On the edge of the lookback of an exposure, a microsecond within or beyond it, or anywhere.
                let time = match (seen.is_empty(), random.below(3)) {
                    (false, 0) => {
                        let lookback = [0, 1, 2, 3, i64::from(LOOKBACK_DAYS)][random.below(5) as usize] * DAY;
                        seen[random.below(seen.len() as u64) as usize] + lookback + random.below(3) as i64 - 1
                    }
                    _ => random.instant(),
                };
                conversion(&mut conversions, random, person, time, rows);
            }
        }
        Self { seed, exposures, conversions }
    }

    pub fn load(&self, directory: &Path) -> (Sources, Files) {
        let secret = IndexSecret::new([7; 16]);
        let (mut sources, mut files) = (Sources::default(), Files { exposures: Vec::new(), conversions: Vec::new() });
        // Every other one has to sort on disk.
        let memory = if self.seed.is_multiple_of(2) { 1 << 24 } else { 20_000 };
        let go_on = &mut |_| Control::Continue;
        for (number, csv) in self.exposures.iter().enumerate() {
            let (file, out) = (directory.join(format!("exposures{number}.csv")), directory.join(format!("e{number}")));
            std::fs::write(&file, csv).unwrap();
            let reader = &mut File::open(&file).unwrap();
            load_exposures(Input::Csv(reader), &exposure_plan(memory), &secret, directory, &out, go_on).unwrap();
            sources.exposures.push(out);
            files.exposures.push(file);
        }
        let (file, out) = (directory.join("conversions.csv"), directory.join("c"));
        std::fs::write(&file, &self.conversions).unwrap();
        let reader = &mut File::open(&file).unwrap();
        let loaded =
            load_conversions(Input::Csv(reader), &conversion_plan(memory), &secret, directory, &out, go_on).unwrap();
        assert!(loaded.repeated_rows > 20, "{}", loaded.repeated_rows);
        sources.conversions.push(out);
        files.conversions.push(file);
        (sources, files)
    }

    /// Five models; rules about kinds that differ from campaign to campaign.
    pub fn definition(&self) -> Definition {
        let lookback = |(kind, days)| KindLookback { kind, days };
        let (lookbacks, priority): (Vec<_>, Vec<_>) = match self.seed % 3 {
            0 => (vec![], vec![]),
            1 => (vec![(Kind::View, 1), (Kind::EngagedView, 3)], vec![Kind::Click]),
            _ => (vec![(Kind::Click, 2)], vec![Kind::EngagedView, Kind::View]),
        };
        let (one, other) = [(40, 40), (30, 0)][self.seed as usize % 2];
        let credit = CreditRules {
            models: vec![
                Model::Linear,
                Model::LastTouch,
                Model::FirstTouch,
                Model::TimeDecay { half_life_hours: 5 + 40 * self.seed as u32 },
                Model::PositionBased { first_percent: one, last_percent: other },
            ],
            lookbacks: lookbacks.into_iter().map(lookback).collect(),
            priority,
            paths: vec![Steps::Kinds, Steps::Campaigns],
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let first = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        Definition {
            period: Period { first, last: first + chrono::Days::new(DAYS as u64 - 1) },
            match_keys: vec!["hashed_email".into()],
            dimensions: Dimensions {
                campaigns: names(&["autumn", "spring", "summer"]),
                placements: names(&["home", "player", "shelf"]),
                creatives: names(&["shirt", "shoes"]),
            },
            events: vec![purchases(), large_or_in_berlin()],
            lookback_days: LOOKBACK_DAYS,
            credit,
        }
    }
}

fn exposure(csv: &mut String, random: &mut Random, person: u64, time: i64) {
    let time = written(time);
    // Of a campaign that is not the report's, at a placement or of a creative that is not listed, or without one.
    let campaign = random.pick(&["autumn", "spring", "spring", "summer", "winter"]);
    let placement = random.pick(&["home", "player", "shelf", "attic", ""]);
    let creative = random.pick(&["shirt", "shoes", "hat", ""]);
    let (cost, viewable) = (random.pick(&["", "0", "0.000001", "0.25", "1.5"]), random.pick(&["true", "false", ""]));
    let kind = random.pick(&["view", "view", "view", "engaged_view", "click", ""]);
    let email = if random.one_in(4) { format!(" Person{person}@Example.com") } else { email(person) };
    let row = format!("{email},{time},{campaign},{placement},{creative},{cost},{viewable},{kind}\n");
    csv.push_str(&row);
    // The same once more: it was shown twice.
    if random.one_in(10) {
        csv.push_str(&row);
    }
}

fn conversion(csv: &mut String, random: &mut Random, person: u64, time: i64, row: u64) {
    let kind = random.pick(&["purchase", "purchase", "purchase", "visit"]);
    let value = random.pick(&["30", "0.000007", "-10", "-0.000001", "0", "", "1999999.999999", "1000000000", "99.99"]);
    // Few orders, so that they repeat, also of other people and at the same instant.
    let order = if random.one_in(3) { String::new() } else { format!("o{}", random.below(600)) };
    let (shop, items) = (random.pick(&["Berlin", "Paris", ""]), random.pick(&["1", "3", "many", ""]));
    writeln!(csv, "{},{},{kind},{value},{order},{shop},{items},{row}", email(person), written(time)).unwrap();
}

fn email(person: u64) -> String {
    format!("person{person}@example.com")
}

fn purchases() -> ConversionEvent {
    ConversionEvent {
        name: "Purchases".into(),
        kind: "purchase".into(),
        value: ValueRule::SumOfValue,
        deduplicate: true,
        combine: Combine::All,
        conditions: vec![],
    }
}

/// Every repeat counts.
fn large_or_in_berlin() -> ConversionEvent {
    let of = |name: &str, test| Condition { field: Field::Attribute(name.into()), test };
    ConversionEvent {
        name: "Large or in Berlin".into(),
        deduplicate: false,
        combine: Combine::Any,
        conditions: vec![of("items", Test::Greater(2_000_000)), of("shop", Test::Equals("Berlin".into()))],
        ..purchases()
    }
}

fn identity() -> Vec<Mapping> {
    let key = KeyName::new("hashed_email").unwrap();
    vec![Mapping { column: "email".into(), key, form: Form::HashedEmail, take: Take::Transform }]
}

fn exposure_plan(memory: usize) -> ExposurePlan {
    ExposurePlan {
        delimiter: b',',
        identities: identity(),
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        any_spelling: false,
        campaigns: None,
        campaign: "campaign".into(),
        placement: Some("placement".into()),
        creative: Some("creative".into()),
        cost: Some("cost".into()),
        viewable: Some("viewable".into()),
        kind: Some("kind".into()),
        memory,
    }
}

fn conversion_plan(memory: usize) -> ConversionPlan {
    ConversionPlan {
        delimiter: b',',
        identities: identity(),
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        any_spelling: false,
        currency: None,
        kind: "type".into(),
        value: Some("value".into()),
        deduplication_key: Some("order".into()),
        attributes: vec!["shop".into(), "items".into()],
        memory,
    }
}
