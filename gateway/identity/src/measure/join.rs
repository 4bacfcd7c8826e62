//! Walking through exposures and conversions, both sorted by identity and time, in one pass.

use super::MeasureFault;
use super::attribution::AttributionTally;
use super::definition::Period;
use super::event::{Conversion, Exposure, Ordered};
use super::summary::SummaryTally;
use std::iter::Peekable;

/// How many identities are counted between two looks at whether to stop.
const IDENTITIES_BETWEEN_CHECKS: u32 = 4_096;

/// Counts the events of one match key.
///
/// Exposures outside `period` are left out altogether: they are neither counted nor credited.
pub(crate) fn join(
    exposures: impl Iterator<Item = Result<Exposure, MeasureFault>>,
    conversions: impl Iterator<Item = Result<Conversion, MeasureFault>>,
    period: Period,
    summary: &mut SummaryTally,
    attribution: &mut AttributionTally,
    stopped: &dyn Fn() -> bool,
) -> Result<(), MeasureFault> {
    let in_period = |exposure: &Result<Exposure, MeasureFault>| {
        exposure.as_ref().map_or(true, |exposure| period.day_of(exposure.time).is_some())
    };
    let mut exposures = Ahead::new(exposures.filter(in_period));
    let mut conversions = Ahead::new(conversions);
    let mut until_check = 0;
    loop {
        let key = match (exposures.order()?, conversions.order()?) {
            (Some((one, _)), Some((other, _))) => one.min(other),
            (Some((key, _)), None) | (None, Some((key, _))) => key,
            (None, None) => return Ok(()),
        };
        if until_check == 0 {
            if stopped() {
                return Err(MeasureFault::Stopped);
            }
            until_check = IDENTITIES_BETWEEN_CHECKS;
        }
        until_check -= 1;
        summary.begin(key);
        attribution.begin(key);
        while let Some(time) = conversions.time_of(key)? {
            while exposures.time_of(key)?.is_some_and(|exposed| exposed <= time) {
                if let Some(exposure) = exposures.take()? {
                    summary.take(exposure);
                    attribution.touch(&exposure);
                }
            }
            if let Some(conversion) = conversions.take()? {
                attribution.convert(conversion);
            }
        }
        while exposures.time_of(key)?.is_some() {
            if let Some(exposure) = exposures.take()? {
                summary.take(exposure);
            }
        }
        summary.end();
        attribution.end();
    }
}

/// A sorted stream whose next event can be looked at; refuses one that is not sorted.
struct Ahead<I: Iterator> {
    events: Peekable<I>,
    last: (u64, i64),
}

impl<T: Ordered, I: Iterator<Item = Result<T, MeasureFault>>> Ahead<I> {
    fn new(events: I) -> Self {
        Self { events: events.peekable(), last: (0, i64::MIN) }
    }

    /// Identity and time of the next event.
    fn order(&mut self) -> Result<Option<(u64, i64)>, MeasureFault> {
        match self.events.peek() {
            Some(Ok(event)) => Ok(Some(event.order())),
            Some(Err(_)) => self.take().map(|_| None),
            None => Ok(None),
        }
    }

    /// The time of the next event if it is one of this identity.
    fn time_of(&mut self, key: u64) -> Result<Option<i64>, MeasureFault> {
        Ok(self.order()?.filter(|(next, _)| *next == key).map(|(_, time)| time))
    }

    fn take(&mut self) -> Result<Option<T>, MeasureFault> {
        let Some(event) = self.events.next().transpose()? else {
            return Ok(None);
        };
        if event.order() < self.last {
            return Err(MeasureFault::Damaged { reason: "events are not sorted" });
        }
        self.last = event.order();
        Ok(Some(event))
    }
}

/// Several sorted streams as one.
pub(crate) struct Merged<I: Iterator> {
    streams: Vec<Peekable<I>>,
}

impl<I: Iterator> Merged<I> {
    /// Merges streams; at a tie those given first come first.
    pub(crate) fn new(streams: impl IntoIterator<Item = I>) -> Self {
        Self { streams: streams.into_iter().map(Iterator::peekable).collect() }
    }
}

impl<T: Ordered, I: Iterator<Item = Result<T, MeasureFault>>> Iterator for Merged<I> {
    type Item = Result<T, MeasureFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut least: Option<(usize, (u64, i64))> = None;
        for (number, stream) in self.streams.iter_mut().enumerate() {
            match stream.peek() {
                Some(Ok(event)) => {
                    let order = event.order();
                    if least.is_none_or(|(_, least)| order < least) {
                        least = Some((number, order));
                    }
                }
                Some(Err(_)) => return stream.next(),
                None => {}
            }
        }
        let (number, _) = least?;
        self.streams[number].next()
    }
}
