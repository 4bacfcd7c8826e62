//! Made-up campaigns, the same each time: exposures of TV Tube and conversions of Luma, loaded from CSV and measured as
//! the gateway does, for Luma. Only the noise is drawn from a seed.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entente_identity::measure::{
    Bounds, Combine, ConversionEvent, ConversionPlan, Counts, CreditRules, Definition, Dimensions, ExposurePlan,
    MICROS, MeasureFault, Model, Noise, Period, Protection, Report, Sources, Steps, TimeForm, ValueRule, Whose,
    load_conversions, load_exposures, measure,
};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{Control, Input, Mapping};
use entente_identity::{IndexSecret, KeyName};
use entente_report::{About, Campaign};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Ids and names. The first campaign runs mostly early in the month, the last one late.
const CAMPAIGNS: [(&str, &str); 3] =
    [("luma-run-further", "Run further"), ("luma-new-shoe", "The new shoe"), ("luma-outlet", "Outlet days")];
/// Names with how many of ten exposures each has.
const PLACEMENTS: [(&str, u32); 4] = [("Home", 5), ("Sports live", 3), ("Series", 1), ("Late night & repeats", 1)];
const CREATIVES: [(&str, u32); 3] = [("Shoes, 30 seconds", 6), ("Shoes, 15 seconds", 3), ("Trail", 1)];
const KINDS: [(&str, u32); 3] = [("view", 7), ("engaged_view", 2), ("click", 1)];
const MEMORY: usize = 64 << 20;

/// The names of the report.
pub fn about() -> About {
    About {
        name: "Run further, spring".into(),
        project: "Spring".into(),
        viewer: "Luma".into(),
        partner: "TV Tube".into(),
        campaigns: CAMPAIGNS.map(|(id, name)| Campaign { id: id.into(), name: name.into() }).into(),
        finished_at: midnight(day(4, 15)) + TimeDelta::minutes(7),
    }
}

/// The report of campaigns that reached so many people, or a little fewer.
pub fn report(people: u32) -> Result<Report> {
    let bounds = Bounds { impressions: 20, cost_micros: MICROS / 50, conversions: 2, value_micros: 200 * MICROS };
    measured(people, Counts::Protected { epsilon: 1.0, bounds }, 1_000)
}

/// The same with such a protection.
pub fn measured(people: u32, counts: Counts, threshold: u32) -> Result<Report> {
    let directory = tempfile::tempdir()?;
    let mut random = StdRng::seed_from_u64(8);
    let sources = load(directory.path(), &mut random, people)?;
    let protection = Protection { exposures: Whose::Theirs, conversions: Whose::Mine, counts, threshold };
    Ok(measure(&sources, &definition(), protection, &mut Seeded(random), &|_| Control::Continue)?)
}

fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).unwrap_or_default()
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc()
}

fn definition() -> Definition {
    let names = |values: &[(&str, u32)]| values.iter().map(|(name, _)| (*name).to_owned()).collect();
    let event = |name: &str, kind: &str, value| ConversionEvent {
        name: name.into(),
        kind: kind.into(),
        value,
        deduplicate: false,
        combine: Combine::All,
        conditions: Vec::new(),
    };
    Definition {
        period: Period { first: day(3, 1), last: day(3, 31) },
        match_keys: vec!["hashed_email".into()],
        // The last creative is not listed.
        dimensions: Dimensions {
            campaigns: CAMPAIGNS.map(|(id, _)| id.to_owned()).into(),
            placements: names(&PLACEMENTS),
            creatives: names(&CREATIVES[..2]),
        },
        events: vec![
            event("Purchase", "purchase", ValueRule::SumOfValue),
            event("Newsletter", "newsletter", ValueRule::Count),
        ],
        lookback_days: 14,
        credit: CreditRules {
            models: vec![Model::LastTouch, Model::FirstTouch, Model::TIME_DECAY],
            paths: vec![Steps::Campaigns, Steps::Kinds],
            ..CreditRules::default()
        },
    }
}

