//! From counts to a report: noise, agreement of the noisy figures, thresholds.

use super::MeasureFault;
use super::definition::{Definition, ValueRule};
use super::event::Kind;
use super::noise::Noise;
use super::protection::{Counts, Protection, Query, Share};
use super::raw::{Breakdown, Credits, Raw, RawEvent, RawSummary};
use super::reconcile::{Partition, Range, Total, reconcile};
use super::report::{
    Attribution, Conversions, CumulativeReach, DayConversions, DayMetrics, DimensionConversions, DimensionMetrics,
    DimensionTable, EventReport, FrequencyReach, Metrics, REPORT_VERSION, Report, Summary,
};
use super::threshold::{Estimate, Gate};
use chrono::NaiveDate;

/// Turns counts into what may be released. The counts must have been made within the bounds of `protection`.
pub(crate) fn protect(
    raw: &Raw,
    definition: &Definition,
    protection: Protection,
    noise: &mut dyn Noise,
) -> Result<Report, MeasureFault> {
    let shares = protection.shares(definition);
    let gate = Gate::new(protection.threshold);
    let mut answers = Answers { shares: &shares, noise };
    let costs = match protection.counts {
        Counts::Protected { bounds, .. } => protection.exposure_bounds().is_none() || bounds.cost_micros > 0,
        Counts::Exact => true,
    };
    let summary = SummaryAnswers::ask(&raw.summary, costs, &mut answers)?;
    let mut per_event = Vec::new();
    for (number, (event, asked)) in raw.events.iter().zip(&definition.events).enumerate() {
        let revenue = asked.value == ValueRule::SumOfValue;
        let answered = EventAnswers::ask(event, number, revenue, &mut answers)?;
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
        summary: Summary { average_frequency: gate.ratio(total.impressions, total.reach), total },
        over_time: summary.over_time(definition, gate),
        frequency: summary.frequency(gate),
        by_dimension: summary.by_dimension(definition, gate),
        cumulative_reach: summary.cumulative_reach(definition, gate),
        attribution,
        epsilon_spent,
        shares,
    })
}

/// Answers questions, with noise where the budget has a share for it and exactly where it has none.
struct Answers<'a> {
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
            None => Ok(Partition::new(values, 0.0)),
        }
    }
}

fn micros(amount: i128) -> i64 {
    i64::try_from(amount.clamp(i128::from(i64::MIN), i128::from(i64::MAX))).unwrap_or_default()
}

