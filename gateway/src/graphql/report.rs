//! Reports: campaign summaries, attributions and lifts, as the account that they are made for sees them.

use crate::{
    graphql::{
        access::{authorise, change, creation, gateway, load_own, loaders, project_of},
        attribution::{Asked, AttributionModelInput, CreditSettings, Engagement, EngagementLookback, PathSteps},
        campaign::Campaign,
        cost::list_size,
        event_data_set::measurable,
        fault::{allow, fault, payload},
        id::{global, local, locals},
        job::Job,
        lift::{Lift, LiftInput, LiftSettings},
        loaders::load,
        page::page,
        project::Project,
        report_figures::{Attribution, CampaignSummary, ReportProtection},
        report_provenance::ReportProvenance,
        scalar::{Date, SafeInt},
    },
    work::report as job,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, CampaignId, Code, ProjectId, Refusal, ReportId,
    access::Act,
    activation::SentAudience as SentRow,
    credit,
    event::{AccountEventKind, NewEvent, Subject},
    event_data::EventDataSet as DataSetRow,
    privacy_budget,
    project::Campaign as CampaignRow,
    report::{
        self, FailureReason as DomainFailureReason, NewReport, Report as Row, ReportKind as DomainKind,
        ReportStatus as DomainStatus,
    },
};
use entente_identity::measure::{self, lift::LiftReport};
use entente_store::{Change, LoadedProject, LoadedReport, Outcome};
use serde::de::DeserializeOwned;

/// What a report is about.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum ReportKind {
    /// Impressions, reach and frequency.
    CampaignSummary,
    /// The summary, and which conversions the campaigns had a part in.
    Attribution,
    /// What a sent audience brought, told from those who were held out of it.
    Lift,
}

/// Where a report is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainStatus")]
pub enum ReportStatus {
    /// Waits for its day.
    Scheduled,
    /// Is being computed.
    Running,
    /// Frozen.
    Finished,
    /// Could not run.
    Failed,
}

/// Why a report could not run.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainFailureReason")]
pub enum ReportFailureReason {
    /// No exposures of its campaigns are loaded: load them, and run it again.
    ExposuresMissing,
    /// Its conversions were taken back, could not be loaded, or no longer have its events.
    ConversionsMissing,
    /// A campaign is gone.
    CampaignMissing,
    /// The project is gone, or its connection is not active.
    ProjectMissing,
    /// The pair's budget of the quarter does not suffice: run it again in the next.
    BudgetExhausted,
    /// It could not be paid.
    CreditsMissing,
    /// The sent audience is gone, or it is not on record who was in it.
    AudienceMissing,
    /// Too few people were held out, or were not.
    TooFewPeople,
    /// What it asks for cannot be computed.
    NotComputable,
    /// It failed in the gateway.
    GatewayFault,
}

/// What an attribution asks for.
#[derive(Clone, SimpleObject)]
pub struct AttributionSettings {
    /// The account's event data set with the conversions.
    conversions_id: ID,
    /// Names of its conversion events.
    events: Vec<String>,
    /// A conversion is credited to exposures at most this many times 24 hours before it.
    lookback_days: u32,
    /// How they share the credit.
    credit: CreditSettings,
}

/// A report of one account. It runs on its day and is frozen from then on; reading it spends nothing.
#[derive(Clone)]
pub struct Report(pub Row);

page!(ReportPage, ReportEdge, Report, "reports");

