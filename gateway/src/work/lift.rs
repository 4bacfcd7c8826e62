//! Counting what a sent audience brought, told from those who were held out of it. It is about the sender's own people and
//! conversions alone, so that it spends nothing of the privacy budget.

use super::{
    Fault, Task, progress,
    report::{Counted, Uncounted, folder_of},
    report_plan::{self, Unplanned},
};
use crate::{background, holdout};
use entente_domain::{
    activation::SentAudience,
    event_data::{EventDataSet, EventDataStatus},
    report::{self, FailureReason, Report, ReportKind},
};
use entente_identity::measure::{
    MeasureFault, Period,
    lift::{Groups, LiftDefinition, LiftSources, measure_lift},
};
use serde_json::Value;
use tokio::sync::watch;

/// A report of lift, ready to be computed.
#[derive(Debug)]
pub struct LiftPlan {
    sent: SentAudience,
    /// Conversions that it reads.
    pub conversions: EventDataSet,
    definition: LiftDefinition,
}

/// Plans a report of lift, or says why it cannot run.
pub fn plan(
    report: &Report,
    sent: Option<&SentAudience>,
    data_sets: &[EventDataSet],
    threshold: u64,
) -> Result<LiftPlan, Unplanned> {
    let gone = "The conversions of the report are gone, or no longer have its events.";
    let missing = (FailureReason::ConversionsMissing, gone);
    let ReportKind::Lift { conversions, smallest_lift, .. } = &report.kind else { return Err(missing) };
    let found = data_sets.iter().find(|d| d.id == *conversions && d.status == EventDataStatus::Active);
    report::countable(&report.kind, report.account, report.project, found).map_err(|_| missing)?;
    let unsent = (FailureReason::AudienceMissing, "The sent audience of the report is gone.");
    report::liftable(report, sent, found).map_err(|_| unsent)?;
    let (Some(sent), Some(conversions)) = (sent, found) else { return Err(unsent) };
    if sent.holdout.and_then(|holdout| holdout.roster).is_none() {
        let sentence = "It is not on record who was in the audience when it was sent.";
        return Err((FailureReason::AudienceMissing, sentence));
    }
    let definition = LiftDefinition {
        match_key: sent.match_keys.first().map(|key| key.name()).unwrap_or_default(),
        period: Period { first: report.from, last: report.until },
        events: report_plan::events(conversions, report),
        threshold,
        smallest_lift: *smallest_lift,
    };
    Ok(LiftPlan { sent: sent.clone(), conversions: conversions.clone(), definition })
}

/// Compares those who were held out with everybody else.
pub async fn count(task: &Task, running: &Report, plan: &LiftPlan) -> Result<Counted, Uncounted> {
    let gateway = &task.gateway;
    let holdout = holdout::of_sent(gateway, &plan.sent).await.map_err(Fault::new)?;
    let holdout = holdout.ok_or_else(|| Fault::new("a lift without a holdout"))?;
    let sources = LiftSources {
        roster: gateway.identities().roster(&plan.sent),
        conversions: folder_of(gateway, &plan.conversions),
    };
    let definition = plan.definition.clone();
    let (said, heard) = watch::channel(Value::Null);
    let watch = progress::of_share(said, task.stop.clone());
    let counting = background::run(move || measure_lift(&sources, &definition, &holdout, &watch));
    match progress::follow(task, heard, counting).await.map_err(Fault::new)? {
        Ok(result) => Ok(Counted {
            result: serde_json::to_value(result).map_err(Fault::new)?,
            epsilon: 0.0,
            pair: [running.account, plan.sent.receiver],
            inputs: gateway.settings.threshold,
        }),
        Err(MeasureFault::TooFewPeople { groups: Groups { treated, held_out } }) => {
            let sentence = format!(
                "{held_out} identities were held out and {treated} were not; either group needs {}.",
                plan.definition.threshold,
            );
            Err(Uncounted::Impossible((FailureReason::TooFewPeople, sentence)))
        }
        Err(MeasureFault::Stopped) => Err(Uncounted::Stopped),
        Err(fault) => Err(Fault::new(fault).into()),
    }
}
