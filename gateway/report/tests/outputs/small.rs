//! A small report with every kind of table and every kind of figure.

use chrono::{DateTime, NaiveDate};
use entente_identity::measure::{
    Attribution, Bounds, Breakdown, Combine, ConversionEvent, Conversions, Counts, Credit, CreditRules,
    CumulativeReach, DayConversions, DayMetrics, Definition, DimensionConversions, DimensionMetrics, DimensionTable,
    Dimensions, EventReport, Figure, FrequencyReach, MICROS, Metrics, Model, ModelReport, PathConversions, PathReport,
    Period, Protection, REPORT_VERSION, Report, Steps, Summary, ValueRule, Whose,
};
use entente_report::{About, Campaign};

fn value<T>(value: T, standard_error: f64) -> Figure<T> {
    Figure::Value { value, standard_error }
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
}

pub fn about() -> About {
    About {
        name: "Spring".into(),
        project: "Run further".into(),
        viewer: "Luma".into(),
        partner: "TV Tube".into(),
        campaigns: vec![Campaign { id: "spring".into(), name: "Spring shoes".into() }],
        finished_at: DateTime::from_timestamp(1_774_000_000, 0).unwrap(),
    }
}

fn metrics(impressions: i64) -> Metrics {
    Metrics {
        impressions: value(impressions, 120.0),
        viewable: value(impressions / 2, 80.5),
        reach: value(impressions / 3, 60.0),
        cost: value(impressions * MICROS / 200, 4_200_000.0),
    }
}

const NOTHING: Metrics = Metrics {
    impressions: Figure::BelowThreshold,
    viewable: Figure::BelowThreshold,
    reach: Figure::BelowThreshold,
    cost: Figure::NotMeasured,
};

fn credited(conversions: i64) -> Conversions {
    Conversions { conversions: value(conversions, 30.0), revenue: value(-conversions * 2_500_000, 40_000_000.0) }
}

const WITHHELD: Conversions = Conversions { conversions: Figure::BelowThreshold, revenue: Figure::BelowThreshold };

fn event(name: &str) -> EventReport {
    let days = |of: [Conversions; 3]| {
        of.into_iter().zip(1..).map(|(credited, number)| DayConversions { day: day(number), credited }).collect()
    };
    let row = |value: Option<&str>, credited| DimensionConversions { value: value.map(str::to_owned), credited };
    EventReport {
        event: name.into(),
        credited: credited(4_000),
        all: Conversions { conversions: value(9_000, 0.0), revenue: value(-22_500_000_000, 0.0) },
        by_day: days([credited(1_500), WITHHELD, credited(2_500)]),
        cumulative: days([credited(1_500), credited(1_500), credited(4_000)]),
        by_campaign: vec![row(Some("spring"), credited(4_000))],
        by_placement: vec![
            row(Some("Home"), credited(1_200)),
            row(Some("Sports"), WITHHELD),
            row(None, credited(2_800)),
        ],
        by_creative: vec![row(Some("Shoes"), WITHHELD), row(None, WITHHELD)],
        models: MODELS.map(credit).into(),
        paths: vec![
            paths(Steps::Kinds, &[(&["view", "click"], 1_700), (&["engaged_view"], 1_300)]),
            paths(Steps::Campaigns, &[(&["spring"], 2_500), (&["spring", "spring"], 1_500)]),
        ],
    }
}

/// Two of the same name among them.
const MODELS: [Model; 5] = [
    Model::LastTouch,
    Model::Linear,
    Model::TimeDecay { half_life_hours: 24 },
    Model::TimeDecay { half_life_hours: 168 },
    Model::PositionBased { first_percent: 50, last_percent: 30 },
];

fn credit(model: Model) -> ModelReport {
    let part = if model == Model::LastTouch { 0 } else { 250_001 };
    let row = |of: Option<&str>, conversions: i64| Credit {
        value: of.map(str::to_owned),
        conversions: value(conversions * MICROS + part, 30_000_000.5),
        revenue: value(-conversions * 2_500_000, 40_000_000.0),
    };
    let withheld = |of: Option<&str>| Credit {
        value: of.map(str::to_owned),
        conversions: Figure::BelowThreshold,
        revenue: Figure::BelowThreshold,
    };
    ModelReport {
        model,
        by_campaign: vec![row(Some("spring"), 4_000)],
        by_placement: vec![row(Some("Home"), 1_200), withheld(Some("Sports")), row(None, 2_800)],
        by_creative: vec![withheld(Some("Shoes")), withheld(None)],
    }
}

fn paths(over: Steps, paths: &[(&[&str], i64)]) -> PathReport {
    let path = |(steps, conversions): &(&[&str], i64)| PathConversions {
        steps: steps.iter().map(|step| (*step).to_owned()).collect(),
        conversions: value(*conversions, 30.0),
    };
    PathReport { over, paths: paths.iter().map(path).collect() }
}

