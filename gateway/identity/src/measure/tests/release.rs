//! What is released: noise as stated, figures that agree, and nothing about too few people.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::world::{EXACT, World, conversion, definition, exposure, five_models, protected, quarter};
use crate::measure::definition::Definition;
use crate::measure::event::{Conversion, Exposure, Place};
use crate::measure::noise::DiscreteLaplace;
use crate::measure::protect::protect;
use crate::measure::protection::{Counts, Protection, Whose};
use crate::measure::raw::Raw;
use crate::measure::report::{Conversions, Figure, Metrics, Report};

/// So many people, spread over all cells; and a quarter as many who convert without having been exposed.
fn crowd(people: u64) -> World {
    let exposures = (0..people).flat_map(|key| {
        let place = Place { campaign: (key % 2) as u32, placement: (key % 3) as u32, creative: (key / 2 % 2) as u32 };
        let kind = crate::measure::event::Kind::ALL[(key % 3) as usize];
        let seen = move |time| Exposure { place, kind, viewable: key % 5 < 2, cost: 1_000_000, ..exposure(key, time) };
        let start = (key % 18) as i64;
        (0..=(key % 3) as i64).map(move |later| seen(quarter(start + later)))
    });
    let conversions = (0..people + people / 4).map(|key| Conversion {
        value: 3_000_000,
        events: 3,
        ..conversion(key, quarter((key % 18) as i64 + 2))
    });
    World { exposures: exposures.collect(), conversions: conversions.collect() }
}

fn release(raw: &Raw, definition: &Definition, protection: Protection) -> Report {
    protect(raw, definition, protection, &mut DiscreteLaplace).unwrap()
}

fn both_sides() -> Protection {
    protected(Whose::Theirs, Whose::Theirs)
}

fn parts<'a>(figures: impl Iterator<Item = &'a Figure<i64>>) -> i64 {
    figures.map(|figure| figure.value().unwrap()).sum()
}

#[test]
fn parts_agree_with_their_totals() {
    let (definition, protection) = (definition(), both_sides());
    let raw = crowd(40_000).count(&definition, protection);
    let open = Protection { threshold: 0, ..protection };
    for _ in 0..20 {
        let report = release(&raw, &definition, open);
        let total = &report.summary.total;
        let agree = |metrics: Vec<&Metrics>| {
            let cell = |metrics: &&Metrics| {
                let clear = |figure: &Figure<i64>| figure.value().is_some();
                clear(&metrics.impressions) && clear(&metrics.viewable) && clear(&metrics.cost)
            };
            if !metrics.iter().all(cell) {
                return false;
            }
            assert_eq!(parts(metrics.iter().map(|metrics| &metrics.impressions)), total.impressions.value().unwrap());
            assert_eq!(parts(metrics.iter().map(|metrics| &metrics.viewable)), total.viewable.value().unwrap());
            assert_eq!(parts(metrics.iter().map(|metrics| &metrics.cost)), total.cost.value().unwrap());
            true
        };
        assert!(agree(report.over_time.iter().map(|row| &row.metrics).collect()));
        for table in &report.by_dimension {
            assert!(agree(table.rows.iter().map(|row| &row.metrics).collect()), "{:?}", table.dimension);
        }
        let reach = total.reach.value().unwrap();
        let cumulative: Vec<i64> = report.cumulative_reach.iter().map(|day| day.reach.value().unwrap()).collect();
        assert!(cumulative.is_sorted());
        assert_eq!(cumulative.last(), Some(&reach));
        let purchases = &report.attribution.as_ref().unwrap().per_event[0];
        let credited = purchases.credited.conversions.value().unwrap();
        assert_eq!(parts(purchases.by_campaign.iter().map(|row| &row.credited.conversions)), credited);
        assert_eq!(purchases.cumulative.last().unwrap().credited.conversions.value(), Some(credited));
        assert!(purchases.all.conversions.value().unwrap() >= credited);
    }
}

/// Picks one figure of a report.
type Pick = fn(&Report) -> Figure<i64>;

const PICKS: [(&str, Pick); 12] = [
    ("reach", |report| report.summary.total.reach),
    ("impressions", |report| report.summary.total.impressions),
    ("cost", |report| report.summary.total.cost),
    ("impressions of a day", |report| report.over_time[2].metrics.impressions),
    ("reach of a day", |report| report.over_time[2].metrics.reach),
    ("cost of a campaign", |report| report.by_dimension[0].rows[1].metrics.cost),
    ("frequency 2", |report| report.frequency[1].reach),
    ("cumulative reach", |report| report.cumulative_reach[1].reach),
    ("conversions", |report| purchases(report).credited.conversions),
    ("all conversions", |report| purchases(report).all.conversions),
    ("cumulative revenue", |report| purchases(report).cumulative[2].credited.revenue),
    ("revenue of a campaign", |report| purchases(report).by_campaign[0].credited.revenue),
];