fn cell(partition: &Partition, cell: usize) -> Estimate {
    Estimate { value: partition.cells[cell], variance: partition.cell_variance() }
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

/// Agreed answers of a campaign summary; arrays are in the order of [`Breakdown::OF_SUMMARY`].
struct SummaryAnswers {
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

impl SummaryAnswers {
    fn ask(raw: &RawSummary, costs: bool, answers: &mut Answers<'_>) -> Result<Self, MeasureFault> {
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

    fn total(&self, gate: Gate) -> Metrics {
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

    fn over_time(&self, definition: &Definition, gate: Gate) -> Vec<DayMetrics> {
        let days = definition.period.iter().zip(self.rows(0, gate));
        days.map(|(day, metrics)| DayMetrics { day, metrics }).collect()
    }

    fn frequency(&self, gate: Gate) -> Vec<FrequencyReach> {
        let frequencies = self.frequency.cells.len();
        let row = |(frequency, number)| FrequencyReach {
            frequency,
            or_more: number + 1 == frequencies,
            reach: gate.count(true, cell(&self.frequency, number)),
        };
        (1..).zip(0..frequencies).map(row).collect()
    }

    fn by_dimension(&self, definition: &Definition, gate: Gate) -> Vec<DimensionTable> {
        let dimensions = Breakdown::OF_SUMMARY.into_iter().enumerate().skip(1);
        let table = |(by, dimension)| {
            let rows = values(dimension, definition).into_iter().zip(self.rows(by, gate));
            let rows = rows.map(|(value, metrics)| DimensionMetrics { value, metrics }).collect();
            DimensionTable { dimension, rows }
        };
        dimensions.map(table).collect()
    }

    fn cumulative_reach(&self, definition: &Definition, gate: Gate) -> Vec<CumulativeReach> {
        let sums = self.newly_reached.prefix_sums();
        let row = |(number, day)| {
            let reach = gate.count(true, prefix(&self.newly_reached, &sums, number));
            CumulativeReach { day, reach }
        };
        definition.period.iter().enumerate().map(row).collect()
    }
}

/// Agreed answers for one conversion event; arrays are in the order of [`Breakdown::OF_ATTRIBUTION`].
struct EventAnswers<'a> {
    raw: &'a RawEvent,
    conversions: [Partition; 4],
    revenue: Option<[Partition; 4]>,
    credited_conversions: Total,
    credited_revenue: Option<Total>,
    all_conversions: Estimate,
    all_revenue: Option<Estimate>,
}

impl<'a> EventAnswers<'a> {
    fn ask(
        raw: &'a RawEvent,
        event: usize,
        with_revenue: bool,
        answers: &mut Answers<'_>,
    ) -> Result<Self, MeasureFault> {
        let of = Breakdown::OF_ATTRIBUTION;
        let mut conversions = for_each(of, |number, by| {
            let cells = raw.cells[number].iter().map(|cell| cell.conversions).collect();
            answers.ask(&Query::Conversions(event, by), cells)
        })?;
        let all = answers.ask(&Query::AllConversions(event), vec![raw.total.conversions])?;
        let exact = all.variance == 0.0;
        let range = if exact { Range::UpTo(all.cells[0]) } else { Range::NotNegative };
        let credited_conversions = reconcile(&mut conversions.each_mut(), range);
        let value = all.cells[0].max(credited_conversions.value);
        let all_conversions = Estimate { value, variance: all.variance };
        let (mut revenue, mut credited_revenue, mut all_revenue) = (None, None, None);
        if with_revenue {
            let mut cells = for_each(of, |number, by| {
                let cells = raw.cells[number].iter().map(|cell| micros(cell.revenue)).collect();
                answers.ask(&Query::Revenue(event, by), cells)
            })?;
            credited_revenue = Some(reconcile(&mut cells.each_mut(), Range::Any));
            let all = answers.ask(&Query::AllRevenue(event), vec![micros(raw.total.revenue)])?;
            all_revenue = Some(Estimate { value: all.cells[0], variance: all.variance });
            revenue = Some(cells);
        }
        Ok(Self { raw, conversions, revenue, credited_conversions, credited_revenue, all_conversions, all_revenue })
    }

    /// Exact figures need enough people; noisy ones enough conversions, for people are not counted with noise.
    fn figures(gate: Gate, people: i64, conversions: Estimate, revenue: Option<Estimate>) -> Conversions {
        let enough = if conversions.variance == 0.0 {
            gate.enough(Estimate { value: people, variance: 0.0 })
        } else {
            gate.enough(conversions)
        };
        Conversions { conversions: gate.count(enough, conversions), revenue: gate.money(enough, revenue) }
    }

    fn report(&self, name: &str, definition: &Definition, gate: Gate) -> EventReport {
        let credited_people: i64 = self.raw.new_people.iter().sum();
        let days: Vec<NaiveDate> = definition.conversion_period().iter().collect();
        let by_day = days.iter().zip(&self.raw.cells[0]).enumerate();
        let by_day = by_day.map(|(number, (day, raw))| self.of_day(*day, number, *raw, gate)).collect();
        EventReport {
            event: name.to_owned(),
            credited: Self::figures(
                gate,
                credited_people,
                whole(self.credited_conversions),
                self.credited_revenue.map(whole),
            ),
            all: Self::figures(gate, self.raw.total.people, self.all_conversions, self.all_revenue),
            by_day,
            cumulative: self.cumulative(&days, gate),
            by_campaign: self.by_dimension(1, definition, gate),
            by_placement: self.by_dimension(2, definition, gate),
            by_creative: self.by_dimension(3, definition, gate),
        }
    }

    fn of_cell(&self, by: usize, number: usize, raw: Credits, gate: Gate) -> Conversions {
        let revenue = self.revenue.as_ref().map(|revenue| cell(&revenue[by], number));
        Self::figures(gate, raw.people, cell(&self.conversions[by], number), revenue)
    }

    fn of_day(&self, day: NaiveDate, number: usize, raw: Credits, gate: Gate) -> DayConversions {
        DayConversions { day, credited: self.of_cell(0, number, raw, gate) }
    }

    fn by_dimension(&self, by: usize, definition: &Definition, gate: Gate) -> Vec<DimensionConversions> {
        let cells = self.raw.cells[by].iter().enumerate();
        let values = values(Breakdown::OF_ATTRIBUTION[by], definition);
        let row = |(value, (number, raw)): (Option<String>, (usize, &Credits))| DimensionConversions {
            value,
            credited: self.of_cell(by, number, *raw, gate),
        };
        values.into_iter().zip(cells).map(row).collect()
    }

    fn cumulative(&self, days: &[NaiveDate], gate: Gate) -> Vec<DayConversions> {
        let conversions = self.conversions[0].prefix_sums();
        let revenue = self.revenue.as_ref().map(|revenue| (&revenue[0], revenue[0].prefix_sums()));
        let mut people = 0;
        let row = |(number, day): (usize, &NaiveDate)| {
            people += self.raw.new_people[number];
            let revenue = revenue.as_ref().map(|(cells, sums)| prefix(cells, sums, number));
            let conversions = prefix(&self.conversions[0], &conversions, number);
            DayConversions { day: *day, credited: Self::figures(gate, people, conversions, revenue) }
        };
        days.iter().enumerate().map(row).collect()
    }
}
