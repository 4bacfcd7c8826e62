//! The tables of a lift: the one place that lists them.

use crate::cell::{Cell, Number};
use crate::table::{Dimension, Group, Metric, Outcome, Row, Table, View, Warning};
use entente_identity::measure::lift::{EventLift, LiftReport, OutcomeLift};

const OF_GROUPS: [Metric; 2] = [Metric::Treated, Metric::HeldOut];
const OF_OUTCOMES: [Metric; 5] =
    [Metric::Treated, Metric::HeldOut, Metric::Incremental, Metric::Lift, Metric::SmallestDetectableLift];

/// Who is compared, then what they did of each event.
pub(crate) fn tables(lift: &LiftReport) -> Vec<Table> {
    std::iter::once(groups(lift)).chain(lift.events.iter().map(event)).collect()
}

fn groups(lift: &LiftReport) -> Table {
    let identities = |count: u64| Cell::exact(Number::Count(i64::try_from(count).unwrap_or(i64::MAX)));
    let cells = vec![identities(lift.groups.treated), identities(lift.groups.held_out)];
    Table {
        view: View::LiftGroups,
        event: None,
        model: None,
        dimension: None,
        metrics: OF_GROUPS.to_vec(),
        rows: vec![Row { group: Group::All, cells }],
        warnings: Vec::new(),
    }
}

/// Without revenue where conversions have none.
fn event(event: &EventLift) -> Table {
    let outcomes = [
        (Outcome::Converters, Some(&event.converters)),
        (Outcome::Conversions, Some(&event.conversions)),
        (Outcome::Revenue, event.revenue.as_ref()),
    ];
    Table {
        view: View::Lift,
        event: Some(event.name.clone()),
        model: None,
        dimension: Some(Dimension::Outcome),
        metrics: OF_OUTCOMES.to_vec(),
        rows: outcomes.into_iter().filter_map(|(outcome, of)| Some(row(outcome, of?))).collect(),
        warnings: event.warnings.iter().copied().map(Warning::from).collect(),
    }
}

fn row(outcome: Outcome, of: &OutcomeLift) -> Row {
    let [sum, estimate]: [fn(f64) -> Number; 2] = match outcome {
        Outcome::Revenue => [Number::money, Number::money],
        Outcome::Converters | Outcome::Conversions => [Number::count, Number::fractional_count],
    };
    let cells = vec![
        Cell::exact(sum(of.treated)),
        Cell::exact(sum(of.held_out)),
        Cell::estimated(Some(of.incremental), estimate),
        Cell::estimated(of.lift, Number::Ratio),
        of.smallest_detectable.map_or(Cell::NotMeasured, |least| Cell::exact(Number::Ratio(least))),
    ];
    Row { group: Group::Outcome(outcome), cells }
}
