//! One small campaign, worked out by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::world::{EXACT, World, conversion, definition, exposure, quarter};
use crate::measure::credit::{CreditRules, KindLookback, Model, Steps};
use crate::measure::definition::Definition;
use crate::measure::event::{Conversion, Exposure, Kind, Place};
use crate::measure::noise::DiscreteLaplace;
use crate::measure::protect::protect;
use crate::measure::report::{Credit, EventReport, Figure, PathConversions, Report};

fn exact<T>(value: T) -> Figure<T> {
    Figure::Value { value, standard_error: 0.0 }
}

/// Ann sees Spring on day 1 (viewable, 0.50) and clicks Summer on day 3 (1.25); Bob sees Spring on days 1 and 2, the
/// second time at an unlisted placement. Ann buys for 30 on day 4 and returns for -10 on day 5; Bob buys for 20 on day 6.
/// Cleo, never exposed, buys for 100 on day 2.
fn report() -> Report {
    report_of(definition())
}

fn report_of(definition: Definition) -> Report {
    let (ann, bob, cleo) = (1, 2, 3);
    let at = |campaign, placement| Place { campaign, placement, creative: 0 };
    let exposures = vec![
        Exposure { place: at(0, 0), cost: 500_000, ..exposure(ann, quarter(0)) },
        Exposure { place: at(1, 1), cost: 1_250_000, kind: Kind::Click, viewable: false, ..exposure(ann, quarter(8)) },
        Exposure { place: at(0, 0), ..exposure(bob, quarter(1)) },
        Exposure { place: at(0, 2), viewable: false, ..exposure(bob, quarter(5)) },
    ];
    let conversions = vec![
        Conversion { value: 30_000_000, ..conversion(ann, quarter(12)) },
        Conversion { value: -10_000_000, ..conversion(ann, quarter(16)) },
        Conversion { value: 20_000_000, ..conversion(bob, quarter(20)) },
        Conversion { value: 100_000_000, ..conversion(cleo, quarter(4)) },
    ];
    let raw = World { exposures, conversions }.count(&definition, EXACT);
    protect(&raw, &definition, EXACT, &mut DiscreteLaplace).unwrap()
}

