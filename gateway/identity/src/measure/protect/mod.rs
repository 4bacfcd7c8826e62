//! From counts to a report: noise, agreement of the noisy figures, thresholds.

mod attribution;
mod summary;

use self::attribution::EventAnswers;
use self::summary::SummaryAnswers;
use super::MeasureFault;
use super::definition::{Definition, ValueRule};
use super::event::Kind;
use super::noise::Noise;
use super::protection::{Counts, Protection, Query, Share};
use super::raw::{Breakdown, Raw};
use super::reconcile::{Partition, Total};
use super::report::{Attribution, REPORT_VERSION, Report, Summary};
use super::threshold::{Estimate, Gate};

/// Turns counts into what may be released. The counts must have been made within the bounds of `protection`.
pub(crate) fn protect(
    raw: &Raw,
    definition: &Definition,
    protection: Protection,
    noise: &mut dyn Noise,
) -> Result<Report, MeasureFault> {
    let shares = protection.shares(definition);
    let gate = Gate::new(protection.threshold);
    let mut answers = Answers { protection, shares: &shares, noise };
    let costs = match protection.counts {
        Counts::Protected { bounds, .. } => protection.exposure_bounds().is_none() || bounds.cost_micros > 0,
        Counts::Exact => true,
    };
    let summary = SummaryAnswers::ask(&raw.summary, costs, &mut answers)?;
    let mut per_event = Vec::new();
    for (number, (event, asked)) in raw.events.iter().zip(&definition.events).enumerate() {
        let revenue = asked.value == ValueRule::SumOfValue;
        let answered = EventAnswers::ask(event, number, revenue, definition, &mut answers)?;
        per_event.push(answered.report(&asked.name, definition, gate));
    }
    let attribution =
        (!definition.events.is_empty()).then_some(Attribution { lookback_days: definition.lookback_days, per_event });
    let epsilon_spent = match protection.counts {
        Counts::Protected { epsilon, .. } if !shares.is_empty() => epsilon,
        Counts::Protected { .. } | Counts::Exact => 0.0,
    };
    let total = summary.total(gate);
    Ok(Report {
        version: REPORT_VERSION,
        definition: definition.clone(),
        protection,
        summary: Summary { average_frequency: total.frequency(), total },
        over_time: summary.over_time(definition, gate),
        frequency: summary.frequency(gate),
        by_dimension: summary.by_dimension(definition, gate),
        cumulative_reach: summary.cumulative_reach(definition, gate),
        attribution,
        epsilon_spent,
        shares,
    })
}

/// Answers questions: with noise from its share of the budget where one needs it, exactly where it does not.
struct Answers<'a> {
    protection: Protection,
    shares: &'a [Share],
    noise: &'a mut dyn Noise,
}

impl Answers<'_> {
    fn ask(&mut self, query: &Query, values: Vec<i64>) -> Result<Partition, MeasureFault> {
        match self.shares.iter().find(|share| share.query == *query) {
            Some(share) => {
                let (values, variance) = self.noise.add(&values, share.sensitivity, share.epsilon)?;
                Ok(Partition::new(values, variance))
            }
            None if self.protection.needs_noise(query) => Err(MeasureFault::Noise),
            None => Ok(Partition::new(values, 0.0)),
        }
    }
}

fn micros(amount: i128) -> i64 {
    i64::try_from(amount.clamp(i128::from(i64::MIN), i128::from(i64::MAX))).unwrap_or_default()
}

fn cell(partition: &Partition, cell: usize) -> Estimate {
    Estimate { value: partition.cells[cell], variance: partition.cell_variance(cell) }
}

fn prefix(partition: &Partition, sums: &[i64], cell: usize) -> Estimate {
    Estimate { value: sums[cell], variance: partition.prefix_variance(cell + 1) }
}

fn whole(total: Total) -> Estimate {
    Estimate { value: total.value, variance: total.variance }
}

fn plus(one: Estimate, other: Estimate) -> Estimate {
    Estimate { value: one.value.saturating_add(other.value), variance: one.variance + other.variance }
}

/// The values of a breakdown in the order of its cells.
fn values(by: Breakdown, definition: &Definition) -> Vec<Option<String>> {
    let listed = |values: &[String]| values.iter().cloned().map(Some).collect::<Vec<_>>();
    let with_rest = |values: &[String]| values.iter().cloned().map(Some).chain([None]).collect();
    match by {
        Breakdown::Day => definition.period.iter().map(|day| Some(day.to_string())).collect(),
        Breakdown::Campaign => listed(&definition.dimensions.campaigns),
        Breakdown::Placement => with_rest(&definition.dimensions.placements),
        Breakdown::Creative => with_rest(&definition.dimensions.creatives),
        Breakdown::Kind => Kind::ALL.map(|kind| Some(kind.name().to_owned())).to_vec(),
    }
}

/// Asks one question for each of several breakdowns.
fn for_each<const N: usize>(
    breakdowns: [Breakdown; N],
    mut ask: impl FnMut(usize, Breakdown) -> Result<Partition, MeasureFault>,
) -> Result<[Partition; N], MeasureFault> {
    let mut answers = breakdowns.map(|_| Partition::new(Vec::new(), 0.0));
    for (number, by) in breakdowns.into_iter().enumerate() {
        answers[number] = ask(number, by)?;
    }
    Ok(answers)
}