fn load(directory: &Path, random: &mut StdRng, people: u32) -> Result<Sources> {
    let (secret, scratch) = (IndexSecret::new([8; 16]), directory.join("scratch"));
    std::fs::create_dir_all(&scratch)?;
    let (exposures, conversions) = files(random, people);
    let mapping = || -> Result<Vec<Mapping>> {
        let key = KeyName::new("hashed_email")?;
        Ok(vec![Mapping { column: "email".into(), key, form: Form::HashedEmail, take: Take::Transform }])
    };
    let exposure_plan = ExposurePlan {
        delimiter: b',',
        identities: mapping()?,
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
        memory: MEMORY,
    };
    let conversion_plan = ConversionPlan {
        delimiter: b',',
        identities: mapping()?,
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        any_spelling: false,
        currency: None,
        kind: "type".into(),
        value: Some("value".into()),
        deduplication_key: None,
        attributes: Vec::new(),
        memory: MEMORY,
    };
    let [seen, bought] = ["exposures", "conversions"].map(|name| directory.join(name));
    let go_on = &mut |_| Control::Continue;
    load_exposures(Input::Csv(&mut exposures.as_bytes()), &exposure_plan, &secret, &scratch, &seen, go_on)?;
    load_conversions(Input::Csv(&mut conversions.as_bytes()), &conversion_plan, &secret, &scratch, &bought, go_on)?;
    Ok(Sources { exposures: vec![seen], conversions: vec![bought] })
}

/// Both files. People are exposed up to twelve times, at the end of the week more than in its middle; some buy.
fn files(random: &mut StdRng, people: u32) -> (String, String) {
    let mut exposures = "email,time,campaign,placement,creative,cost,viewable,kind\n".to_owned();
    let mut conversions = "email,time,type,value\n".to_owned();
    for person in 0..people {
        let mut last = midnight(day(3, 1));
        for _ in 0..1 + random.random_range(0..12_u32) * random.random_range(0..12_u32) / 12 {
            let time = moment(random);
            last = last.max(time);
            let [placement, creative, kind] = [&PLACEMENTS[..], &CREATIVES[..], &KINDS[..]].map(|of| pick(random, of));
            let campaign = campaign(random, time);
            let (cost, viewable) = (random.random_range(4..12), random.random_bool(0.7));
            // Writing to a string cannot fail.
            let _ = writeln!(
                exposures,
                "p{person}@example.com,{},{campaign},{placement},\"{creative}\",0.{cost:03},{viewable},{kind}",
                time.to_rfc3339()
            );
        }
        let bought = last + TimeDelta::minutes(random.random_range(1..10_000));
        for (share, kind) in [(0.3, "purchase"), (0.05, "newsletter")] {
            if random.random_bool(share) {
                let (time, value) = (bought.to_rfc3339(), random.random_range(25..180));
                let _ = writeln!(conversions, "p{person}@example.com,{time},{kind},{value}.90");
            }
        }
    }
    (exposures, conversions)
}

fn campaign(random: &mut StdRng, time: DateTime<Utc>) -> &'static str {
    let day = chrono::Datelike::day(&time);
    let [early, always, late] = CAMPAIGNS.map(|(id, _)| id);
    pick(random, &[(early, 36 - day), (always, 8), (late, day)])
}

fn pick<'a>(random: &mut StdRng, values: &[(&'a str, u32)]) -> &'a str {
    let mut left = random.random_range(0..values.iter().map(|(_, share)| share).sum::<u32>());
    for (name, share) in values {
        match left.checked_sub(*share) {
            Some(rest) => left = rest,
            None => return name,
        }
    }
    ""
}

/// A moment of the period: a first try in the middle of the week counts half as often.
fn moment(random: &mut StdRng) -> DateTime<Utc> {
    let moment = |random: &mut StdRng| midnight(day(3, 1)) + TimeDelta::seconds(random.random_range(0..31 * 86_400));
    let first = moment(random);
    let in_mid_week = matches!(chrono::Datelike::weekday(&first).num_days_from_monday(), 1..=3);
    if in_mid_week && random.random_bool(0.5) { moment(random) } else { first }
}

/// Discrete Laplace noise from a seed, as the difference of two geometric numbers. For examples and tests only: real
/// noise must not be foreseen.
struct Seeded(StdRng);

impl Noise for Seeded {
    fn add(
        &mut self,
        values: &[i64],
        sensitivity: i64,
        epsilon: f64,
    ) -> std::result::Result<(Vec<i64>, f64), MeasureFault> {
        let a = (-epsilon / sensitivity as f64).exp();
        let mut geometric = || (self.0.random_range(f64::MIN_POSITIVE..1.0).ln() / a.ln()).floor() as i64;
        let noisy = values.iter().map(|value| value + geometric() - geometric()).collect();
        Ok((noisy, 2.0 * a / (1.0 - a).powi(2)))
    }
}
