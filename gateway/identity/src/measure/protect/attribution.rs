//! Figures of the attribution.

use super::{Answers, cell, for_each, micros, prefix, values, whole};
use crate::measure::MeasureFault;
use crate::measure::definition::Definition;
use crate::measure::protection::Query;
use crate::measure::raw::{Breakdown, Credits, RawEvent};
use crate::measure::reconcile::{Partition, Range, Total, reconcile};
use crate::measure::report::{Conversions, DayConversions, DimensionConversions, EventReport};
use crate::measure::threshold::{Estimate, Gate};
use chrono::NaiveDate;

/// Agreed answers for one conversion event; arrays are in the order of [`Breakdown::OF_ATTRIBUTION`].
pub(super) struct EventAnswers<'a> {
    raw: &'a RawEvent,
    conversions: [Partition; 4],
    revenue: Option<[Partition; 4]>,
    credited_conversions: Total,
    credited_revenue: Option<Total>,
    all_conversions: Estimate,
    all_revenue: Option<Estimate>,
}

impl<'a> EventAnswers<'a> {
    pub(super) fn ask(
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

    pub(super) fn report(&self, name: &str, definition: &Definition, gate: Gate) -> EventReport {
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
