//! Making a report on its day: counted, protected, and frozen together with what it spends of the privacy budget. Safe to
//! run again after a crash at any point: nothing is released before it is frozen.

use super::{
    Ended, Fault, Task,
    lift::{self, LiftPlan},
    progress,
    report_plan::{self, Ingredients, Plan},
};
use crate::{background, gateway::Gateway};
use chrono::{NaiveTime, TimeDelta};
use entente_domain::{
    AccountId, Code, EventDataSetId, JobId, ReportId,
    connection::State,
    credit,
    event::{AccountEventKind, NewEvent, Subject},
    event_data::EventDataSet,
    privacy_budget,
    provenance::Provenance,
    report::{self, FailureReason, Report, ReportStatus},
    settings::Settings,
};
use entente_identity::measure::{DiscreteLaplace, MeasureFault, Sources, measure};
use entente_store::{FinishedReport, LoadedReport, NewJob, Outcome};
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::sync::watch;

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
    let making = match making(task, &with).await? {
        Ok(making) => making,
        Err((reason, sentence)) => return fail(task, id, (reason, &sentence)).await,
    };
    let read_version = loaded.report.version;
    let begin = move |present: &LoadedReport| report::start(&present.report, now).map(Outcome::of);
    match store.change_report(change, id, Box::new(begin)).await? {
        Ok(running) if running.version == read_version + 1 => {
            compute(task, &running, (&settings, settings_version), &making).await
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

/// A report, ready to be made.
enum Making {
    /// From exposures.
    Campaigns(Plan),
    /// From those who were held out.
    Lift(LiftPlan),
}

impl Making {
    /// The event data sets that it reads: exposures, then conversions.
    fn read(&self) -> Vec<&EventDataSet> {
        match self {
            Self::Campaigns(plan) => plan.read().collect(),
            Self::Lift(plan) => vec![&plan.conversions],
        }
    }
}

/// Why a report cannot run, and a sentence that says it.
pub type Impossible = (FailureReason, String);

/// Plans a report, or says why it cannot run.
async fn making(task: &Task, with: &Ingredients<'_>) -> Result<Result<Making, Impossible>, Fault> {
    let Some(sent) = with.report.kind.sent_audience() else {
        let plan = report_plan::plan(with).map(Making::Campaigns);
        return Ok(plan.map_err(|(reason, sentence)| (reason, sentence.to_owned())));
    };
    let sent = task.gateway.store().sent_audiences_by_ids(&[sent]).await?.remove(&sent);
    let plan = lift::plan(with.report, sent.as_ref(), with.data_sets, task.gateway.settings.threshold);
    Ok(plan.map(Making::Lift).map_err(|(reason, sentence)| (reason, sentence.to_owned())))
}

/// What a report came to, and what is paid for it.
pub struct Counted {
    /// The answer.
    pub result: Value,
    /// What it spends of the budget.
    pub epsilon: f64,
    /// The pair whose budget that is.
    pub pair: [AccountId; 2],
    /// The inputs that it is paid by.
    pub inputs: u64,
}

/// Why nothing was counted.
pub enum Uncounted {
    /// It cannot be.
    Impossible(Impossible),
    /// The gateway stops.
    Stopped,
    /// Something failed.
    Fault(Fault),
}

impl From<Fault> for Uncounted {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Where a data set lies.
pub fn folder_of(gateway: &Gateway, data_set: &EventDataSet) -> PathBuf {
    gateway.identities().events(data_set.account).join(data_set.id.to_string())
}

/// Counts and freezes.
async fn compute(
    task: &Task,
    running: &Report,
    (settings, settings_version): (&Settings, i64),
    making: &Making,
) -> Result<Ended, Fault> {
    let counted = match making {
        Making::Campaigns(plan) => count_campaigns(task, running, settings, plan).await,
        Making::Lift(plan) => lift::count(task, running, plan).await,
    };
    let read = making.read();
    match counted {
        Ok(_) if !still_there(task, &read).await? => Ok(Ended::Later(task.change(KIND, subject(running)).now)),
        Ok(counted) => {
            let from = Provenance::of(read, settings_version, env!("CARGO_PKG_VERSION"));
            freeze(task, running, counted, from).await
        }
        Err(Uncounted::Impossible((reason, sentence))) => fail(task, running.id, (reason, &sentence)).await,
        Err(Uncounted::Stopped) => Ok(Ended::HandedBack),
        Err(Uncounted::Fault(fault)) => Err(fault),
    }
}

/// Counts exposures, and protects them.
async fn count_campaigns(
    task: &Task,
    running: &Report,
    settings: &Settings,
    plan: &Plan,
) -> Result<Counted, Uncounted> {
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
    let definition = plan.definition.clone();
    let (said, heard) = watch::channel(Value::Null);
    let watch = progress::of_share(said, task.stop.clone());
    let counting = background::run(move || measure(&sources, &definition, protection, &mut DiscreteLaplace, &watch));
    let result = match progress::follow(task, heard, counting).await.map_err(Fault::new)? {
        Ok(result) => result,
        Err(MeasureFault::Stopped) => return Err(Uncounted::Stopped),
        Err(MeasureFault::Definition { reason }) => {
            let sentence = format!("It cannot be computed: {reason}.");
            return Err(Uncounted::Impossible((FailureReason::NotComputable, sentence)));
        }
        Err(fault) => return Err(Fault::new(fault).into()),
    };
    let (shown, threshold) = (result.summary.total.impressions.value(), limits.threshold);
    Ok(Counted {
        result: serde_json::to_value(&result).map_err(Fault::new)?,
        epsilon: result.epsilon_spent,
        pair: [running.account, plan.runner],
        inputs: credit::inputs_of_report(running.account, plan.runner, settings.counts, shown, threshold),
    })
}

/// Events that were deleted while they were read may have been read in part; then nothing of it counts.
async fn still_there(task: &Task, read: &[&EventDataSet]) -> Result<bool, Fault> {
    let ids: Vec<EventDataSetId> = read.iter().map(|d| d.id).collect();
    let found = task.gateway.store().event_data_sets_by_ids(&ids).await?;
    Ok(read.iter().all(|d| found.get(&d.id) == Some(d)))
}

/// Stores the result, once, with what it spends of the budget and what is paid for it.
async fn freeze(task: &Task, running: &Report, counted: Counted, provenance: Provenance) -> Result<Ended, Fault> {
    let change = task.change(KIND, subject(running));
    let Counted { result, epsilon, pair, inputs } = counted;
    let quarter = privacy_budget::quarter(change.now.date_naive());
    let budget = task.gateway.settings.privacy_budget_per_quarter;
    let finished = FinishedReport { result, provenance, epsilon, pair, quarter, budget, inputs };
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
