//! Figures of the attribution.

use super::{Answers, cell, for_each, micros, prefix, values, whole};
use crate::measure::credit::Steps;
use crate::measure::decimal::MICROS;
use crate::measure::definition::Definition;
use crate::measure::event::Kind;
use crate::measure::path::Paths;
use crate::measure::protection::Query;
use crate::measure::raw::{Breakdown, RawEvent};
use crate::measure::reconcile::{Partition, Range, Total, reconcile};
use crate::measure::report::{
    Conversions, Credit, DayConversions, DimensionConversions, EventReport, ModelReport, PathConversions, PathReport,
};
use crate::measure::threshold::{Estimate, Gate};
use crate::measure::{Figure, MeasureFault};
use chrono::NaiveDate;

/// Agreed answers of one quantity; credited conversions are in micros of a conversion, days and paths in multiples of a
/// million.
struct Quantity {
    days: Partition,
    /// For each model, in the order of [`Breakdown::OF_CREDIT`].
    models: Vec<[Partition; 3]>,
    paths: Vec<Partition>,
    total: Total,
}

impl Quantity {
    fn agreed(mut days: Partition, mut models: Vec<[Partition; 3]>, mut paths: Vec<Partition>, range: Range) -> Self {
        let mut all: Vec<&mut Partition> = models.iter_mut().flatten().chain([&mut days]).chain(&mut paths).collect();
        let total = reconcile(&mut all, range);
        Self { days, models, paths, total }
    }
}

/// Agreed answers for one conversion event.
pub(super) struct EventAnswers<'a> {
    raw: &'a RawEvent,
    conversions: Quantity,
    revenue: Option<Quantity>,
    all_conversions: Estimate,
    all_revenue: Option<Estimate>,
}

impl<'a> EventAnswers<'a> {
    pub(super) fn ask(
        raw: &'a RawEvent,
        event: usize,
        with_revenue: bool,
        definition: &Definition,
        answers: &mut Answers<'_>,
    ) -> Result<Self, MeasureFault> {
        let days = raw.days.iter().map(|day| day.conversions).collect();
        let days = answers.ask(&Query::Conversions(event, Breakdown::Day), days)?.in_parts(MICROS);
        let models = of_models(raw, |model, number, by| {
            let cells = raw.models[model][number].iter().map(|cell| cell.conversions).collect();
            answers.ask(&Query::Credit(event, model, by), cells)
        })?;
        let mut paths = Vec::new();
        for (cells, steps) in raw.paths.iter().zip(&definition.credit.paths) {
            let cells = cells.iter().map(|cell| cell.conversions).collect();
            paths.push(answers.ask(&Query::Paths(event, *steps), cells)?.in_parts(MICROS).signed());
        }
        let all = answers.ask(&Query::AllConversions(event), vec![raw.total.conversions])?;
        let exact = all.variance == 0.0;
        let range = if exact { Range::UpTo(all.cells[0].saturating_mul(MICROS)) } else { Range::NotNegative };
        let conversions = Quantity::agreed(days, models, paths, range);
        let value = all.cells[0].max(conversions.total.value / MICROS);
        let all_conversions = Estimate { value, variance: all.variance };
        let (mut revenue, mut all_revenue) = (None, None);
        if with_revenue {
            let days = raw.days.iter().map(|day| micros(day.revenue)).collect();
            let days = answers.ask(&Query::Revenue(event, Breakdown::Day), days)?;
            let models = of_models(raw, |model, number, by| {
                let cells = raw.models[model][number].iter().map(|cell| micros(cell.revenue)).collect();
                answers.ask(&Query::CreditedRevenue(event, model, by), cells)
            })?;
            revenue = Some(Quantity::agreed(days, models, Vec::new(), Range::Any));
            let all = answers.ask(&Query::AllRevenue(event), vec![micros(raw.total.revenue)])?;
            all_revenue = Some(Estimate { value: all.cells[0], variance: all.variance });
        }
        Ok(Self { raw, conversions, revenue, all_conversions, all_revenue })
    }

    pub(super) fn report(&self, name: &str, definition: &Definition, gate: Gate) -> EventReport {
        let credited_people: i64 = self.raw.new_people.iter().sum();
        let days: Vec<NaiveDate> = definition.conversion_period().iter().collect();
        let first = |by| self.in_wholes(by, definition, gate);
        let revenue = self.revenue.as_ref().map(|revenue| whole(revenue.total));
        let models = definition.credit.models.iter().enumerate();
        let models = models.map(|(number, model)| ModelReport {
            model: *model,
            by_campaign: self.credit(number, 0, definition, gate),
            by_placement: self.credit(number, 1, definition, gate),
            by_creative: self.credit(number, 2, definition, gate),
        });
        let paths = definition.credit.paths.iter().enumerate();
        EventReport {
            event: name.to_owned(),
            credited: figures(gate, credited_people, in_wholes(whole(self.conversions.total)), revenue),
            all: figures(gate, self.raw.total.people, self.all_conversions, self.all_revenue),
            by_day: self.by_day(&days, gate),
            cumulative: self.cumulative(&days, gate),
            by_campaign: first(0),
            by_placement: first(1),
            by_creative: first(2),
            models: models.collect(),
            paths: paths.map(|(number, steps)| self.paths(number, *steps, definition, gate)).collect(),
        }
    }

