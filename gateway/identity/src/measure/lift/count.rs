//! Counting what both groups did, in one pass over a roster and the conversions.

use super::report::{EventLift, Groups, LIFT_VERSION, LiftDefinition, LiftReport, Outcomes};
use super::roster::RosterReader;
use crate::holdout::Holdout;
use crate::key_name::KeyName;
use crate::measure::MeasureFault;
use crate::measure::definition::MOST_EVENTS;
use crate::measure::event::Conversion;
use crate::measure::join::IDENTITIES_BETWEEN_CHECKS;
use crate::measure::stored::{self, ConversionFile};
use crate::measure::watch::{Parts, Watch, share_before};
use std::path::PathBuf;

/// What a measurement of lift is made from, all of one account.
#[derive(Debug, Clone)]
pub struct LiftSources {
    /// What [`super::write_roster`] wrote.
    pub roster: PathBuf,
    /// A directory that [`crate::measure::load_conversions`] made under the same [`crate::IndexSecret`].
    pub conversions: PathBuf,
}

/// Compares those who were held out with everybody else whom an audience was sent for.
///
/// # Errors
/// When the definition cannot be measured, a file cannot be read, or `watch` says so.
pub fn measure_lift(
    sources: &LiftSources,
    definition: &LiftDefinition,
    holdout: &Holdout,
    watch: Watch<'_>,
) -> Result<LiftReport, MeasureFault> {
    let key = checked(definition)?;
    let path = stored::conversions_path(&sources.conversions, &key);
    let file = stored::open(&path, |file| ConversionFile::open(file, &definition.events, 0..=u64::MAX)).transpose()?;
    let mut tally = Tally::new(definition);
    let (mut roster, mut conversions) = (RosterReader::open(&sources.roster)?, file.into_iter().flatten());
    let mut next = conversions.next().transpose()?;
    let (whole, mut identities) = (Parts::new(1, watch), 0_u32);
    while let Some(key) = roster.next()? {
        // Identities are hashes, in their order.
        let share = share_before(&(0..=u64::MAX), key);
        if identities.is_multiple_of(IDENTITIES_BETWEEN_CHECKS) && !whole.go_on(0, share) {
            return Err(MeasureFault::Stopped);
        }
        identities = identities.wrapping_add(1);
        tally.begin(holdout.holds_out(key));
        while let Some(conversion) = next.filter(|conversion| conversion.key <= key) {
            if conversion.key == key {
                tally.take(&conversion);
            }
            next = conversions.next().transpose()?;
        }
        tally.end();
    }
    whole.end()?;
    tally.report()
}

fn checked(definition: &LiftDefinition) -> Result<KeyName, MeasureFault> {
    let refused = |reason| MeasureFault::Definition { reason };
    if definition.events.is_empty() || definition.events.len() > MOST_EVENTS {
        return Err(refused("between one and three conversion events are compared"));
    }
    KeyName::new(definition.match_key.clone()).map_err(|_| refused("not a name of a match key"))
}

/// What was counted so far.
struct Tally<'a> {
    definition: &'a LiftDefinition,
    groups: [u64; 2],
    /// By event what the treated and those who were held out did.
    outcomes: Vec<[Outcomes; 2]>,
    /// 0 for the treated, 1 for those who were held out.
    group: usize,
    /// By event the conversions of this identity, and their value in micros.
    done: Vec<(u32, i64)>,
}

impl<'a> Tally<'a> {
    fn new(definition: &'a LiftDefinition) -> Self {
        Self {
            definition,
            groups: [0; 2],
            outcomes: vec![[Outcomes::default(); 2]; definition.events.len()],
            group: 0,
            done: vec![(0, 0); definition.events.len()],
        }
    }

    fn begin(&mut self, is_held_out: bool) {
        self.group = usize::from(is_held_out);
        self.groups[self.group] += 1;
        self.done.fill((0, 0));
    }

    fn take(&mut self, conversion: &Conversion) {
        if self.definition.period.day_of(conversion.time).is_none() {
            return;
        }
        for (event, (conversions, micros)) in self.done.iter_mut().enumerate() {
            if conversion.events >> event & 1 == 1 {
                *conversions += 1;
                *micros = micros.saturating_add(conversion.value);
            }
        }
    }

    fn end(&mut self) {
        for (outcomes, (conversions, micros)) in self.outcomes.iter_mut().zip(&self.done) {
            if *conversions > 0 {
                outcomes[self.group].add(*conversions, *micros);
            }
        }
    }

    fn report(self) -> Result<LiftReport, MeasureFault> {
        let Self { definition, groups, outcomes, .. } = self;
        let [treated, held_out] = groups;
        let groups = Groups { treated, held_out };
        if treated.min(held_out) < definition.threshold.max(2) {
            return Err(MeasureFault::TooFewPeople { groups });
        }
        let event = |(event, [of_treated, of_held_out]): (_, &[Outcomes; 2])| {
            let (treated, held_out) = (of_treated.of_group(treated), of_held_out.of_group(held_out));
            EventLift::between(event, &treated, &held_out, definition.smallest_lift)
        };
        let events = definition.events.iter().zip(&outcomes).map(event).collect();
        Ok(LiftReport { version: LIFT_VERSION, definition: definition.clone(), groups, events })
    }
}