fn purchases(report: &Report) -> &crate::measure::report::EventReport {
    &report.attribution.as_ref().unwrap().per_event[0]
}

#[test]
fn standard_errors_are_as_stated_and_figures_unbiased() {
    let (definition, protection) = (definition(), both_sides());
    let raw = crowd(40_000).count(&definition, protection);
    let truth = release(&raw, &definition, Protection { counts: Counts::Exact, ..protection });
    let reports: Vec<Report> = (0..1_500).map(|_| release(&raw, &definition, protection)).collect();
    for (name, pick) in PICKS {
        let expected = pick(&truth).value().unwrap() as f64;
        let mut errors = Vec::new();
        let mut stated = 0.0;
        for report in &reports {
            let Figure::Value { value, standard_error } = pick(report) else {
                unreachable!("{name} is far above the threshold");
            };
            errors.push(value as f64 - expected);
            stated = standard_error;
        }
        let count = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / count;
        let spread = (errors.iter().map(|error| error * error).sum::<f64>() / count).sqrt();
        assert!(mean.abs() < 4.5 * stated / count.sqrt(), "{name}: off by {mean}, {stated} stated");
        assert!((spread / stated - 1.0).abs() < 0.12, "{name}: {spread} for {stated}");
    }
}

fn all_figures(report: &Report) -> Vec<Figure<i64>> {
    let metrics = |metrics: &Metrics| vec![metrics.impressions, metrics.viewable, metrics.reach, metrics.cost];
    let credits = |credits: &Conversions| vec![credits.conversions, credits.revenue];
    let mut all = metrics(&report.summary.total);
    all.extend(report.over_time.iter().flat_map(|row| metrics(&row.metrics)));
    all.extend(report.by_dimension.iter().flat_map(|table| &table.rows).flat_map(|row| metrics(&row.metrics)));
    all.extend(report.frequency.iter().map(|row| row.reach));
    all.extend(report.cumulative_reach.iter().map(|row| row.reach));
    for event in report.attribution.iter().flat_map(|attribution| &attribution.per_event) {
        all.extend(credits(&event.credited).into_iter().chain(credits(&event.all)));
        all.extend(event.by_day.iter().chain(&event.cumulative).flat_map(|row| credits(&row.credited)));
        let dimensions = [&event.by_campaign, &event.by_placement, &event.by_creative];
        all.extend(dimensions.into_iter().flatten().flat_map(|row| credits(&row.credited)));
    }
    all
}

#[test]
fn nothing_about_too_few_people_is_released() {
    let definition = definition();
    for (exposures, conversions) in [(Whose::Mine, Whose::Mine), (Whose::Theirs, Whose::Mine)] {
        for counts in [Counts::Exact, protected(exposures, conversions).counts] {
            let protection = Protection { exposures, conversions, counts, threshold: 1_000 };
            let raw = crowd(600).count(&definition, protection);
            let report = release(&raw, &definition, protection);
            let released: Vec<_> = all_figures(&report).into_iter().filter(|figure| figure.value().is_some()).collect();
            assert_eq!(report.summary.average_frequency, Figure::BelowThreshold);
            assert!(released.is_empty(), "{protection:?} {released:?}");
        }
    }
}

#[test]
fn many_events_of_few_people_are_withheld_too() {
    // Ten people with 300 exposures each: 3,000 impressions, but of ten people.
    let exposures = (0..3_000).map(|number| exposure(number % 10, quarter(0) + number as i64)).collect();
    let conversions = (0..3_000).map(|number| conversion(number % 10, quarter(1) + number as i64)).collect();
    let world = World { exposures, conversions };
    let protection = Protection { threshold: 1_000, ..EXACT };
    let raw = world.count(&definition(), protection);
    let report = release(&raw, &definition(), protection);
    assert!(all_figures(&report).iter().all(|figure| figure.value().is_none()));
}

#[test]
fn without_a_bound_on_cost_cost_is_not_measured() {
    let mut protection = both_sides();
    if let Counts::Protected { bounds, .. } = &mut protection.counts {
        bounds.cost_micros = 0;
    }
    let raw = crowd(10_000).count(&definition(), protection);
    let report = release(&raw, &definition(), protection);
    assert_eq!(report.summary.total.cost, Figure::NotMeasured);
    assert!(report.summary.total.impressions.value().is_some());
}