#[test]
fn the_summary() {
    let report = report();
    let total = &report.summary.total;
    assert_eq!(total.impressions, exact(4));
    assert_eq!(total.viewable, exact(2));
    assert_eq!(total.reach, exact(2));
    assert_eq!(total.cost, exact(1_750_000));
    assert_eq!(report.summary.average_frequency, exact(2.0));
    let impressions: Vec<_> = report.over_time.iter().map(|day| day.metrics.impressions.value().unwrap()).collect();
    assert_eq!(impressions, [2, 1, 1, 0, 0]);
    let reach: Vec<_> = report.cumulative_reach.iter().map(|day| day.reach.value().unwrap()).collect();
    assert_eq!(reach, [2, 2, 2, 2, 2]);
    let frequency: Vec<_> = report.frequency.iter().map(|row| row.reach.value().unwrap()).collect();
    assert_eq!(frequency, [0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((report.frequency[9].frequency, report.frequency[9].or_more), (10, true));
    assert_eq!(report.epsilon_spent, 0.0);
}

#[test]
fn by_dimension() {
    let report = report();
    let tables: Vec<Vec<_>> = report
        .by_dimension
        .iter()
        .map(|table| {
            let row = |row: &crate::measure::report::DimensionMetrics| {
                let metrics = &row.metrics;
                let figures = [metrics.impressions, metrics.reach, metrics.cost].map(|figure| figure.value().unwrap());
                (row.value.clone().unwrap_or_else(|| "rest".into()), figures)
            };
            table.rows.iter().map(row).collect()
        })
        .collect();
    let row = |name: &str, figures: [i64; 3]| (name.to_owned(), figures);
    assert_eq!(tables[0], [row("spring", [3, 2, 500_000]), row("summer", [1, 1, 1_250_000])]);
    assert_eq!(tables[1], [row("home", [2, 2, 500_000]), row("player", [1, 1, 1_250_000]), row("rest", [1, 1, 0])]);
    assert_eq!(tables[2], [row("shoes", [4, 2, 1_750_000]), row("rest", [0, 0, 0])]);
    assert_eq!(
        tables[3],
        [row("view", [3, 2, 500_000]), row("engaged_view", [0, 0, 0]), row("click", [1, 1, 1_250_000])]
    );
}

#[test]
fn the_attribution() {
    let attribution = report().attribution.unwrap();
    assert_eq!(attribution.lookback_days, 2);
    let purchases = &attribution.per_event[0];
    // Bob's purchase is more than two days after his last exposure, Cleo never had one.
    assert_eq!(purchases.credited.conversions, exact(2));
    assert_eq!(purchases.credited.revenue, exact(20_000_000));
    assert_eq!(purchases.all.conversions, exact(4));
    assert_eq!(purchases.all.revenue, exact(140_000_000));
    let by_day: Vec<_> = purchases.by_day.iter().map(|day| day.credited.conversions.value().unwrap()).collect();
    assert_eq!(by_day, [0, 0, 0, 1, 1, 0, 0]);
    let revenue: Vec<_> = purchases.cumulative.iter().map(|day| day.credited.revenue.value().unwrap()).collect();
    assert_eq!(revenue, [0, 0, 0, 30_000_000, 20_000_000, 20_000_000, 20_000_000]);
    let by_campaign: Vec<_> =
        purchases.by_campaign.iter().map(|row| row.credited.conversions.value().unwrap()).collect();
    assert_eq!(by_campaign, [0, 2]);
    let visits = &attribution.per_event[1];
    assert_eq!(visits.credited.conversions, exact(0));
    assert_eq!(visits.credited.revenue, Figure::NotMeasured);
}

/// With a lookback of four days: three of the four conversions are credited.
fn five_models(rules: CreditRules) -> EventReport {
    let credit = CreditRules {
        models: vec![
            Model::LastTouch,
            Model::FirstTouch,
            Model::Linear,
            Model::TimeDecay { half_life_hours: 24 },
            Model::PositionBased { first_percent: 30, last_percent: 10 },
        ],
        paths: vec![Steps::Kinds, Steps::Campaigns],
        ..rules
    };
    let report = report_of(Definition { lookback_days: 4, credit, ..definition() });
    report.attribution.unwrap().per_event.remove(0)
}

/// Credit and revenue of Spring and of Summer by each model, in hundredths.
fn by_campaign(event: &EventReport) -> Vec<[[i64; 2]; 2]> {
    let hundredths = |figure: Figure<i64>| figure.value().unwrap() / 10_000;
    let of_row = |row: &Credit| [hundredths(row.conversions), hundredths(row.revenue)];
    event.models.iter().map(|model| [of_row(&model.by_campaign[0]), of_row(&model.by_campaign[1])]).collect()
}

#[test]
fn five_models_share_the_credit() {
    let event = five_models(CreditRules::default());
    assert_eq!(event.credited.conversions, exact(3));
    assert_eq!(event.credited.revenue, exact(40_000_000));
    assert_eq!(
        by_campaign(&event),
        [
            [[100, 2_000], [200, 2_000]],
            [[300, 4_000], [0, 0]],
            [[200, 3_000], [100, 1_000]],
            [[140, 2_400], [160, 1_600]],
            [[250, 3_500], [50, 500]],
        ]
    );
    // The first model, in whole conversions.
    let whole: Vec<_> = event.by_campaign.iter().map(|row| row.credited.conversions.value().unwrap()).collect();
    assert_eq!(whole, [1, 2]);
}

#[test]
fn paths_to_the_conversions() {
    let event = five_models(CreditRules::default());
    let paths: Vec<Vec<(String, i64)>> = event
        .paths
        .iter()
        .map(|report| {
            let row = |path: &PathConversions| (path.steps.join(" "), path.conversions.value().unwrap());
            report.paths.iter().map(row).filter(|(_, conversions)| *conversions > 0).collect()
        })
        .collect();
    let row = |path: &str, conversions| (path.to_owned(), conversions);
    assert_eq!(paths[0], [row("view click", 2), row("view", 1)]);
    assert_eq!(paths[1], [row("spring summer", 2), row("spring", 1)]);
}

#[test]
fn clicks_go_before_views() {
    let event = five_models(CreditRules { priority: vec![Kind::Click], ..CreditRules::default() });
    assert_eq!(by_campaign(&event), [[[100, 2_000], [200, 2_000]]; 5]);
    assert_eq!(event.paths, five_models(CreditRules::default()).paths);
}

#[test]
fn views_count_for_a_day() {
    let view = KindLookback { kind: Kind::View, days: 1 };
    let event = five_models(CreditRules { lookbacks: vec![view], ..CreditRules::default() });
    assert_eq!(event.credited.conversions, exact(2));
    assert_eq!(by_campaign(&event), [[[0, 0], [200, 2_000]]; 5]);
}

#[test]
fn rates_of_the_summary() {
    let total = report().summary.total;
    assert_eq!(total.frequency(), exact(2.0));
    assert_eq!(total.viewable_rate(), exact(0.5));
    // 1.75 for 4 impressions of 2 people.
    assert_eq!(total.cost_per_thousand(), exact(437_500_000.0));
    assert_eq!(total.cost_per_person(), exact(875_000.0));
}

#[test]
fn a_report_is_stored_and_read_again() {
    let report = report();
    let stored = serde_json::to_string(&report).unwrap();
    assert!(stored.contains(r#""impressions":{"state":"VALUE","value":4,"standard_error":0.0}"#), "{stored}");
    assert_eq!(serde_json::from_str::<Report>(&stored).unwrap(), report);
}

#[test]
fn a_report_of_version_1_is_still_read() {
    let mut stored = serde_json::to_value(report()).unwrap();
    stored["version"] = 1.into();
    stored["definition"].as_object_mut().unwrap().remove("credit").unwrap();
    for event in stored["attribution"]["per_event"].as_array_mut().unwrap() {
        let event = event.as_object_mut().unwrap();
        assert!(event.remove("models").is_some() && event.remove("paths").is_some());
    }
    let read: Report = serde_json::from_value(stored).unwrap();
    assert_eq!(read.definition, report().definition);
    let (old, new) = (read.attribution.unwrap(), report().attribution.unwrap());
    assert_eq!(old.per_event[0].by_campaign, new.per_event[0].by_campaign);
    assert!(old.per_event[0].models.is_empty());
}
