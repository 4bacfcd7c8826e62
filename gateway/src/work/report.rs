//! Making a report on its day: counted, protected, and frozen together with what it spends of the privacy budget. Safe to
//! run again after a crash at any point: nothing is released before it is frozen.

use super::{
    Ended, Fault, Task,
    lift::{self, LiftPlan},
    report_plan::{self, Ingredients, Plan},
};
use crate::{background, gateway::Gateway};
use chrono::{NaiveTime, TimeDelta};
use entente_domain::{
    Code, EventDataSetId, JobId, ReportId,
    connection::State,
    credit,
    event::{AccountEventKind, NewEvent, Subject},
    event_data::EventDataSet,
    report::{self, Report, ReportStatus},
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
            fail(&task, id, "It failed in the gateway; its operator can find it by the job's id.").await
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
    let Some(settings) = agreed(&loaded) else {
        return fail(task, id, "The project or its connection is gone.").await;
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
    let making = match making(task, &with).await? {
        Ok(making) => making,
        Err(reason) => return fail(task, id, &reason).await,
    };
    let read_version = loaded.report.version;
    let begin = move |present: &LoadedReport| report::start(&present.report, now).map(Outcome::of);
    match store.change_report(change, id, Box::new(begin)).await? {
        Ok(running) if running.version == read_version + 1 => compute(task, &running, &settings, &making).await,
        Ok(_) => Ok(Ended::Later(now)),
        Err(refusal) if refusal.code == Code::Conflict => Ok(Ended::Later(now)),
        // It was deleted, or edited and has another job.
        Err(_) => Ok(Ended::Done),
    }
}

/// What the two sides agreed on, while they do.
fn agreed(loaded: &LoadedReport) -> Option<Settings> {
    let connection = &loaded.project.as_ref()?.connection;
    (connection.state == State::Active).then(|| connection.settings.clone()).flatten()
}

async fn data_sets(task: &Task, loaded: &LoadedReport) -> Result<Vec<EventDataSet>, Fault> {
    let project = loaded.report.project;
    let found = task.gateway.store().event_data_sets_of_projects(&[project]).await?;
    Ok(found.into_values().flatten().collect())
}

/// A report, ready to be made.
enum Making {
    /// From exposures.
    Campaigns(Plan),
    /// From those who were held out.
    Lift(LiftPlan),
}

impl Making {
    /// What it reads.
    fn reads(&self) -> Vec<&EventDataSet> {
        match self {
            Self::Campaigns(plan) => plan.exposures.iter().chain(&plan.conversions).collect(),
            Self::Lift(plan) => vec![&plan.conversions],
        }
    }
}

/// Plans a report; the inner error is a sentence that says why it cannot run.
async fn making(task: &Task, with: &Ingredients<'_>) -> Result<Result<Making, String>, Fault> {
    let Some(sent) = with.report.kind.sent_audience() else {
        return Ok(report_plan::plan(with).map(Making::Campaigns));
    };
    let sent = task.gateway.store().sent_audiences_by_ids(&[sent]).await?.remove(&sent);
    let plan = lift::plan(with.report, sent.as_ref(), with.data_sets, task.gateway.settings.threshold);
    Ok(plan.map(Making::Lift))
}

/// What came of counting.
pub enum Counted {
    /// What is to be frozen.
    Finished(FinishedReport),
    /// It cannot be counted; a sentence that says why.
    Impossible(String),
    /// The gateway stops.
    Stopped,
}

/// Where a data set lies.
pub fn folder_of(gateway: &Gateway, data_set: &EventDataSet) -> PathBuf {
    gateway.identities().events(data_set.account).join(data_set.id.to_string())
}

/// Counts and freezes.
async fn compute(task: &Task, running: &Report, settings: &Settings, making: &Making) -> Result<Ended, Fault> {
    let counted = match making {
        Making::Campaigns(plan) => count_campaigns(task, running, settings, plan).await?,
        Making::Lift(plan) => lift::count(task, running, plan).await?,
    };
    match counted {
        Counted::Finished(_) if !still_there(task, &making.reads()).await? => {
            Ok(Ended::Later(task.change(KIND, subject(running)).now))
        }
        Counted::Finished(finished) => freeze(task, running, finished).await,
        Counted::Impossible(reason) => fail(task, running.id, &reason).await,
        Counted::Stopped => Ok(Ended::HandedBack),
    }
}

/// Counts exposures, and protects them.
async fn count_campaigns(task: &Task, running: &Report, settings: &Settings, plan: &Plan) -> Result<Counted, Fault> {
    let gateway = &task.gateway;
    let limits = &gateway.settings;
    let protection = report_plan::protection(
        running.account,
        plan.runner,
        settings.counts,
        limits.privacy_epsilon_per_report,
        limits.threshold,
    );
    let folder = |d: &EventDataSet| folder_of(gateway, d);
    let sources = Sources {
        exposures: plan.exposures.iter().map(folder).collect::<Vec<PathBuf>>(),
        conversions: plan.conversions.iter().map(folder).collect(),
    };
    let (definition, stop) = (plan.definition.clone(), task.stop.clone());
    let counting = background::run(move || {
        measure(&sources, &definition, protection, &mut DiscreteLaplace, &|| stop.is_cancelled())
    });
    match counting.await.map_err(Fault::new)? {
        Ok(result) => finished(task, running, (settings, plan), &result).map(Counted::Finished),
        Err(MeasureFault::Stopped) => Ok(Counted::Stopped),
        Err(MeasureFault::Definition { reason }) => {
            Ok(Counted::Impossible(format!("It cannot be computed: {reason}.")))
        }
        Err(fault) => Err(Fault::new(fault)),
    }
}

/// A result, with what it spends of the budget and what is paid for it.
fn finished(
    task: &Task,
    running: &Report,
    (settings, plan): (&Settings, &Plan),
    result: &measure::Report,
) -> Result<FinishedReport, Fault> {
    let (shown, threshold) = (result.summary.total.impressions.value(), task.gateway.settings.threshold);
    Ok(FinishedReport {
        result: serde_json::to_value(result).map_err(Fault::new)?,
        epsilon: result.epsilon_spent,
        pair: [running.account, plan.runner],
        quarter: report::quarter(crate::clock::now().date_naive()),
        budget: task.gateway.settings.privacy_budget_per_quarter,
        inputs: credit::inputs_of_report(running.account, plan.runner, settings.counts, shown, threshold),
    })
}

/// Events that were deleted while they were read may have been read in part; then nothing of it counts.
async fn still_there(task: &Task, read: &[&EventDataSet]) -> Result<bool, Fault> {
    let ids: Vec<EventDataSetId> = read.iter().map(|d| d.id).collect();
    let found = task.gateway.store().event_data_sets_by_ids(&ids).await?;
    Ok(read.iter().all(|d| found.get(&d.id) == Some(d)))
}

/// Stores the result, once.
async fn freeze(task: &Task, running: &Report, finished: FinishedReport) -> Result<Ended, Fault> {
    let change = task.change(KIND, subject(running));
    match task.gateway.store().finish_report(change, running.id, finished, vec![]).await? {
        // It could not be paid.
        Ok(Report { status: ReportStatus::Failed, failure, .. }) => Ok(Ended::Failed(failure.unwrap_or_default())),
        Ok(_) => Ok(Ended::Done),
        Err(refusal) if refusal.code == Code::BudgetExhausted => fail(task, running.id, &refusal.message).await,
        Err(refusal) if refusal.code == Code::Conflict => Err(Fault::new(refusal)),
        // It was deleted.
        Err(_) => Ok(Ended::Done),
    }
}

/// Says why the report cannot run.
async fn fail(task: &Task, id: ReportId, reason: &str) -> Result<Ended, Fault> {
    let change = task.change(KIND, Subject::Report(id));
    let (now, failure) = (change.now, reason.to_owned());
    let rule = move |present: &LoadedReport| {
        let next = report::fail(&present.report, &failure, now)?;
        let event = NewEvent::of_account(next.account, AccountEventKind::ReportFailed, Subject::Report(id));
        Ok(Outcome::of(next).events([event]))
    };
    match task.gateway.store().change_report(change, id, Box::new(rule)).await? {
        Ok(_) => Ok(Ended::Failed(reason.to_owned())),
        Err(refusal) if refusal.code == Code::Conflict => Err(Fault::new(refusal)),
        Err(_) => Ok(Ended::Done),
    }
}

fn subject(report: &Report) -> Subject {
    Subject::Report(report.id)
}
