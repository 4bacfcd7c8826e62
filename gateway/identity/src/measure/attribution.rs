//! Last-touch attribution, one identity after another.
//!
//! A conversion is credited to the identity's last exposure at or before it, if that is at most the lookback earlier.
//! Of exposures at the same instant a click wins over an engaged view and that over a view; then the one whose
//! campaign, placement, creative sort last (values that are not listed sort after those that are).

use super::definition::{Definition, Period};
use super::event::{Conversion, Exposure, Place};
use super::protection::CreditBounds;
use super::raw::{Breakdown, Credits, RawEvent};
use super::sample::Sample;

/// Credits conversions of identities that come one after another, each with its events in the order of time.
pub(crate) struct AttributionTally {
    period: Period,
    lookback: i64,
    bounds: Option<CreditBounds>,
    last_touch: Option<Exposure>,
    events: Vec<EventTally>,
    identity: u64,
}

/// A conversion with what it is credited to.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    day: usize,
    value: i64,
    credit: Option<Place>,
}

struct EventTally {
    raw: RawEvent,
    sample: Sample<Outcome>,
    /// For each cell, the number of the last identity that was counted in it.
    counted: [Vec<u64>; 4],
    counted_in_total: u64,
    first_day: Option<usize>,
}

impl AttributionTally {
    /// An empty tally; with bounds, what an identity contributes is cut down to them.
    pub(crate) fn new(definition: &Definition, bounds: Option<CreditBounds>) -> Self {
        let period = definition.conversion_period();
        let limit = bounds.map_or(0, |bounds| bounds.conversions as usize);
        let cells = Breakdown::OF_ATTRIBUTION.map(|by| by.cells(period.days(), &definition.dimensions));
        let event = |_| EventTally {
            raw: RawEvent {
                total: Credits::default(),
                cells: cells.map(|cells| vec![Credits::default(); cells]),
                new_people: vec![0; period.days()],
            },
            sample: Sample::new(limit),
            counted: cells.map(|cells| vec![0; cells]),
            counted_in_total: 0,
            first_day: None,
        };
        Self {
            period,
            lookback: definition.lookback(),
            bounds,
            last_touch: None,
            events: definition.events.iter().map(event).collect(),
            identity: 0,
        }
    }

    /// Starts with another identity.
    pub(crate) fn begin(&mut self, key: u64) {
        self.identity += 1;
        self.last_touch = None;
        for event in &mut self.events {
            event.sample.begin(key);
            event.first_day = None;
        }
    }

    /// Takes an exposure of the identity, before the conversions at the same instant.
    pub(crate) fn touch(&mut self, exposure: Exposure) {
        let rank = |touch: &Exposure| (touch.time, touch.kind, touch.place);
        if self.last_touch.is_none_or(|last| rank(&exposure) > rank(&last)) {
            self.last_touch = Some(exposure);
        }
    }

    /// Takes a conversion of the identity.
    pub(crate) fn convert(&mut self, conversion: Conversion) {
        let Some(day) = self.period.day_of(conversion.time) else {
            return;
        };
        let recent = |touch: &Exposure| conversion.time - touch.time <= self.lookback;
        let credit = self.last_touch.filter(recent).map(|touch| touch.place);
        for (number, event) in self.events.iter_mut().enumerate() {
            if conversion.events & 1 << number != 0 {
                let outcome = Outcome { day, value: conversion.value, credit };
                event.take(outcome, self.bounds, self.identity);
            }
        }
    }

    /// Ends the identity.
    pub(crate) fn end(&mut self) {
        let totals = self.bounds.is_some_and(|bounds| bounds.totals_too);
        for event in &mut self.events {
            event.end(totals, self.identity);
        }
    }

    /// The counts, an entry for each conversion event.
    pub(crate) fn finish(self) -> Vec<RawEvent> {
        self.events.into_iter().map(|event| event.raw).collect()
    }
}

impl EventTally {
    fn take(&mut self, outcome: Outcome, bounds: Option<CreditBounds>, identity: u64) {
        let Some(bounds) = bounds else {
            self.count_in_total(outcome, identity);
            self.count_credit(outcome, identity);
            return;
        };
        let value = outcome.value.clamp(-bounds.value_micros, bounds.value_micros);
        let bounded = Outcome { value, ..outcome };
        if bounds.totals_too {
            self.sample.offer(bounded);
            return;
        }
        self.count_in_total(outcome, identity);
        if bounded.credit.is_some() {
            self.sample.offer(bounded);
        }
    }

    fn end(&mut self, totals: bool, identity: u64) {
        for place in 0..self.sample.kept().len() {
            let outcome = self.sample.kept()[place];
            if totals {
                self.count_in_total(outcome, identity);
            }
            self.count_credit(outcome, identity);
        }
        if let Some(day) = self.first_day {
            self.raw.new_people[day] += 1;
        }
    }

    fn count_in_total(&mut self, outcome: Outcome, identity: u64) {
        let total = &mut self.raw.total;
        total.conversions += 1;
        total.revenue += i128::from(outcome.value);
        if self.counted_in_total != identity {
            self.counted_in_total = identity;
            total.people += 1;
        }
    }

    fn count_credit(&mut self, outcome: Outcome, identity: u64) {
        let Some(place) = outcome.credit else {
            return;
        };
        self.first_day = Some(self.first_day.map_or(outcome.day, |first| first.min(outcome.day)));
        let cells = [outcome.day, place.campaign as usize, place.placement as usize, place.creative as usize];
        for (breakdown, cell) in cells.into_iter().enumerate() {
            let credits = &mut self.raw.cells[breakdown][cell];
            credits.conversions += 1;
            credits.revenue += i128::from(outcome.value);
            let counted = &mut self.counted[breakdown][cell];
            if *counted != identity {
                *counted = identity;
                credits.people += 1;
            }
        }
    }
}