    fn by_day(&self, days: &[NaiveDate], gate: Gate) -> Vec<DayConversions> {
        let row = |(number, day): (usize, &NaiveDate)| {
            let revenue = self.revenue.as_ref().map(|revenue| cell(&revenue.days, number));
            let conversions = in_wholes(cell(&self.conversions.days, number));
            DayConversions { day: *day, credited: figures(gate, self.raw.days[number].people, conversions, revenue) }
        };
        days.iter().enumerate().map(row).collect()
    }

    fn cumulative(&self, days: &[NaiveDate], gate: Gate) -> Vec<DayConversions> {
        let conversions = self.conversions.days.prefix_sums();
        let revenue = self.revenue.as_ref().map(|revenue| (&revenue.days, revenue.days.prefix_sums()));
        let mut people = 0;
        let row = |(number, day): (usize, &NaiveDate)| {
            people += self.raw.new_people[number];
            let revenue = revenue.as_ref().map(|(cells, sums)| prefix(cells, sums, number));
            let conversions = in_wholes(prefix(&self.conversions.days, &conversions, number));
            DayConversions { day: *day, credited: figures(gate, people, conversions, revenue) }
        };
        days.iter().enumerate().map(row).collect()
    }

    /// What the first model credits by one of [`Breakdown::OF_CREDIT`], in whole conversions.
    fn in_wholes(&self, by: usize, definition: &Definition, gate: Gate) -> Vec<DimensionConversions> {
        let (Some(conversions), Some(raw)) = (self.conversions.models.first(), self.raw.models.first()) else {
            return Vec::new();
        };
        let rounded = conversions[by].rounded_to(MICROS);
        let row = |(number, value): (usize, Option<String>)| {
            let conversions = in_wholes(Estimate { value: rounded[number], ..cell(&conversions[by], number) });
            let revenue = self.revenue.as_ref().map(|revenue| cell(&revenue.models[0][by], number));
            DimensionConversions { value, credited: figures(gate, raw[by][number].people, conversions, revenue) }
        };
        values(Breakdown::OF_CREDIT[by], definition).into_iter().enumerate().map(row).collect()
    }

    /// What a model credits by one of [`Breakdown::OF_CREDIT`].
    fn credit(&self, model: usize, by: usize, definition: &Definition, gate: Gate) -> Vec<Credit> {
        let row = |(number, value): (usize, Option<String>)| {
            let conversions = cell(&self.conversions.models[model][by], number);
            let enough = enough(gate, self.raw.models[model][by][number].people, in_wholes(conversions));
            let revenue = self.revenue.as_ref().map(|revenue| cell(&revenue.models[model][by], number));
            Credit { value, conversions: gate.parts(enough, conversions, MICROS), revenue: gate.money(enough, revenue) }
        };
        values(Breakdown::OF_CREDIT[by], definition).into_iter().enumerate().map(row).collect()
    }

    fn paths(&self, number: usize, over: Steps, definition: &Definition, gate: Gate) -> PathReport {
        let (cells, of) = (&self.conversions.paths[number], Paths::new(over, definition));
        let name = |step: usize| match over {
            Steps::Kinds => Kind::ALL[step].name().to_owned(),
            Steps::Campaigns => definition.dimensions.campaigns[step].clone(),
        };
        let row = |path: usize| {
            let conversions = in_wholes(cell(cells, path));
            let enough = enough(gate, self.raw.paths[number][path].people, conversions);
            let conversions = gate.count(enough, conversions);
            conversions
                .value()
                .map(|_| PathConversions { steps: of.steps(path).into_iter().map(name).collect(), conversions })
        };
        let mut paths: Vec<PathConversions> = (0..of.cells()).filter_map(row).collect();
        // Of those that are as frequent the shorter first: that is the order of their cells.
        paths.sort_by_key(|path| std::cmp::Reverse(path.conversions.value()));
        PathReport { over, paths }
    }
}

/// Asks one question for each breakdown of each model.
fn of_models(
    raw: &RawEvent,
    mut ask: impl FnMut(usize, usize, Breakdown) -> Result<Partition, MeasureFault>,
) -> Result<Vec<[Partition; 3]>, MeasureFault> {
    (0..raw.models.len()).map(|model| for_each(Breakdown::OF_CREDIT, |number, by| ask(model, number, by))).collect()
}

/// An estimate in whole conversions, from one in micros.
fn in_wholes(estimate: Estimate) -> Estimate {
    let parts = MICROS as f64;
    Estimate { value: estimate.value / MICROS, variance: estimate.variance / (parts * parts) }
}

/// Exact figures need enough people; noisy ones enough conversions, for people are not counted with noise.
fn enough(gate: Gate, people: i64, conversions: Estimate) -> bool {
    if conversions.variance == 0.0 {
        gate.enough(Estimate { value: people, variance: 0.0 })
    } else {
        gate.enough(conversions)
    }
}

fn figures(gate: Gate, people: i64, conversions: Estimate, revenue: Option<Estimate>) -> Conversions {
    let enough = enough(gate, people, conversions);
    let conversions: Figure<i64> = gate.count(enough, conversions);
    Conversions { conversions, revenue: gate.money(enough, revenue) }
}
