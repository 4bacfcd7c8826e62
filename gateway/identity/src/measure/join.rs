//! Walking through exposures and conversions, both sorted by identity and time, in one pass.

use super::MeasureFault;
use super::definition::Period;
use super::event::{Conversion, Exposure, Ordered};
use super::summary::SummaryTally;

/// How many identities are counted between two looks at whether to stop.
pub(crate) const IDENTITIES_BETWEEN_CHECKS: u32 = 4_096;

/// What conversions are told to, identity after identity: first the identity, then its touches and conversions in the order
/// of time, then that it is over. Of identities that have no conversion it is told nothing.
pub(crate) trait Attributing {
    /// Starts with another identity.
    fn begin(&mut self, key: u64) -> Result<(), MeasureFault>;

    /// Takes an exposure of the identity, before the conversions at the same instant.
    fn touch(&mut self, exposure: &Exposure) -> Result<(), MeasureFault>;

    /// Takes a conversion of the identity.
    fn convert(&mut self, conversion: &Conversion) -> Result<(), MeasureFault>;

    /// Ends the identity.
    fn end(&mut self) -> Result<(), MeasureFault>;
}

/// Counts the events of one match key.
///
/// Exposures outside `period` are left out altogether: they are neither counted nor credited. `go_on` is asked now and then,
/// with the identity that comes next.
pub(crate) fn join(
    exposures: impl Iterator<Item = Result<Exposure, MeasureFault>>,
    conversions: impl Iterator<Item = Result<Conversion, MeasureFault>>,
    period: Period,
    summary: &mut SummaryTally,
    attribution: &mut impl Attributing,
    go_on: &dyn Fn(u64) -> bool,
) -> Result<(), MeasureFault> {
    let days = period.instants();
    let in_period = |exposure: &Result<Exposure, MeasureFault>| {
        exposure.as_ref().map_or(true, |exposure| days.contains(&exposure.time))
    };
    let mut exposures = Ahead::new(exposures.filter(in_period))?;
    let mut conversions = Ahead::new(conversions)?;
    let mut until_check = 0;
    loop {
        let key = match (exposures.key(), conversions.key()) {
            (Some(one), Some(other)) => one.min(other),
            (Some(key), None) | (None, Some(key)) => key,
            (None, None) => return Ok(()),
        };
        if until_check == 0 {
            if !go_on(key) {
                return Err(MeasureFault::Stopped);
            }
            until_check = IDENTITIES_BETWEEN_CHECKS;
        }
        until_check -= 1;
        summary.begin(key);
        if conversions.key() == Some(key) {
            attribution.begin(key)?;
            while let Some(conversion) = conversions.take_of(key)? {
                while let Some(exposure) = exposures.take_until(key, conversion.time)? {
                    summary.take(&exposure);
                    attribution.touch(&exposure)?;
                }
                attribution.convert(&conversion)?;
            }
            attribution.end()?;
        }
        while let Some(exposure) = exposures.take_of(key)? {
            summary.take(&exposure);
        }
        summary.end();
    }
}

/// A sorted stream whose next event can be looked at; refuses one that is not sorted.
struct Ahead<T, I> {
    events: I,
    next: Option<T>,
}

impl<T: Ordered, I: Iterator<Item = Result<T, MeasureFault>>> Ahead<T, I> {
    fn new(mut events: I) -> Result<Self, MeasureFault> {
        let next = events.next().transpose()?;
        Ok(Self { events, next })
    }

    /// The identity of the next event.
    fn key(&self) -> Option<u64> {
        self.next.as_ref().map(|next| next.order().0)
    }

    /// The next event if it is one of this identity.
    fn take_of(&mut self, key: u64) -> Result<Option<T>, MeasureFault> {
        self.take_until(key, i64::MAX)
    }

    /// The next event if it is one of this identity, at this instant at the latest.
    #[inline]
    fn take_until(&mut self, key: u64, time: i64) -> Result<Option<T>, MeasureFault> {
        match &self.next {
            Some(next) if next.order().0 == key && next.order().1 <= time => self.take(),
            _ => Ok(None),
        }
    }

    #[inline]
    fn take(&mut self) -> Result<Option<T>, MeasureFault> {
        let next = self.events.next().transpose()?;
        if let (Some(taken), Some(next)) = (&self.next, &next)
            && next.order() < taken.order()
        {
            return Err(MeasureFault::Damaged { reason: "events are not sorted" });
        }
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// Several sorted streams as one.
pub(crate) struct Merged<T, I> {
    /// Those that have an event left, with it.
    streams: Vec<(T, I)>,
    /// The stream where there is one only.
    only: Option<I>,
}

impl<T: Ordered, I: Iterator<Item = Result<T, MeasureFault>>> Merged<T, I> {
    /// Merges streams; at a tie those given first come first.
    pub(crate) fn new(streams: Vec<I>) -> Result<Self, MeasureFault> {
        let mut merged = Self { streams: Vec::new(), only: None };
        let many = streams.len() > 1;
        for mut stream in streams {
            if !many {
                merged.only = Some(stream);
            } else if let Some(first) = stream.next().transpose()? {
                merged.streams.push((first, stream));
            }
        }
        Ok(merged)
    }

    fn least(&mut self) -> Option<Result<T, MeasureFault>> {
        let order = |(number, (event, _)): (usize, &(T, I))| (event.order(), number);
        let (_, number) = self.streams.iter().enumerate().map(order).min()?;
        let (event, stream) = &mut self.streams[number];
        match stream.next() {
            Some(Ok(next)) => Some(Ok(std::mem::replace(event, next))),
            Some(Err(fault)) => {
                self.streams.clear();
                Some(Err(fault))
            }
            None => Some(Ok(self.streams.remove(number).0)),
        }
    }
}

impl<T: Ordered, I: Iterator<Item = Result<T, MeasureFault>>> Iterator for Merged<T, I> {
    type Item = Result<T, MeasureFault>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.only {
            Some(only) => only.next(),
            None => self.least(),
        }
    }
}
