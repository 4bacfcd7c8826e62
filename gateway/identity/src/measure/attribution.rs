//! Attribution, one identity after another.
//!
//! A conversion is credited to the identity's exposures at or before it, within the lookback of their kind; each model
//! shares the credit among them in its way.

use super::MeasureFault;
use super::apportion::apportion;
use super::credit::Model;
use super::definition::{Definition, Period};
use super::event::{Conversion, Exposure, Place};
use super::join::Attributing;
use super::path::Paths;
use super::protection::CreditBounds;
use super::raw::{AfterPath, Breakdown, Conversions, Credit, RawEvent};
use super::sample::Sample;
use super::touches::{Touch, Touches};
use std::rc::Rc;

/// Credits conversions of identities that come one after another, each with its events in the order of time.
pub(crate) struct AttributionTally {
    period: Period,
    bounds: Option<CreditBounds>,
    models: Vec<Model>,
    paths: Vec<Paths>,
    touches: Touches,
    found: Vec<Touch>,
    events: Vec<EventTally>,
    identity: u64,
}

/// What happened before a conversion, and what each model makes of it.
#[derive(Debug)]
struct Journey {
    /// For each kind of step, the cell of the path.
    paths: Vec<usize>,
    /// What those are that share the credit, in order.
    places: Vec<Place>,
    /// For each model, the credit of each place in micros of a conversion.
    credit: Vec<Vec<u64>>,
}

/// A conversion with what it is credited to.
#[derive(Debug, Clone)]
struct Outcome {
    day: usize,
    value: i64,
    journey: Option<Rc<Journey>>,
}

struct EventTally {
    raw: RawEvent,
    sample: Sample<Outcome>,
    people: People,
    first_day: Option<usize>,
    revenue: Vec<u64>,
}

/// For each cell, the number of the last identity that was counted in it.
struct People {
    total: u64,
    days: Vec<u64>,
    models: Vec<[Vec<u64>; 3]>,
    paths: Vec<Vec<u64>>,
}

impl AttributionTally {
    /// An empty tally; with bounds, what an identity contributes is cut down to them.
    pub(crate) fn new(definition: &Definition, bounds: Option<CreditBounds>) -> Self {
        let period = definition.conversion_period();
        let paths: Vec<Paths> = definition.credit.paths.iter().map(|steps| Paths::new(*steps, definition)).collect();
        let event = |_| EventTally::new(period.days(), definition, &paths, bounds);
        Self {
            period,
            bounds,
            models: definition.credit.models.clone(),
            touches: Touches::new(&definition.credit, definition.lookback_days),
            found: Vec::new(),
            events: definition.events.iter().map(event).collect(),
            paths,
            identity: 0,
        }
    }

    /// What led to a conversion at this instant; none where nothing did.
    fn journey(&mut self, time: i64) -> Option<Journey> {
        self.touches.before(time, &mut self.found);
        let paths = self.paths.iter().map(|paths| paths.cell(&self.found)).collect::<Option<_>>()?;
        self.touches.retain_best(&mut self.found);
        if self.found.is_empty() {
            return None;
        }
        let times: Vec<i64> = self.found.iter().map(|touch| touch.time).collect();
        let mut weights = Vec::with_capacity(times.len());
        let credit = self.models.iter().map(|model| {
            let mut credit = Vec::with_capacity(times.len());
            model.credit(&times, &mut weights, &mut credit);
            credit
        });
        let credit = credit.collect();
        Some(Journey { paths, places: self.found.iter().map(|touch| touch.place).collect(), credit })
    }

    /// The counts, an entry for each conversion event.
    pub(crate) fn finish(self) -> Vec<RawEvent> {
        self.events.into_iter().map(|event| event.raw).collect()
    }
}

impl Attributing for AttributionTally {
    fn begin(&mut self, key: u64) -> Result<(), MeasureFault> {
        self.identity += 1;
        self.touches.clear();
        for event in &mut self.events {
            event.sample.begin(key);
            event.first_day = None;
        }
        Ok(())
    }

    fn touch(&mut self, exposure: &Exposure) -> Result<(), MeasureFault> {
        self.touches.add(exposure);
        Ok(())
    }