#[test]
fn own_conversions_are_exact_beside_the_other_sides_exposures() {
    let protection = protected(Whose::Theirs, Whose::Mine);
    let raw = crowd(10_000).count(&definition(), protection);
    let report = release(&raw, &definition(), protection);
    assert_eq!(purchases(&report).all.conversions, Figure::Value { value: 12_500, standard_error: 0.0 });
    assert!(
        matches!(purchases(&report).credited.conversions, Figure::Value { standard_error, .. } if standard_error > 0.0)
    );
}

/// Half of the crowd in one placement, the other half in two others; 297 that are listed had nobody.
fn sparse() -> (Raw, Definition, Protection) {
    let mut definition = five_models();
    definition.credit.priority.clear();
    definition.credit.lookbacks.clear();
    let placements = (0..300).map(|number| format!("{number:03}"));
    definition.dimensions.placements = placements.collect();
    let mut world = crowd(60_000);
    for exposure in &mut world.exposures {
        exposure.place.placement = [7, 7, 100, 299][(exposure.key % 4) as usize];
    }
    let protection = Protection { threshold: 1_000, ..both_sides() };
    (world.count(&definition, protection), definition, protection)
}

/// Every figure of an attribution but quotients, in a fixed order.
fn credited(report: &Report) -> Vec<Figure<i64>> {
    let mut all = all_figures(report);
    for event in report.attribution.iter().flat_map(|attribution| &attribution.per_event) {
        for model in &event.models {
            let rows = [&model.by_campaign, &model.by_placement, &model.by_creative].into_iter().flatten();
            all.extend(rows.flat_map(|row| [row.conversions, row.revenue]));
        }
    }
    all
}

#[test]
fn intervals_hold_the_truth_as_often_as_stated() {
    let (raw, definition, protection) = sparse();
    let truth = credited(&release(&raw, &definition, Protection { counts: Counts::Exact, threshold: 0, ..protection }));
    let runs = 400;
    let (mut shown, mut held) = (vec![0_u32; truth.len()], vec![0_u32; truth.len()]);
    for _ in 0..runs {
        let report = release(&raw, &definition, protection);
        for (place, figure) in credited(&report).iter().enumerate() {
            if let (Some(interval), Some(truth)) = (figure.interval(), truth[place].value()) {
                shown[place] += 1;
                held[place] += u32::from((interval.low..=interval.high).contains(&truth));
            }
        }
    }
    // Those that are always shown: of others only draws that were too high are, at times.
    let always: Vec<usize> = (0..truth.len()).filter(|place| shown[*place] == runs).collect();
    assert!(always.len() > 100, "{}", always.len());
    for place in &always {
        // Nineteen of twenty, less 4.5 standard deviations.
        assert!(held[*place] >= 360, "figure {place}: {} of {runs}", held[*place]);
    }
    let all: u32 = always.iter().map(|place| held[*place]).sum();
    let share = f64::from(all) / f64::from(runs) / always.len() as f64;
    assert!((0.95..0.99).contains(&share), "{share}");
}

#[test]
fn models_and_paths_agree_with_the_credited_conversions() {
    let (raw, definition, protection) = sparse();
    let open = Protection { threshold: 0, counts: protection.counts, ..protection };
    for protection in [open, Protection { counts: Counts::Exact, ..open }] {
        let report = release(&raw, &definition, protection);
        let event = purchases(&report);
        let total = event.credited.conversions.value().unwrap();
        assert_eq!(event.models.len(), 5);
        for model in &event.models {
            let shown: Vec<i64> = model.by_campaign.iter().filter_map(|row| row.conversions.value()).collect();
            assert_eq!(shown.iter().sum::<i64>(), total * 1_000_000, "{:?}", model.model);
            let revenue: i64 = model.by_campaign.iter().filter_map(|row| row.revenue.value()).sum();
            assert_eq!(Some(revenue), event.credited.revenue.value(), "{:?}", model.model);
        }
        assert_eq!(parts(event.by_campaign.iter().map(|row| &row.credited.conversions)), total);
        let of_kinds: i64 = event.paths[0].paths.iter().filter_map(|path| path.conversions.value()).sum();
        // Of a noisy report those are left out that do not stand out from their noise.
        assert!(of_kinds > total * 9 / 10 && of_kinds < total * 11 / 10, "{of_kinds} of {total}");
    }
}
