//! Reports before noise, figure by figure, against what DuckDB counts in SQL on the same files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod campaign;
mod duckdb;

use campaign::Campaign;
use duckdb::{Counts, Figures, count};
use entente_identity::measure::{
    Breakdown, Conversions, Counts as Protected, Credit, Definition, DiscreteLaplace, EventReport, Figure, Metrics,
    Protection, Report, Steps, Whose, measure,
};
use entente_identity::source::Control;
use std::collections::BTreeMap;

/// Reports of campaigns of which each is nasty in its own way; and of the same campaigns again with a threshold, so that
/// the people of every cell are compared as well.
#[test]
fn reports_are_what_duckdb_counts() {
    let Some(python) = duckdb::python() else { return };
    for seed in 0..6 {
        let directory = tempfile::tempdir().unwrap();
        let campaign = Campaign::generate(seed);
        let (sources, files) = campaign.load(directory.path());
        let definition = campaign.definition();
        let counts = count(&python, directory.path(), &definition, &files);
        for threshold in [0, 1, 4, 25] {
            let protection =
                Protection { exposures: Whose::Mine, conversions: Whose::Mine, counts: Protected::Exact, threshold };
            let report =
                measure(&sources, &definition, protection, &mut DiscreteLaplace, &|_| Control::Continue).unwrap();
            let compared = compare(&report, &counts, i64::from(threshold));
            assert!(compared > 400, "{compared}");
        }
    }
}

/// Compares figures, and counts them.
struct Comparison {
    threshold: i64,
    compared: usize,
}

impl Comparison {
    /// A count, in parts so many of which make one, that is shown when the cell has enough people.
    fn parts(&mut self, what: &str, found: Figure<i64>, expected: i64, people: i64, parts: i64) {
        let enough = people >= self.threshold && expected >= self.threshold * parts;
        let value = Figure::Value { value: expected, standard_error: 0.0 };
        assert_eq!(found, if enough { value } else { Figure::BelowThreshold }, "{what}: {people} people");
        self.compared += 1;
    }

    fn money(&mut self, what: &str, found: Figure<i64>, expected: i64, people: i64) {
        let value = Figure::Value { value: expected, standard_error: 0.0 };
        assert_eq!(found, if people >= self.threshold { value } else { Figure::BelowThreshold }, "{what}");
        self.compared += 1;
    }

    fn metrics(&mut self, what: &str, found: &Metrics, [impressions, viewable, people, cost]: [i64; 4]) {
        self.parts(&format!("impressions {what}"), found.impressions, impressions, people, 1);
        self.parts(&format!("viewable {what}"), found.viewable, viewable, people, 1);
        self.parts(&format!("reach {what}"), found.reach, people, people, 1);
        self.money(&format!("cost {what}"), found.cost, cost, people);
    }

    fn conversions(&mut self, what: &str, found: &Conversions, [conversions, revenue, people]: [i64; 3]) {
        self.parts(&format!("conversions {what}"), found.conversions, conversions, people, 1);
        if found.revenue != Figure::NotMeasured {
            self.money(&format!("revenue {what}"), found.revenue, revenue, people);
        }
    }

    fn credit(&mut self, what: &str, found: &[Credit], cells: &Figures<3>) {
        for (cell, found) in found.iter().enumerate() {
            let [credit, revenue, people] = cells.at(cell);
            self.parts(&format!("credit {what} {cell}"), found.conversions, credit, people, 1_000_000);
            if found.revenue != Figure::NotMeasured {
                self.money(&format!("revenue {what} {cell}"), found.revenue, revenue, people);
            }
        }
    }
}

fn compare(report: &Report, counts: &Counts, threshold: i64) -> usize {
    let mut comparison = Comparison { threshold, compared: 0 };
    summary(report, counts, &mut comparison);
    let attribution = report.attribution.as_ref().unwrap();
    assert_eq!(attribution.per_event.len(), counts.events.len());
    for (found, expected) in attribution.per_event.iter().zip(&counts.events) {
        event(&report.definition, found, expected, &mut comparison);
    }
    comparison.compared
}

