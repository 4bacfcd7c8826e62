//! What a measurement of lift comes to.

use super::effect::{Estimate, Moments, incremental, lift, smallest_detectable};
use crate::measure::MICROS;
use crate::measure::definition::{ConversionEvent, Period, ValueRule};
use serde::{Deserialize, Serialize};

/// The form in which measurements of lift are stored, for whoever reads one of an older version.
pub const LIFT_VERSION: u32 = 1;

/// Fewer converters than this in a group, and the intervals hold the truth less often than they say.
const FEW_CONVERTERS: f64 = 10.0;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiftDefinition {
    /// The match key by which the audience was sent.
    pub match_key: String,
    /// The days whose conversions count.
    pub period: Period,
    /// At least one.
    pub events: Vec<ConversionEvent>,
    /// Groups of fewer identities are not compared; at least 2.
    pub threshold: u64,
    /// The smallest lift worth knowing of, as a part.
    pub smallest_lift: f64,
}

/// How many identities there are in both groups, whatever they did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// Those whom the audience was sent for and who were not held out.
    pub treated: u64,
    /// Those who were held out.
    pub held_out: u64,
}

/// A finished measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiftReport {
    /// [`LIFT_VERSION`] when it was made.
    pub version: u32,
    /// What was measured.
    pub definition: LiftDefinition,
    /// Who was compared.
    pub groups: Groups,
    /// One for each event.
    pub events: Vec<EventLift>,
}

/// What a campaign brought of one conversion event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLift {
    /// The event.
    pub name: String,
    /// Identities that converted.
    pub converters: OutcomeLift,
    /// Conversions.
    pub conversions: OutcomeLift,
    /// Their value in units of the currency; none where they have none.
    pub revenue: Option<OutcomeLift>,
    /// What is to be known before anybody believes it.
    pub warnings: Vec<LiftWarning>,
}

/// How two groups differ in one way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OutcomeLift {
    /// The sum over the treated.
    pub treated: f64,
    /// The sum over those who were held out.
    pub held_out: f64,
    /// What the treated have more than they would have without the campaign.
    pub incremental: Estimate,
    /// The same as a part of what they would have; none where one of both groups has nothing.
    pub lift: Option<Estimate>,
    /// The smallest lift that groups of this size show in four of five campaigns; none where those held out have nothing.
    pub smallest_detectable: Option<f64>,
}

/// What is to be known of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LiftWarning {
    /// Fewer than ten identities of a group converted: intervals hold the truth less often than they say.
    FewConverters,
    /// The groups are too small to show, in four of five campaigns, the smallest lift worth knowing of.
    CannotShowSmallestLift,
}

impl OutcomeLift {
    pub(super) fn between(treated: &Moments, held_out: &Moments) -> Self {
        Self {
            treated: treated.sum,
            held_out: held_out.sum,
            incremental: incremental(treated, held_out),
            lift: lift(treated, held_out),
            smallest_detectable: smallest_detectable(treated, held_out),
        }
    }
}

/// What a group did of one event.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Outcomes {
    pub(super) converters: Moments,
    pub(super) conversions: Moments,
    /// In units of the currency.
    pub(super) revenue: Moments,
}

impl Outcomes {
    /// The same, of a group of so many identities.
    pub(super) fn of_group(self, identities: u64) -> Self {
        let of = |moments| Moments { identities, ..moments };
        Self { converters: of(self.converters), conversions: of(self.conversions), revenue: of(self.revenue) }
    }

    /// Adds an identity that converted.
    pub(super) fn add(&mut self, conversions: u32, micros: i64) {
        self.converters.add(1.0);
        self.conversions.add(f64::from(conversions));
        self.revenue.add(micros as f64 / MICROS as f64);
    }
}

impl EventLift {
    pub(super) fn between(
        event: &ConversionEvent,
        treated: &Outcomes,
        held_out: &Outcomes,
        smallest_lift: f64,
    ) -> Self {
        let converters = OutcomeLift::between(&treated.converters, &held_out.converters);
        let few = [treated, held_out].iter().any(|group| group.converters.sum < FEW_CONVERTERS);
        let cannot = converters.smallest_detectable.is_none_or(|detectable| detectable > smallest_lift);
        let warnings = [(few, LiftWarning::FewConverters), (cannot, LiftWarning::CannotShowSmallestLift)];
        Self {
            name: event.name.clone(),
            converters,
            conversions: OutcomeLift::between(&treated.conversions, &held_out.conversions),
            revenue: (event.value == ValueRule::SumOfValue)
                .then(|| OutcomeLift::between(&treated.revenue, &held_out.revenue)),
            warnings: warnings.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning).collect(),
        }
    }
}
