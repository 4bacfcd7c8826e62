//! Lift: what a sent audience brought, told from those who were held out of it.

use crate::graphql::{
    access::viewer,
    fault::refused,
    id::{global, local},
    scalar::SafeInt,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{Refusal, holdout as domain, report::ReportKind};
use entente_identity::measure::lift::{self as measured, LiftPlan};

/// Who is left out of the deliveries of a sent audience, so that what it brings can be measured.
#[derive(Clone, Copy, SimpleObject)]
pub struct Holdout {
    /// Of a hundred people so many, drawn from the audience by lot. All audiences that an account sends in a project with
    /// the same percentage leave out the same people.
    percent: u32,
    /// How many identities were in the audience when it was sent, those held out among them; null until that is on record.
    identities: Option<SafeInt>,
    /// When it was put on record who they are; null until then.
    recorded_at: Option<DateTime<Utc>>,
}

impl From<domain::Holdout> for Holdout {
    fn from(holdout: domain::Holdout) -> Self {
        Self {
            percent: holdout.percent,
            identities: holdout.roster.map(|roster| SafeInt(roster.identities)),
            recorded_at: holdout.roster.map(|roster| roster.at),
        }
    }
}

/// Asks for the lift of a sent audience.
#[derive(InputObject)]
pub struct LiftInput {
    /// What the account sent, with a holdout, in the report's project.
    sent_audience_id: ID,
    /// The account's event data set with the conversions. It must have the match key by which the audience was sent.
    conversions_id: ID,
    /// Names of its conversion events: between one and three.
    events: Vec<String>,
    /// The smallest lift worth knowing of, between 0.001 and 10: 0.05 is one twentieth more. The report warns when its groups
    /// are too small to show one.
    #[graphql(default = 0.05)]
    smallest_lift: f64,
}

impl LiftInput {
    /// What is asked for.
    pub fn kind(self) -> Result<ReportKind, Refusal> {
        Ok(ReportKind::Lift {
            sent: local(&self.sent_audience_id, "report.lift.sentAudienceId")?,
            conversions: local(&self.conversions_id, "report.lift.conversionsId")?,
            events: self.events,
            smallest_lift: self.smallest_lift,
        })
    }
}

/// What a report of lift asks for.
#[derive(Clone, SimpleObject)]
pub struct LiftSettings {
    /// What the account sent.
    sent_audience_id: ID,
    /// The account's event data set with the conversions.
    conversions_id: ID,
    /// Names of its conversion events.
    events: Vec<String>,
    /// The smallest lift worth knowing of: 0.05 is one twentieth more.
    smallest_lift: f64,
}

impl LiftSettings {
    /// Those of a report; `None` where it is about something else.
    pub fn of(kind: &ReportKind) -> Option<Self> {
        match kind {
            ReportKind::Lift { sent, conversions, events, smallest_lift } => Some(Self {
                sent_audience_id: global(*sent),
                conversions_id: global(*conversions),
                events: events.clone(),
                smallest_lift: *smallest_lift,
            }),
            ReportKind::CampaignSummary | ReportKind::Attribution { .. } => None,
        }
    }
}

/// What is to be known of a lift before anybody believes it.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "measured::LiftWarning")]
pub enum LiftWarning {
    /// Fewer than ten identities of a group converted: intervals hold the truth less often than they say.
    FewConverters,
    /// The groups are too small to show, in four of five campaigns, the smallest lift worth knowing of.
    CannotShowSmallestLift,
}

/// A number that chance has a part in, with its interval of 95 %.
#[derive(Clone, Copy, SimpleObject)]
pub struct LiftEstimate {
    /// The number.
    value: f64,
    /// The least that the truth may be.
    low: f64,
    /// The most that the truth may be.
    high: f64,
    /// Whether the interval leaves out zero: chance alone would seldom bring as much.
    shows_effect: bool,
}

impl From<measured::Estimate> for LiftEstimate {
    fn from(estimate: measured::Estimate) -> Self {
        let measured::Estimate { value, low, high } = estimate;
        Self { value, low, high, shows_effect: estimate.shows_an_effect() }
    }
}

/// How those who were held out and all others differ in one way.
#[derive(Clone, Copy, SimpleObject)]
pub struct LiftOutcome {
    /// The sum over those who were not held out.
    treated: f64,
    /// The sum over those who were held out.
    held_out: f64,
    /// How much more those not held out have than they would, had they done as those held out.
    incremental: LiftEstimate,
    /// The same as a part of what they would have: 0.1 is one tenth more. Null where one of both groups has nothing.
    lift: Option<LiftEstimate>,
    /// The smallest lift that groups of this size show in four of five campaigns; null where those held out have nothing.
    smallest_detectable_lift: Option<f64>,
}

impl From<measured::OutcomeLift> for LiftOutcome {
    fn from(outcome: measured::OutcomeLift) -> Self {
        Self {
            treated: outcome.treated,
            held_out: outcome.held_out,
            incremental: outcome.incremental.into(),
            lift: outcome.lift.map(Into::into),
            smallest_detectable_lift: outcome.smallest_detectable,
        }
    }
}

/// What a sent audience brought of one conversion event.
#[derive(Clone, SimpleObject)]
pub struct EventLift {
    /// The event's name.
    event: String,
    /// Identities that converted.
    converters: LiftOutcome,
    /// Conversions.
    conversions: LiftOutcome,
    /// Their value, in units of the currency; null where the conversions have none.
    revenue: Option<LiftOutcome>,
    /// What is to be known before anybody believes it.
    warnings: Vec<LiftWarning>,
}

/// What a sent audience brought: everybody whom it was sent for, reached or not, compared with those who were held out. All of
/// it is about the account's own people and conversions.
#[derive(Clone, SimpleObject)]
pub struct Lift {
    /// Identities who were in the audience when it was sent and were not held out.
    treated_identities: SafeInt,
    /// Identities who were held out.
    held_out_identities: SafeInt,
    /// One for each conversion event.
    events: Vec<EventLift>,
}

impl From<measured::LiftReport> for Lift {
    fn from(report: measured::LiftReport) -> Self {
        let event = |event: measured::EventLift| EventLift {
            event: event.name,
            converters: event.converters.into(),
            conversions: event.conversions.into(),
            revenue: event.revenue.map(Into::into),
            warnings: event.warnings.into_iter().map(Into::into).collect(),
        };
        Self {
            treated_identities: SafeInt(report.groups.treated),
            held_out_identities: SafeInt(report.groups.held_out),
            events: report.events.into_iter().map(event).collect(),
        }
    }
}

/// A campaign that is planned, and what is expected of it.
#[derive(InputObject)]
pub struct LiftPowerInput {
    /// Identities that the audience is sent for, those held out among them: between 1,000 and 10,000,000,000.
    identities: SafeInt,
    /// Of a hundred of them so many are held out: between 1 and 50.
    holdout_percent: u32,
    /// The part of them that converts without the campaign: above 0, below 1.
    conversion_rate: f64,
    /// By which part those who are reached convert more often: 0.05 is one twentieth. Between 0.001 and 10.
    lift: f64,
    /// The part of those not held out whom the campaign reaches: above 0, at most 1.
    #[graphql(default = 1.0)]
    reached: f64,
    /// How often the effect shall be found: between 0.5 and 0.999.
    #[graphql(default = 0.8)]
    power: f64,
}

impl LiftPowerInput {
    fn plan(&self) -> Result<LiftPlan, Refusal> {
        let within = |holds: bool, message: &str| match holds {
            true => Ok(()),
            false => Err(Refusal::invalid("input", message)),
        };
        let identities = self.identities.0;
        within((1_000..=10_000_000_000).contains(&identities), "identities are between 1,000 and 10,000,000,000.")?;
        let percent = self.holdout_percent;
        within((1..=domain::MOST_PERCENT).contains(&percent), "holdoutPercent is between 1 and 50.")?;
        let rate = self.conversion_rate;
        within((1e-6..=0.999_999).contains(&rate), "conversionRate is between 0.000001 and 0.999999.")?;
        within((0.001..=10.0).contains(&self.lift), "lift is between 0.001 and 10.")?;
        within((0.001..=1.0).contains(&self.reached), "reached is between 0.001 and 1.")?;
        within((0.5..=0.999).contains(&self.power), "power is between 0.5 and 0.999.")?;
        Ok(LiftPlan {
            identities,
            held_out: f64::from(percent) / 100.0,
            conversion_rate: rate,
            reached: self.reached,
            lift: self.lift,
            power: self.power,
        })
    }
}

/// Whether a planned campaign can show its effect.
#[derive(SimpleObject)]
pub struct LiftPower {
    /// How often the interval of 95 % of such a campaign leaves out zero: 0.8 is four of five times.
    power: f64,
    /// The smallest lift of those who are reached that is found as often as wanted; null where none would be.
    smallest_lift: Option<f64>,
    /// How many identities find the effect as often as wanted, those held out among them.
    identities_needed: SafeInt,
}

/// The fields of the query type about lift.
#[derive(Default)]
pub struct LiftQuery;

#[Object]
impl LiftQuery {
    /// Whether a campaign that is planned can show what it brings, before it runs. For everybody who is signed in.
    async fn lift_power(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is planned and expected.")] input: LiftPowerInput,
    ) -> Result<LiftPower> {
        viewer(ctx)?;
        let measured::LiftPower { power, smallest_lift, identities } = input.plan().map_err(refused)?.power();
        Ok(LiftPower { power, smallest_lift, identities_needed: SafeInt(identities) })
    }
}
