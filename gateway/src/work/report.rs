//! Making a report on its day: counted, protected, and frozen together with what it spends of the privacy budget. Safe to
//! run again after a crash at any point: nothing is released before it is frozen.

use super::{
    Ended, Fault, Task,
    report_plan::{self, Ingredients, Plan},
};
use crate::background;
use chrono::{NaiveTime, TimeDelta};
use entente_domain::{
    Code, EventDataSetId, JobId, ReportId,
    connection::State,
    credit,
    event::{AccountEventKind, NewEvent, Subject},
    event_data::EventDataSet,
    provenance::Provenance,
    report::{self, FailureReason, Report, ReportStatus},
    settings::Settings,
};
use entente_identity::measure::{self, DiscreteLaplace, MeasureFault, Sources, measure};
use entente_store::{FinishedReport, LoadedReport, NewJob, Outcome};
use serde_json::json;
use std::path::PathBuf;

/// The kind of this job.
pub const KIND: &str = "report";

/// How long a report waits before it looks again whether its events are loaded.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);

/// A job that makes a report when its day begins.
pub fn job(report: &Report) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: format!("report:{}", report.id),
        share: None,
        account: report.account,
        subject: Some(Subject::Report(report.id)),
        payload: json!({}),
        run_at: report.run_on.and_time(NaiveTime::MIN).and_utc(),
    }
}

/// Makes a report.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let Some(Subject::Report(id)) = task.job.subject else {
        return Err(Fault::new("a report job without a report"));
    };
    match make(&task, id).await {
        Err(fault) if task.is_last_attempt() => {
            tracing::error!(message = "a report is given up", job = %task.job.id, %fault);
            let sentence = "It failed in the gateway; its operator can find it by the job's id.";
            fail(&task, id, (FailureReason::GatewayFault, sentence)).await
        }
        other => other,
    }
}

async fn make(task: &Task, id: ReportId) -> Result<Ended, Fault> {
    let store = task.gateway.store();
    let change = task.change(KIND, Subject::Report(id));
    let now = change.now;
    let Some(loaded) = store.loaded_report(id).await? else { return Ok(Ended::Done) };
    if let ReportStatus::Finished | ReportStatus::Failed = loaded.report.status {
        return Ok(Ended::Done);
    }
    if loaded.report.run_on > now.date_naive() {
        // It was edited meanwhile and has another job.
        return Ok(Ended::Done);
    }
    let Some((settings, settings_version)) = agreed(&loaded) else {
        return fail(task, id, (FailureReason::ProjectMissing, "The project or its connection is gone.")).await;
    };
    let data_sets = data_sets(task, &loaded).await?;
    let with = Ingredients {
        report: &loaded.report,
        campaigns: &loaded.campaigns,
        settings: &settings,
        data_sets: &data_sets,
    };
    if report_plan::waits(&with, now) {
        return Ok(Ended::Later(now + LOOK_AGAIN));
    }
    let plan = match report_plan::plan(&with) {
        Ok(plan) => plan,
        Err(why) => return fail(task, id, why).await,
    };
    let read_version = loaded.report.version;
    let begin = move |present: &LoadedReport| report::start(&present.report, now).map(Outcome::of);
    match store.change_report(change, id, Box::new(begin)).await? {
        Ok(running) if running.version == read_version + 1 => {
            compute(task, &running, (&settings, settings_version), plan).await
        }
        Ok(_) => Ok(Ended::Later(now)),
        Err(refusal) if refusal.code == Code::Conflict => Ok(Ended::Later(now)),
        // It was deleted, or edited and has another job.
        Err(_) => Ok(Ended::Done),
    }
}

/// What the two sides agreed on, while they do, and its version.
fn agreed(loaded: &LoadedReport) -> Option<(Settings, i64)> {
    let connection = &loaded.project.as_ref()?.connection;
    let settings = (connection.state == State::Active).then(|| connection.settings.clone()).flatten()?;
    Some((settings, connection.agreed_version))
}

async fn data_sets(task: &Task, loaded: &LoadedReport) -> Result<Vec<EventDataSet>, Fault> {
    let project = loaded.report.project;
    let found = task.gateway.store().event_data_sets_of_projects(&[project]).await?;
    Ok(found.into_values().flatten().collect())
}