fn definition() -> Definition {
    Definition {
        period: Period { first: day(1), last: day(3) },
        match_keys: vec!["hashed_email".into(), "hashed_phone".into()],
        dimensions: Dimensions {
            campaigns: vec!["spring".into()],
            placements: vec!["Home".into(), "Sports".into()],
            creatives: vec!["Shoes".into()],
        },
        events: vec![ConversionEvent {
            name: "Purchase".into(),
            kind: "purchase".into(),
            value: ValueRule::SumOfValue,
            deduplicate: true,
            combine: Combine::All,
            conditions: Vec::new(),
        }],
        lookback_days: 7,
        credit: CreditRules {
            models: MODELS.into(),
            paths: vec![Steps::Kinds, Steps::Campaigns],
            ..CreditRules::default()
        },
    }
}

fn dimension(dimension: Breakdown, rows: Vec<(Option<&str>, Metrics)>) -> DimensionTable {
    let rows = rows.into_iter().map(|(value, metrics)| DimensionMetrics { value: value.map(str::to_owned), metrics });
    DimensionTable { dimension, rows: rows.collect() }
}

/// What a side reads of the other's people: with noise, and something withheld.
pub fn report() -> Report {
    let bounds = Bounds { impressions: 20, cost_micros: MICROS, conversions: 5, value_micros: 200 * MICROS };
    let counts = Counts::Protected { epsilon: 1.5, bounds };
    let protection = Protection { exposures: Whose::Theirs, conversions: Whose::Mine, counts, threshold: 1_000 };
    let definition = definition();
    Report {
        version: REPORT_VERSION,
        protection,
        shares: protection.shares(&definition),
        definition,
        summary: Summary { total: metrics(30_000), average_frequency: value(3.0, 0.02) },
        over_time: [metrics(12_000), NOTHING, metrics(18_000)]
            .into_iter()
            .zip(1..)
            .map(|(metrics, number)| DayMetrics { day: day(number), metrics })
            .collect(),
        frequency: [value(5_000, 45.0), value(3_000, 45.0), Figure::BelowThreshold]
            .into_iter()
            .zip(1..)
            .map(|(reach, frequency)| FrequencyReach { frequency, or_more: frequency == 3, reach })
            .collect(),
        by_dimension: vec![
            dimension(Breakdown::Campaign, vec![(Some("spring"), metrics(30_000))]),
            dimension(
                Breakdown::Placement,
                vec![(Some("Home"), metrics(9_000)), (Some("Sports"), metrics(15_000)), (None, metrics(6_000))],
            ),
            dimension(Breakdown::Creative, vec![(Some("Shoes"), NOTHING), (None, NOTHING)]),
            dimension(
                Breakdown::Kind,
                vec![(Some("view"), metrics(24_000)), (Some("engaged_view"), metrics(6_000)), (Some("click"), NOTHING)],
            ),
        ],
        cumulative_reach: [5_000, 7_000, 10_000]
            .into_iter()
            .zip(1..)
            .map(|(reach, number)| CumulativeReach { day: day(number), reach: value(reach, 45.0) })
            .collect(),
        attribution: Some(Attribution { lookback_days: 7, per_event: vec![event("Purchase")] }),
        epsilon_spent: 1.5,
    }
}

/// What a side reads of its own people: exact, without attribution.
pub fn own() -> Report {
    let report = report();
    let protection = Protection { exposures: Whose::Mine, ..report.protection };
    Report { protection, attribution: None, shares: Vec::new(), epsilon_spent: 0.0, ..report }
}

/// The report with this name wherever somebody may have typed one.
pub fn named(name: &str) -> (About, Report) {
    let mut report = report();
    let name = name.to_owned();
    let definition = &mut report.definition;
    definition.dimensions.campaigns = vec![name.clone()];
    definition.match_keys = vec![name.clone()];
    definition.events[0].name.clone_from(&name);
    for row in report.by_dimension.iter_mut().flat_map(|table| &mut table.rows) {
        row.value = Some(name.clone());
    }
    for event in report.attribution.iter_mut().flat_map(|attribution| &mut attribution.per_event) {
        event.event.clone_from(&name);
        for rows in [&mut event.by_campaign, &mut event.by_placement, &mut event.by_creative] {
            rows.iter_mut().for_each(|row| row.value = Some(name.clone()));
        }
        for model in &mut event.models {
            for rows in [&mut model.by_campaign, &mut model.by_placement, &mut model.by_creative] {
                rows.iter_mut().for_each(|row| row.value = Some(name.clone()));
            }
        }
        let over_campaigns = event.paths.iter_mut().filter(|paths| paths.over == Steps::Campaigns);
        for path in over_campaigns.flat_map(|paths| &mut paths.paths) {
            path.steps.iter_mut().for_each(|step| step.clone_from(&name));
        }
    }
    let about = About {
        name: name.clone(),
        project: name.clone(),
        viewer: name.clone(),
        partner: name.clone(),
        campaigns: vec![Campaign { id: name.clone(), name }],
        ..about()
    };
    (about, report)
}