    fn convert(&mut self, conversion: &Conversion) -> Result<(), MeasureFault> {
        let Some(day) = self.period.day_of(conversion.time) else {
            return Ok(());
        };
        let outcome = Outcome { day, value: conversion.value, journey: self.journey(conversion.time).map(Rc::new) };
        for (number, event) in self.events.iter_mut().enumerate() {
            if conversion.events & 1 << number != 0 {
                event.take(&outcome, self.bounds, self.identity);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), MeasureFault> {
        let totals = self.bounds.is_some_and(|bounds| bounds.totals_too);
        for event in &mut self.events {
            event.end(totals, self.identity);
        }
        Ok(())
    }
}

impl EventTally {
    fn new(days: usize, definition: &Definition, paths: &[Paths], bounds: Option<CreditBounds>) -> Self {
        let of_credit = Breakdown::OF_CREDIT.map(|by| by.cells(days, &definition.dimensions));
        let models = || definition.credit.models.iter();
        Self {
            raw: RawEvent {
                total: Conversions::default(),
                days: vec![Conversions::default(); days],
                models: models().map(|_| of_credit.map(|cells| vec![Credit::default(); cells])).collect(),
                paths: paths.iter().map(|paths| vec![AfterPath::default(); paths.cells()]).collect(),
                new_people: vec![0; days],
            },
            sample: Sample::new(bounds.map_or(0, |bounds| bounds.conversions as usize)),
            people: People {
                total: 0,
                days: vec![0; days],
                models: models().map(|_| of_credit.map(|cells| vec![0; cells])).collect(),
                paths: paths.iter().map(|paths| vec![0; paths.cells()]).collect(),
            },
            first_day: None,
            revenue: Vec::new(),
        }
    }

    fn take(&mut self, outcome: &Outcome, bounds: Option<CreditBounds>, identity: u64) {
        let Some(bounds) = bounds else {
            self.count_in_total(outcome, identity);
            self.count_credit(outcome, identity);
            return;
        };
        let value = outcome.value.clamp(-bounds.value_micros, bounds.value_micros);
        let bounded = Outcome { value, ..outcome.clone() };
        if bounds.totals_too {
            self.sample.offer(bounded);
            return;
        }
        self.count_in_total(outcome, identity);
        if bounded.journey.is_some() {
            self.sample.offer(bounded);
        }
    }

    fn end(&mut self, totals: bool, identity: u64) {
        let sampled = self.sample.take();
        for outcome in &sampled {
            if totals {
                self.count_in_total(outcome, identity);
            }
            self.count_credit(outcome, identity);
        }
        self.sample.give_back(sampled);
        if let Some(day) = self.first_day {
            self.raw.new_people[day] += 1;
        }
    }

    fn count_in_total(&mut self, outcome: &Outcome, identity: u64) {
        self.raw.total.add(outcome.value, is_new(&mut self.people.total, identity));
    }

    fn count_credit(&mut self, outcome: &Outcome, identity: u64) {
        let Some(journey) = &outcome.journey else {
            return;
        };
        self.first_day = Some(self.first_day.map_or(outcome.day, |first| first.min(outcome.day)));
        self.raw.days[outcome.day].add(outcome.value, is_new(&mut self.people.days[outcome.day], identity));
        for (number, path) in journey.paths.iter().enumerate() {
            let cell = &mut self.raw.paths[number][*path];
            cell.conversions += 1;
            cell.people += is_new(&mut self.people.paths[number][*path], identity);
        }
        for (model, credit) in journey.credit.iter().enumerate() {
            // The parts of a refund are negative, as it is.
            apportion(outcome.value.unsigned_abs(), credit, &mut self.revenue);
            let sign = i128::from(outcome.value.signum());
            for ((place, credit), revenue) in journey.places.iter().zip(credit).zip(&self.revenue) {
                if *credit == 0 {
                    continue;
                }
                let cells = [place.campaign, place.placement, place.creative].map(|cell| cell as usize);
                for (breakdown, cell) in cells.into_iter().enumerate() {
                    let counted = &mut self.raw.models[model][breakdown][cell];
                    counted.conversions += credit.cast_signed();
                    counted.revenue += sign * i128::from(*revenue);
                    counted.people += is_new(&mut self.people.models[model][breakdown][cell], identity);
                }
            }
        }
    }
}

impl Conversions {
    fn add(&mut self, value: i64, people: i64) {
        self.conversions += 1;
        self.revenue += i128::from(value);
        self.people += people;
    }
}

/// 1 for an identity that was not counted before, 0 for one that was.
fn is_new(counted: &mut u64, identity: u64) -> i64 {
    i64::from(std::mem::replace(counted, identity) != identity)
}