/// A report of one account. It runs on its day and is frozen from then on; reading it spends nothing.
#[Object]
impl Report {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// The project; null when that is gone.
    async fn project(&self, ctx: &Context<'_>) -> Result<Option<Project>> {
        Ok(load(&loaders(ctx).projects, self.0.project).await?.map(Project::from))
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is about.
    async fn kind(&self) -> ReportKind {
        match self.0.kind {
            DomainKind::CampaignSummary => ReportKind::CampaignSummary,
            DomainKind::Attribution { .. } => ReportKind::Attribution,
            DomainKind::Lift { .. } => ReportKind::Lift,
        }
    }

    /// What an attribution asks for; null for what is none.
    async fn attribution_settings(&self) -> Option<AttributionSettings> {
        match &self.0.kind {
            DomainKind::CampaignSummary | DomainKind::Lift { .. } => None,
            DomainKind::Attribution { conversions, events, lookback_days, credit } => Some(AttributionSettings {
                conversions_id: global(*conversions),
                events: events.clone(),
                lookback_days: *lookback_days,
                credit: credit.into(),
            }),
        }
    }

    /// What a lift asks for; null for what is none.
    async fn lift_settings(&self) -> Option<LiftSettings> {
        LiftSettings::of(&self.0.kind)
    }

    /// Its campaigns, without those that are gone; none of a lift.
    #[graphql(complexity = "5 * child_complexity", directive = list_size::apply(5, None, None, false))]
    async fn campaigns(&self, ctx: &Context<'_>) -> Result<Vec<Campaign>> {
        let loaders = loaders(ctx);
        let found = self.0.campaigns.iter().map(|id| load(&loaders.campaigns, *id));
        Ok(futures::future::try_join_all(found).await?.into_iter().flatten().map(Campaign).collect())
    }

    /// The first UTC day of the exposures, or of a lift's conversions.
    async fn from(&self) -> Date {
        Date(self.0.from)
    }

    /// The last UTC day of the same.
    async fn until(&self) -> Date {
        Date(self.0.until)
    }

    /// The UTC day on which it runs or ran.
    async fn run_on(&self) -> Date {
        Date(self.0.run_on)
    }

    /// Where it is.
    async fn status(&self) -> ReportStatus {
        self.0.status.into()
    }

    /// Why it could not run: a sentence; null when it could, or has not yet.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// The same as a code; null as well where it failed before there were codes.
    async fn failure_reason(&self) -> Option<ReportFailureReason> {
        self.0.failure_reason.map(Into::into)
    }

    /// What it was computed from; null until it is finished, and where it was frozen before that was kept.
    async fn provenance(&self) -> Option<ReportProvenance> {
        self.0.provenance.as_ref().map(|from| ReportProvenance::of(from, self.0.account))
    }

    /// What it spends of the pair's privacy budget, or has spent; 0 when it is about the account's own people alone, or
    /// where both sides agreed on exact counts.
    async fn epsilon(&self) -> f64 {
        self.0.epsilon
    }

    /// What the campaigns did; null until it is finished, and always for a lift.
    async fn summary(&self, ctx: &Context<'_>) -> Result<Option<CampaignSummary>> {
        Ok(self.measured(ctx).await?.as_ref().map(CampaignSummary::from))
    }

    /// Which conversions they had a part in; null until it is finished, and always for what is no attribution.
    async fn attribution(&self, ctx: &Context<'_>) -> Result<Option<Attribution>> {
        let result = self.measured(ctx).await?;
        Ok(result.and_then(|r| r.attribution).as_ref().map(Attribution::from))
    }

    /// What the sent audience brought; null until it is finished, and always for what is no lift.
    async fn lift(&self, ctx: &Context<'_>) -> Result<Option<Lift>> {
        let is_lift = matches!(self.0.kind, DomainKind::Lift { .. });
        let frozen = if is_lift { self.frozen::<LiftReport>(ctx).await? } else { None };
        Ok(frozen.map(Lift::from))
    }

    /// How the other side's people were protected; null until it is finished, and always for a lift, which has nothing of
    /// theirs.
    async fn protection(&self, ctx: &Context<'_>) -> Result<Option<ReportProtection>> {
        Ok(self.measured(ctx).await?.as_ref().map(ReportProtection::from))
    }

    /// When it was frozen; null before.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// The work that runs it, or ran it; follow it with `jobProgress`.
    async fn job(&self, ctx: &Context<'_>) -> Result<Option<Job>> {
        Ok(load(&loaders(ctx).jobs_of_reports, self.0.id).await?.map(Job))
    }
}

impl Report {
    /// What exposures came to.
    async fn measured(&self, ctx: &Context<'_>) -> Result<Option<measure::Report>> {
        if matches!(self.0.kind, DomainKind::Lift { .. }) { Ok(None) } else { self.frozen(ctx).await }
    }

