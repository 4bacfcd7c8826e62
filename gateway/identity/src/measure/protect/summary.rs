//! Figures of the campaign summary.

use super::{Answers, cell, for_each, micros, plus, prefix, values, whole};
use crate::measure::MeasureFault;
use crate::measure::definition::Definition;
use crate::measure::protection::Query;
use crate::measure::raw::{Breakdown, RawSummary};
use crate::measure::reconcile::{Partition, Range, Total, reconcile};
use crate::measure::report::{CumulativeReach, DayMetrics, DimensionMetrics, DimensionTable, FrequencyReach, Metrics};
use crate::measure::threshold::{Estimate, Gate};

/// Agreed answers of a campaign summary; arrays are in the order of [`Breakdown::OF_SUMMARY`].
pub(super) struct SummaryAnswers {
    viewable: [Partition; 5],
    other: [Partition; 5],
    reach: [Partition; 5],
    cost: Option<[Partition; 5]>,
    frequency: Partition,
    newly_reached: Partition,
    all_viewable: Total,
    all_other: Total,
    all_reach: Total,
    all_cost: Option<Total>,
}

impl SummaryAnswers {
    pub(super) fn ask(raw: &RawSummary, costs: bool, answers: &mut Answers<'_>) -> Result<Self, MeasureFault> {
        let of = Breakdown::OF_SUMMARY;
        let mut frequency = answers.ask(&Query::Frequency, raw.frequency.clone())?;
        let mut newly_reached = answers.ask(&Query::NewlyReached, raw.newly_reached.clone())?;
        let all_reach = reconcile(&mut [&mut frequency, &mut newly_reached], Range::NotNegative);
        let mut other = of.map(|_| Partition::new(Vec::new(), 0.0));
        let mut viewable = for_each(of, |number, by| {
            let cells = &raw.cells[number];
            let both = cells.iter().map(|cell| cell.viewable).chain(cells.iter().map(|cell| cell.other));
            let mut both = answers.ask(&Query::Impressions(by), both.collect())?;
            other[number] = Partition::new(both.cells.split_off(cells.len()), both.variance);
            Ok(both)
        })?;
        let all_viewable = reconcile(&mut viewable.each_mut(), Range::NotNegative);
        let all_other = reconcile(&mut other.each_mut(), Range::NotNegative);
        let reach = for_each(of, |number, by| {
            let people = raw.cells[number].iter().map(|cell| cell.people).collect();
            let mut reach = answers.ask(&Query::Reach(by), people)?;
            for (cell, people) in reach.cells.iter_mut().enumerate() {
                let impressions = viewable[number].cells[cell].saturating_add(other[number].cells[cell]);
                *people = (*people).clamp(0, all_reach.value.min(impressions));
            }
            Ok(reach)
        })?;
        let mut cost = if costs {
            let ask = |number: usize, by| {
                let cells = raw.cells[number].iter().map(|cell| micros(cell.cost)).collect();
                answers.ask(&Query::Cost(by), cells)
            };
            Some(for_each(of, ask)?)
        } else {
            None
        };
        let all_cost = cost.as_mut().map(|cost| reconcile(&mut cost.each_mut(), Range::NotNegative));
        Ok(Self {
            viewable,
            other,
            reach,
            cost,
            frequency,
            newly_reached,
            all_viewable,
            all_other,
            all_reach,
            all_cost,
        })
    }

    fn metrics(gate: Gate, reach: Estimate, viewable: Estimate, other: Estimate, cost: Option<Estimate>) -> Metrics {
        let people = gate.enough(reach);
        Metrics {
            impressions: gate.count(people, plus(viewable, other)),
            viewable: gate.count(people, viewable),
            reach: gate.count(people, reach),
            cost: gate.money(people, cost),
        }
    }

    pub(super) fn total(&self, gate: Gate) -> Metrics {
        let [viewable, other] = [self.all_viewable, self.all_other].map(whole);
        Self::metrics(gate, whole(self.all_reach), viewable, other, self.all_cost.map(whole))
    }

    /// Figures of every cell of a breakdown, by its number in [`Breakdown::OF_SUMMARY`].
    fn rows(&self, by: usize, gate: Gate) -> impl Iterator<Item = Metrics> {
        (0..self.reach[by].cells.len()).map(move |number| {
            // Reach is no partition of the people: each of its cells keeps the variance of its own noise.
            let reach = Estimate { value: self.reach[by].cells[number], variance: self.reach[by].variance };
            let [viewable, other] = [&self.viewable[by], &self.other[by]].map(|counts| cell(counts, number));
            Self::metrics(gate, reach, viewable, other, self.cost.as_ref().map(|cost| cell(&cost[by], number)))
        })
    }

    pub(super) fn over_time(&self, definition: &Definition, gate: Gate) -> Vec<DayMetrics> {
        let days = definition.period.iter().zip(self.rows(0, gate));
        days.map(|(day, metrics)| DayMetrics { day, metrics }).collect()
    }

    pub(super) fn frequency(&self, gate: Gate) -> Vec<FrequencyReach> {
        let frequencies = self.frequency.cells.len();
        let row = |(frequency, number)| FrequencyReach {
            frequency,
            or_more: number + 1 == frequencies,
            reach: gate.count(true, cell(&self.frequency, number)),
        };
        (1..).zip(0..frequencies).map(row).collect()
    }

    pub(super) fn by_dimension(&self, definition: &Definition, gate: Gate) -> Vec<DimensionTable> {
        let dimensions = Breakdown::OF_SUMMARY.into_iter().enumerate().skip(1);
        let table = |(by, dimension)| {
            let rows = values(dimension, definition).into_iter().zip(self.rows(by, gate));
            let rows = rows.map(|(value, metrics)| DimensionMetrics { value, metrics }).collect();
            DimensionTable { dimension, rows }
        };
        dimensions.map(table).collect()
    }

    pub(super) fn cumulative_reach(&self, definition: &Definition, gate: Gate) -> Vec<CumulativeReach> {
        let sums = self.newly_reached.prefix_sums();
        let row = |(number, day)| {
            let reach = gate.count(true, prefix(&self.newly_reached, &sums, number));
            CumulativeReach { day, reach }
        };
        definition.period.iter().enumerate().map(row).collect()
    }
}