fn summary(report: &Report, counts: &Counts, comparison: &mut Comparison) {
    let expected = &counts.summary;
    comparison.metrics("in total", &report.summary.total, expected.total);
    let by = |by: &str| expected.by.get(by).unwrap();
    for (day, found) in report.over_time.iter().enumerate() {
        comparison.metrics(&format!("on day {day}"), &found.metrics, by("DAY").at(day));
    }
    for table in &report.by_dimension {
        let name = match table.dimension {
            Breakdown::Campaign => "CAMPAIGN",
            Breakdown::Placement => "PLACEMENT",
            Breakdown::Creative => "CREATIVE",
            Breakdown::Kind => "KIND",
            Breakdown::Day => "DAY",
        };
        for (cell, found) in table.rows.iter().enumerate() {
            comparison.metrics(&format!("of {name} {cell}"), &found.metrics, by(name).at(cell));
        }
    }
    let at = |map: &BTreeMap<usize, i64>, place| map.get(&place).copied().unwrap_or_default();
    for (row, frequency) in report.frequency.iter().zip(1..) {
        let people = at(&expected.frequency, frequency);
        comparison.parts(&format!("frequency {frequency}"), row.reach, people, people, 1);
    }
    let mut people = 0;
    for (day, row) in report.cumulative_reach.iter().enumerate() {
        people += at(&expected.newly_reached, day);
        comparison.parts(&format!("reach until day {day}"), row.reach, people, people, 1);
    }
}

fn event(definition: &Definition, found: &EventReport, expected: &duckdb::Event, comparison: &mut Comparison) {
    comparison.conversions("in all", &found.all, expected.all);
    comparison.conversions("credited", &found.credited, expected.credited);
    let mut until = [0; 3];
    for (day, (of_day, cumulative)) in found.by_day.iter().zip(&found.cumulative).enumerate() {
        let [conversions, revenue, people] = expected.days.at(day);
        comparison.conversions(&format!("on day {day}"), &of_day.credited, [conversions, revenue, people]);
        let new = expected.new_people.get(&day).copied().unwrap_or_default();
        until = [until[0] + conversions, until[1] + revenue, until[2] + new];
        comparison.conversions(&format!("until day {day}"), &cumulative.credited, until);
    }
    assert_eq!(found.models.len(), expected.models.len());
    for (found, expected) in found.models.iter().zip(&expected.models) {
        let what = |by: &str| format!("of {:?} by {by}", found.model);
        comparison.credit(&what("campaign"), &found.by_campaign, &expected.campaign);
        comparison.credit(&what("placement"), &found.by_placement, &expected.placement);
        comparison.credit(&what("creative"), &found.by_creative, &expected.creative);
    }
    for found in &found.paths {
        let (name, steps) = match found.over {
            Steps::Kinds => ("KINDS", duckdb::KINDS.map(String::from).to_vec()),
            Steps::Campaigns => ("CAMPAIGNS", definition.dimensions.campaigns.clone()),
        };
        let number = |step: &String| steps.iter().position(|name| name == step).unwrap().to_string();
        let expected = expected.paths.get(name).unwrap();
        let mut shown = BTreeMap::new();
        for path in &found.paths {
            let steps: Vec<String> = path.steps.iter().map(number).collect();
            shown.insert(steps.join(" "), path.conversions.value().unwrap());
        }
        shown.retain(|_, conversions| *conversions > 0);
        let enough =
            |[conversions, people]: &[i64; 2]| *conversions >= comparison.threshold && *people >= comparison.threshold;
        let expected: BTreeMap<String, i64> =
            expected.iter().filter(|(_, path)| enough(path)).map(|(path, [count, _])| (path.clone(), *count)).collect();
        assert_eq!(shown, expected, "paths over {name}");
        comparison.compared += shown.len();
    }
}