    /// What the report came to, once it is finished.
    async fn frozen<T: DeserializeOwned>(&self, ctx: &Context<'_>) -> Result<Option<T>> {
        if self.0.status != DomainStatus::Finished {
            return Ok(None);
        }
        let frozen = load(&loaders(ctx).report_results, self.0.id).await?;
        let frozen = frozen.ok_or_else(|| fault("a finished report without its result"))?;
        serde_json::from_value(frozen).map(Some).map_err(fault)
    }
}

/// What a pair of accounts may spend in a quarter on reports about the other side's people, and has spent.
#[derive(SimpleObject)]
pub struct PrivacyBudget {
    /// The quarter of the year, such as `2026Q4`.
    quarter: String,
    /// What is spent, in ε.
    spent: f64,
    /// What may be spent, in ε.
    total: f64,
    /// The first UTC day of the next quarter, when nothing of it is spent.
    renews_on: Date,
}

/// The budget of a project's two accounts in the present quarter.
pub async fn privacy_budget(ctx: &Context<'_>, pair: [AccountId; 2]) -> Result<PrivacyBudget> {
    let today = super::access::now().date_naive();
    let (gateway, quarter) = (gateway(ctx), privacy_budget::quarter(today));
    let spent = gateway.store().budget_spent(pair[0], pair[1], &quarter).await.map_err(fault)?;
    Ok(PrivacyBudget {
        quarter,
        spent,
        total: gateway.settings.privacy_budget_per_quarter,
        renews_on: Date(privacy_budget::next_quarter(today)),
    })
}

/// Asks for an attribution.
#[derive(InputObject)]
struct AttributionInput {
    /// The account's event data set with the conversions.
    conversions_id: ID,
    /// Names of its conversion events: between one and three.
    events: Vec<String>,
    /// Between 1 and 90: a conversion is credited to exposures at most this many times 24 hours before it.
    lookback_days: u32,
    /// How they share the credit: between one and five models, each of which is computed. Last touch unless it is said. Where
    /// figures carry noise, each more makes them less exact.
    models: Option<Vec<AttributionModelInput>>,
    /// Kinds of exposure with a shorter lookback.
    engagement_lookbacks: Option<Vec<EngagementLookback>>,
    /// Kinds of exposure, the best first: only exposures of the best kind within its lookback share a credit. Those that are
    /// not named come after them, as one. All kinds share unless it is said.
    engagement_priority: Option<Vec<Engagement>>,
    /// The paths to conversions that are counted; none unless it is said.
    paths: Option<Vec<PathSteps>>,
}

/// What a report is about.
#[derive(OneofObject)]
enum ReportInput {
    /// `true`: impressions, reach and frequency.
    CampaignSummary(bool),
    /// The summary, and which conversions the campaigns had a part in. For the side with conversions.
    Attribution(AttributionInput),
    /// What a sent audience brought, told from those who were held out of it. For its sender.
    Lift(LiftInput),
}

impl ReportInput {
    fn kind(self) -> Result<DomainKind, Refusal> {
        match self {
            Self::CampaignSummary(true) => Ok(DomainKind::CampaignSummary),
            Self::CampaignSummary(false) => {
                Err(Refusal::invalid("report.campaignSummary", "Say true, attribution, or lift."))
            }
            Self::Attribution(input) => Ok(DomainKind::Attribution {
                conversions: local(&input.conversions_id, "report.attribution.conversionsId")?,
                events: input.events,
                lookback_days: input.lookback_days,
                credit: Asked {
                    models: input.models,
                    lookbacks: input.engagement_lookbacks,
                    priority: input.engagement_priority,
                    paths: input.paths,
                }
                .rules()?,
            }),
            Self::Lift(input) => input.kind(),
        }
    }
}

/// Schedules a report.
#[derive(InputObject)]
struct ScheduleReportInput {
    /// The account that acts, and that the report is for.
    account_id: ID,
    /// The project.
    project_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// What it is about.
    report: ReportInput,
    /// Between 1 and 20 campaigns of the project, all run by one side; none for a lift.
    #[graphql(default)]
    campaign_ids: Vec<ID>,
    /// The first UTC day of the exposures, or of a lift's conversions.
    from: Date,
    /// The last UTC day of the same; at most 366 days in all.
    until: Date,
    /// The UTC day on which it runs: the day after the last one at the earliest, for an attribution after the lookback as
    /// well. The first possible day unless it is said.
    run_on: Option<Date>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Edits a report that has not run. What is left out stays.
#[derive(InputObject)]
struct EditReportInput {
    /// The account that acts, and that the report is for.
    account_id: ID,
    /// The report.
    report_id: ID,
    /// 1 to 100 characters.
    name: Option<String>,
    /// What it is about.
    report: Option<ReportInput>,
    /// Between 1 and 20 campaigns of the project, all run by one side; none for a lift.
    campaign_ids: Option<Vec<ID>>,
    /// The first UTC day of the exposures, or of a lift's conversions.
    from: Option<Date>,
    /// The last UTC day of the same; at most 366 days in all.
    until: Option<Date>,
    /// The UTC day on which it runs.
    run_on: Option<Date>,
}

/// Runs a report again.
#[derive(InputObject)]
struct RunReportAgainInput {
    /// The account that acts, and that the report is for.
    account_id: ID,
    /// The report, which has finished or failed.
    report_id: ID,
    /// 1 to 100 characters. That of the report with ` (again)` unless it is said.
    name: Option<String>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Deletes a report.
#[derive(InputObject)]
struct DeleteReportInput {
    /// The account that acts, and that the report is for.
    account_id: ID,
    /// The report.
    report_id: ID,
}

payload! {
    /// The report, or why it was not scheduled.
    ScheduleReportPayload {
        /// What was scheduled.
        report: Report,
    }
}

payload! {
    /// The report, or why it was not edited.
    EditReportPayload {
        /// As it is now.
        report: Report,
    }
}

payload! {
    /// The new report, or why it was not scheduled.
    RunReportAgainPayload {
        /// What was scheduled.
        report: Report,
    }
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteReportPayload {
        /// The id of the report that is gone.
        deleted_report_id: ID,
    }
}

/// Mutations of reports.
#[derive(Default)]
pub struct ReportMutation;

#[Object]
impl ReportMutation {
    /// Schedules a report. One whose days are long past runs at once. For everybody of either side.
    async fn schedule_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: ScheduleReportInput,
    ) -> Result<ScheduleReportPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::RunReports)?);
        let project = allow!(local::<ProjectId>(&input.project_id, "projectId"));
        let change = allow!(creation(ctx, authorised, "scheduleReport", input.idempotency_key)?);
        let new = NewReport {
            name: input.name,
            kind: allow!(input.report.kind()),
            campaigns: allow!(locals::<CampaignId>(&input.campaign_ids, "campaignIds")),
            from: input.from.0,
            until: input.until.0,
            run_on: input.run_on.map(|d| d.0),
        };
        let report = Some(allow!(scheduled(ctx, authorised.account, project, new, change).await?));
        Ok(ScheduleReportPayload { report, user_errors: vec![] })
    }

    /// Runs a report that has finished or failed again, as a new one with the same settings, on what is loaded by then. It runs as
    /// soon as it may, is checked and paid like a new one, and where it is about the other side's people it spends of the pair's
    /// budget anew; the first one stays as it is. For everybody of the account that it is for.
    async fn run_report_again(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RunReportAgainInput,
    ) -> Result<RunReportAgainPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::RunReports)?);
        let (id, by) = (allow!(local::<ReportId>(&input.report_id, "reportId")), authorised.account);
        let change = allow!(creation(ctx, authorised, "runReportAgain", input.idempotency_key)?);
        let first = load_own(ctx, by, &loaders(ctx).reports, id).await?;
        let first = allow!(first.ok_or_else(missing));
        let new = allow!(report::again(&first, input.name));
        let report = Some(allow!(scheduled(ctx, by, first.project, new, change).await?));
        Ok(RunReportAgainPayload { report, user_errors: vec![] })
    }

    /// Edits a report that has not run. For everybody of the account that it is for.
    async fn edit_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: EditReportInput,
    ) -> Result<EditReportPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::RunReports)?);
        let (id, by) = (allow!(local::<ReportId>(&input.report_id, "reportId")), authorised.account);
        let change = change(ctx, authorised, "editReport", Some(Subject::Report(id)))?;
        let present = load_own(ctx, by, &loaders(ctx).reports, id).await?;
        let present = allow!(present.ok_or_else(missing));
        let new = allow!(input.changed(&present));
        let draft = allow!(report::edit(&present, new, change.now));
        let known = allow!(Known::about(ctx, &draft).await?);
        let rule = move |loaded: &LoadedReport| {
            let project = loaded.project.as_ref();
            let project = project.ok_or_else(|| Refusal::not_found("project"))?;
            if loaded.report.version != present.version {
                return Err(Refusal::new(Code::Conflict, "Somebody else changed it in between; read it again."));
            }
            let edited = known.checked(draft, project, &loaded.campaigns)?;
            let job = job::job(&edited);
            Ok(Outcome::of(edited).events([event(by, AccountEventKind::ReportScheduled, id)]).job(job))
        };
        let edited = allow!(gateway(ctx).store().edit_report(change, id, Box::new(rule)).await.map_err(fault)?);
        Ok(EditReportPayload { report: Some(Report(edited)), user_errors: vec![] })
    }

    /// Deletes a report, whether it has run or not; what it spent stays spent. For everybody of the account that it is
    /// for.
    async fn delete_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteReportInput,
    ) -> Result<DeleteReportPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::RunReports)?);
        let (id, by) = (allow!(local::<ReportId>(&input.report_id, "reportId")), authorised.account);
        let change = change(ctx, authorised, "deleteReport", Some(Subject::Report(id)))?;
        let rule = move |_: &LoadedReport| Ok(Outcome::of(()).events([event(by, AccountEventKind::ReportDeleted, id)]));
        allow!(gateway(ctx).store().delete_report(change, id, Box::new(rule)).await.map_err(fault)?);
        Ok(DeleteReportPayload { deleted_report_id: Some(global(id)), user_errors: vec![] })
    }
}