/// Counts, protects and freezes.
async fn compute(
    task: &Task,
    running: &Report,
    (settings, settings_version): (&Settings, i64),
    plan: Plan,
) -> Result<Ended, Fault> {
    let gateway = &task.gateway;
    let limits = &gateway.settings;
    let protection = report_plan::protection(
        running.account,
        plan.runner,
        settings.counts,
        limits.privacy_epsilon_per_report,
        limits.threshold,
    );
    let folder = |d: &EventDataSet| gateway.identities().events(d.account).join(d.id.to_string());
    let sources = Sources {
        exposures: plan.exposures.iter().map(folder).collect::<Vec<PathBuf>>(),
        conversions: plan.conversions.iter().map(folder).collect(),
    };
    let (definition, stop) = (plan.definition.clone(), task.stop.clone());
    let counting = background::run(move || {
        measure(&sources, &definition, protection, &mut DiscreteLaplace, &|| stop.is_cancelled())
    });
    match counting.await.map_err(Fault::new)? {
        Ok(_) if !still_there(task, &plan).await? => Ok(Ended::Later(task.change(KIND, subject(running)).now)),
        Ok(result) => {
            let from = Provenance::of(plan.read(), settings_version, env!("CARGO_PKG_VERSION"));
            freeze(task, running, (settings, &plan), &result, from).await
        }
        Err(MeasureFault::Stopped) => Ok(Ended::HandedBack),
        Err(MeasureFault::Definition { reason }) => {
            let sentence = format!("It cannot be computed: {reason}.");
            fail(task, running.id, (FailureReason::NotComputable, &sentence)).await
        }
        Err(fault) => Err(Fault::new(fault)),
    }
}

/// Events that were deleted while they were read may have been read in part; then nothing of it counts.
async fn still_there(task: &Task, plan: &Plan) -> Result<bool, Fault> {
    let ids: Vec<EventDataSetId> = plan.read().map(|d| d.id).collect();
    let found = task.gateway.store().event_data_sets_by_ids(&ids).await?;
    Ok(plan.read().all(|d| found.get(&d.id) == Some(d)))
}

/// Stores the result, once, with what it spends of the budget and what is paid for it.
async fn freeze(
    task: &Task,
    running: &Report,
    (settings, plan): (&Settings, &Plan),
    result: &measure::Report,
    provenance: Provenance,
) -> Result<Ended, Fault> {
    let change = task.change(KIND, subject(running));
    let (shown, threshold) = (result.summary.total.impressions.value(), task.gateway.settings.threshold);
    let finished = FinishedReport {
        result: serde_json::to_value(result).map_err(Fault::new)?,
        provenance,
        epsilon: result.epsilon_spent,
        pair: [running.account, plan.runner],
        quarter: report::quarter(change.now.date_naive()),
        budget: task.gateway.settings.privacy_budget_per_quarter,
        inputs: credit::inputs_of_report(running.account, plan.runner, settings.counts, shown, threshold),
    };
    match task.gateway.store().finish_report(change, running.id, finished, vec![]).await? {
        // It could not be paid.
        Ok(Report { status: ReportStatus::Failed, failure, .. }) => Ok(Ended::Failed(failure.unwrap_or_default())),
        Ok(_) => Ok(Ended::Done),
        Err(refusal) if refusal.code == Code::BudgetExhausted => {
            fail(task, running.id, (FailureReason::BudgetExhausted, &refusal.message)).await
        }
        Err(refusal) if refusal.code == Code::Conflict => Err(Fault::new(refusal)),
        // It was deleted.
        Err(_) => Ok(Ended::Done),
    }
}

/// Says why the report cannot run.
async fn fail(task: &Task, id: ReportId, (reason, sentence): (FailureReason, &str)) -> Result<Ended, Fault> {
    let change = task.change(KIND, Subject::Report(id));
    let (now, failure) = (change.now, sentence.to_owned());
    let rule = move |present: &LoadedReport| {
        let next = report::fail(&present.report, (reason, &failure), now)?;
        let event = NewEvent::of_account(next.account, AccountEventKind::ReportFailed, Subject::Report(id));
        Ok(Outcome::of(next).events([event]))
    };
    match task.gateway.store().change_report(change, id, Box::new(rule)).await? {
        Ok(_) => Ok(Ended::Failed(sentence.to_owned())),
        Err(refusal) if refusal.code == Code::Conflict => Err(Fault::new(refusal)),
        Err(_) => Ok(Ended::Done),
    }
}

fn subject(report: &Report) -> Subject {
    Subject::Report(report.id)
}