/// Schedules a new report of an account.
async fn scheduled(
    ctx: &Context<'_>,
    by: AccountId,
    project: ProjectId,
    new: NewReport,
    change: Change,
) -> Result<Result<Report, Refusal>> {
    let id = ReportId::new();
    let draft = match report::schedule(id, by, project, new, change.now) {
        Ok(draft) => draft,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let known = match Known::about(ctx, &draft).await? {
        Ok(known) => known,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (prices, threshold) = (gateway(ctx).settings.prices, gateway(ctx).settings.threshold);
    let rule = move |loaded: &LoadedProject, campaigns: &[CampaignRow]| {
        let scheduled = known.checked(draft, loaded, campaigns)?;
        let job = job::job(&scheduled);
        let reserved = credit::of_report(&prices, &scheduled, &loaded.connection, threshold);
        let outcome = Outcome::of(scheduled).events([event(by, AccountEventKind::ReportScheduled, id)]).job(job);
        Ok(outcome.credits(credit::Command::Reserve(reserved)))
    };
    let created = gateway(ctx).store().create_report(change, id, project, Box::new(rule)).await.map_err(fault)?;
    let created = match created {
        Ok(created) => created,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let report = load(&loaders(ctx).reports, created.id).await?.map(Report);
    report.map(Ok).ok_or_else(|| fault("a report that was scheduled is not there"))
}

impl EditReportInput {
    /// The report as it should be.
    fn changed(self, present: &Row) -> Result<NewReport, Refusal> {
        let campaigns = self.campaign_ids.map(|ids| locals::<CampaignId>(&ids, "campaignIds")).transpose()?;
        let kind = self.report.map(ReportInput::kind).transpose()?.unwrap_or_else(|| present.kind.clone());
        let until = self.until.map_or(present.until, |d| d.0);
        // A day that was chosen stays where it still can.
        let stays = (report::earliest(&kind, until) <= present.run_on).then_some(present.run_on);
        Ok(NewReport {
            name: self.name.unwrap_or_else(|| present.name.clone()),
            kind,
            campaigns: campaigns.unwrap_or_else(|| present.campaigns.clone()),
            from: self.from.map_or(present.from, |d| d.0),
            until,
            run_on: self.run_on.map(|d| d.0).or(stays),
        })
    }
}

/// What a report is checked against besides its project.
struct Known {
    conversions: Option<DataSetRow>,
    sent: Option<SentRow>,
    spent: f64,
    budget: f64,
    epsilon: f64,
}

impl Known {
    async fn about(ctx: &Context<'_>, draft: &Row) -> Result<Result<Self, Refusal>> {
        let gateway = gateway(ctx);
        let conversions = match draft.kind.conversions() {
            None => None,
            Some(asked) => load_own(ctx, draft.account, &loaders(ctx).event_data_sets, asked.data_set).await?,
        };
        let sent = match draft.kind.sent_audience() {
            None => None,
            Some(sent) => load_own(ctx, draft.account, &loaders(ctx).sent_audiences, sent).await?,
        };
        let Some((_, connection)) = project_of(ctx, draft.account, draft.project).await? else {
            return Ok(Err(Refusal::not_found("project").at("projectId")));
        };
        let (one, other) = (connection.owner, connection.recipient);
        let quarter = privacy_budget::quarter(draft.run_on);
        Ok(Ok(Self {
            conversions,
            sent,
            spent: gateway.store().budget_spent(one, other, &quarter).await.map_err(fault)?,
            budget: gateway.settings.privacy_budget_per_quarter,
            epsilon: gateway.settings.privacy_epsilon_per_report,
        }))
    }

    /// The report with what it will spend, unless that is refused already.
    fn checked(&self, draft: Row, loaded: &LoadedProject, campaigns: &[CampaignRow]) -> Result<Row, Refusal> {
        measurable(loaded)?;
        let settings = loaded.connection.settings.as_ref().ok_or_else(|| Refusal::not_found("project"))?;
        report::countable(&draft.kind, draft.account, draft.project, self.conversions.as_ref())?;
        report::liftable(&draft, self.sent.as_ref(), self.conversions.as_ref())?;
        // A lift is about the account's own people.
        let own = draft.kind.sent_audience().map(|_| Ok(draft.account));
        let runner = own.unwrap_or_else(|| report::runner(campaigns, &draft.campaigns))?;
        let epsilon = privacy_budget::epsilon(draft.account, runner, settings.counts, self.epsilon);
        if epsilon > 0.0 {
            privacy_budget::spend(self.spent, epsilon, self.budget, draft.run_on).map_err(|r| r.at("runOn"))?;
        }
        Ok(Row { epsilon, ..draft })
    }
}

fn missing() -> Refusal {
    Refusal::not_found("report").at("reportId")
}

fn event(account: AccountId, kind: AccountEventKind, report: ReportId) -> NewEvent {
    NewEvent::of_account(account, kind, Subject::Report(report))
}
